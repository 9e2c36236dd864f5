/** Redis servers as the database (-d redis, redis-cluster, redis-sentinel). */

import type { Backend } from "../../daemon/engine/backends/backend.js";
import type { TimedDatabase } from "../../daemon/engine/pipeline/start-floor.js";
import { loadWith } from "../../daemon/net/process/service.js";
import type { RedisGroupSpecification } from "../../daemon/options/addresses/redis-addresses.js";
import type { RedisSpecification } from "../../daemon/options/database-list.js";
import type { Face } from "../../daemon/program/face.js";
import { checkRedisBehindOptions, REDIS_BEHIND_OPTIONS } from "./options.js";
import type { RedisBackendParts } from "./redis-link.js";

export const redisBehind: Face = {
  options: REDIS_BEHIND_OPTIONS,
  checkOptions: checkRedisBehindOptions,
  async makeBackend(specification, { settings, environment, log }) {
    if (specification.kind === "memory" || specification.kind === "dbsync") return null;
    const { waitReplicas } = settings;
    const parts = { waitReplicas, timeout: settings.limits.backendTimeout, environment, log };
    const load = () => redisOf(specification, parts);
    const backend = await loadWith("ioredis", `-d ${specification.kind}`, load);
    return { backend, outliving: backend };
  },
};

/** Creates a backend for Redis: one server, a cluster, or a master that sentinels report. */
async function redisOf(
  specification: RedisSpecification | RedisGroupSpecification,
  parts: Omit<RedisBackendParts<unknown>, "specification">,
): Promise<Backend & TimedDatabase> {
  if (specification.kind === "redis") {
    const { RedisBackend } = await import("./redis-backend.js");
    return new RedisBackend({ ...parts, specification });
  }
  if (specification.kind === "redis-cluster") {
    const { redisCluster } = await import("./redis-cluster.js");
    return redisCluster({ ...parts, specification });
  }

  const { redisSentinel } = await import("./redis-sentinel.js");
  return redisSentinel({ ...parts, specification });
}
