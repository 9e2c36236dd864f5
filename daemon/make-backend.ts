/** From what -d says to what applies commands. The modules of a kind that is not named are not loaded. */
import type { Logger } from "pino";
import type { Environment } from "../serving/process/environment.js";
import { loadWith } from "../serving/process/optional-package.js";
import type { Metrics } from "./admin/metrics.js";
import type { Backend } from "./backends/backend.js";
import type { BackendSpecification } from "./options/database-list.js";
import { usageKindOf } from "./options/eviction-policy.js";
import { isSigned, type Settings } from "./options/settings.js";
import type { TimedDatabase } from "./pipeline/start-floor.js";

export interface BackendSources {
  readonly settings: Settings;
  readonly environment: Environment;
  readonly log: Logger;
  /** null: nobody asks for them. */
  readonly metrics: Metrics | null;
}

export interface MadeBackend {
  readonly backend: Backend;
  /** What outlives the daemon, to be asked for its time uncounted; null: it begins empty. */
  readonly outliving: TimedDatabase | null;
}

export async function makeBackend(
  specification: BackendSpecification,
  { settings, environment, log, metrics }: BackendSources,
): Promise<MadeBackend> {
  if (specification.kind === "memory") {
    const { MemoryBackend } = await import("./backends/memory.js");
    // Without keys it need not end in the same state as any other, so what has expired goes at once, whatever envelopes are dated.
    const past = isSigned(settings) ? settings.window.past : 0;
    const backend = new MemoryBackend(environment, past, usageKindOf(settings.maxmemoryPolicy));
    return { backend, outliving: null };
  }
  if (specification.kind === "dbsync") {
    const [{ openCarrier }, { SigningBackend }] = await Promise.all([
      import("./sidecar/open-carrier.js"),
      import("./sidecar/signing-backend.js"),
    ]);
    const carrier = openCarrier({ specification, settings, log });
    return { backend: new SigningBackend(specification.name, carrier), outliving: null };
  }
  const { RedisBackend } = await loadWith("ioredis", "-d redis", () => import("./backends/redis.js"));
  const timeout = settings.limits.backendTimeout;
  const redis = new RedisBackend({ specification, timeout, environment, log });
  if (metrics === null) return { backend: redis, outliving: redis };
  const { TimedBackend } = await import("./admin/timed-backend.js");
  return { backend: new TimedBackend(redis, metrics, environment), outliving: redis };
}
