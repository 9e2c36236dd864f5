/** The health of a cache and its server, for /healthz and `dbsync-proxy status`. The report contains no secrets. */

import { version } from "../../../daemon/net/process/version.js";
import type { HealthReport } from "../../admin/http/admin-server.js";
import type { CacheSources } from "./cache-metrics.js";

export interface CacheHealth {
  readonly version: string;
  readonly clients: number;
  readonly cache: {
    /** The address of the cache's server, and whether the server answers. */
    readonly server: string;
    readonly up: boolean;
    /** The last failure, such as the reason why the server does not answer; absent if there was none. */
    readonly reason?: string;
    readonly hits: number;
    readonly misses: number;
    readonly waiting: number;
    readonly entries: number;
    readonly bytes: number;
    readonly emptied: number;
  };
}

/** Reports the health. While the server is down, the cache serves stored answers and refuses all other statements. */
export function cacheHealth({ cache, clients }: CacheSources): HealthReport {
  const { serverAddress: server, isUp: up, reason, waiting, entries, bytes } = cache;
  const { hits, misses, emptied } = cache.figures;
  const details: CacheHealth = {
    version,
    clients: clients.connections,
    cache: {
      server,
      up,
      ...(reason === null ? {} : { reason }),
      hits,
      misses,
      waiting,
      entries,
      bytes,
      emptied,
    },
  };
  return { isHealthy: up, details };
}
