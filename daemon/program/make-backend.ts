/** Creates the backend that -d names, and loads only its modules. */

import type { RedisBackendParts } from "../../faces/redis-behind/redis-link.js";
import type { Metrics } from "../../tools/admin/metrics.js";
import type { Backend } from "../engine/backends/backend.js";
import type { TimedDatabase } from "../engine/pipeline/start-floor.js";
import { loadWith } from "../net/process/optional-package.js";
import type { RedisGroupSpecification } from "../options/addresses/redis-group-list.js";
import type { BackendSpecification, RedisSpecification } from "../options/database-list.js";
import { USAGE_KIND_DEFAULT, usageKindOf } from "../options/eviction-policy.js";
import { isSigned } from "../options/settings.js";
import type { DaemonOptions } from "./core.js";

export interface MadeBackend {
  readonly backend: Backend;
  /** The database without time measurement if it outlives the daemon, or null if it is empty after a start. */
  readonly outliving: TimedDatabase | null;
}

/** Creates a backend. @param metrics  count the answers, or null to count none */
export async function makeBackend(
  specification: BackendSpecification,
  { settings, environment, log }: DaemonOptions,
  metrics: Metrics | null,
): Promise<MadeBackend> {
  if (specification.kind === "memory") {
    const { MemoryBackend } = await import("../engine/backends/memory-backend.js");
    // A daemon without keys need not reach the same state as other daemons. Expired keys are therefore removed
    // immediately, whatever the dates of envelopes are.
    const past = isSigned(settings) ? settings.window.past : 0;
    const backend = new MemoryBackend(
      environment,
      past,
      usageKindOf(settings.maxmemoryPolicy) ?? USAGE_KIND_DEFAULT,
    );
    backend.database.unitStepsMax = settings.limits.maxUnitSteps;
    return { backend, outliving: null };
  }
  if (specification.kind === "dbsync") {
    const [{ openForwardingClient }, { SigningBackend }] = await Promise.all([
      import("../../faces/sidecar/open-forwarding-client.js"),
      import("../../faces/sidecar/signing-backend.js"),
    ]);
    const carrier = openForwardingClient(specification, settings, log);
    return { backend: new SigningBackend(specification.name, carrier), outliving: null };
  }
  const { waitReplicas } = settings;
  const parts = { waitReplicas, timeout: settings.limits.backendTimeout, environment, log };
  const redis = await loadWith("ioredis", `-d ${specification.kind}`, () => redisOf(specification, parts));
  if (metrics === null) return { backend: redis, outliving: redis };
  const { TimedBackend } = await import("../../tools/admin/timed-backend.js");
  return { backend: new TimedBackend(redis, metrics, environment), outliving: redis };
}

/** Creates a backend for Redis: one server, a cluster, or a master that sentinels report. */
async function redisOf(
  specification: RedisSpecification | RedisGroupSpecification,
  parts: Omit<RedisBackendParts<unknown>, "specification">,
): Promise<Backend & TimedDatabase> {
  if (specification.kind === "redis") {
    const { RedisBackend } = await import("../../faces/redis-behind/redis-backend.js");
    return new RedisBackend({ ...parts, specification });
  }
  if (specification.kind === "redis-cluster") {
    const { redisCluster } = await import("../../faces/redis-behind/redis-cluster.js");
    return redisCluster({ ...parts, specification });
  }
  const { redisSentinel } = await import("../../faces/redis-behind/redis-sentinel.js");
  return redisSentinel({ ...parts, specification });
}
