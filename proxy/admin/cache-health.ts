/** Health of a cache and its server: /healthz shows it, and `dbsync-proxy status`. None of it is secret. */
import type { HealthReport } from "../../net/admin/server.js";
import { version } from "../../net/process/version.js";
import type { CacheSources } from "./cache-metrics.js";

export interface CacheHealth {
  readonly version: string;
  readonly clients: number;
  readonly cache: {
    /** Address of its server, and whether that answers. */
    readonly server: string;
    readonly up: boolean;
    /** Why it does not, or what failed last; absent: nothing. */
    readonly reason?: string;
    readonly hits: number;
    readonly misses: number;
    readonly waiting: number;
    readonly entries: number;
    readonly bytes: number;
    readonly emptied: number;
  };
}

/** Reports the health: cached answers are served without the server too, but everything else is rejected. */
export function cacheHealth({ cache, clients }: CacheSources): HealthReport {
  const { place: server, isUp: up, reason, waiting, entries, bytes } = cache;
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
