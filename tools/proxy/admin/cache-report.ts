/** The metrics and the health of a cache. `npm run tables` writes the metrics into docs/proxy.md. */

import { type MetricTable, single, type ValueMetric } from "../../../daemon/net/process/metric-rows.js";
import { version } from "../../../daemon/net/process/version.js";
import { presentFields } from "../../../protocol/present-fields.js";
import type { HealthReport } from "../../admin/http/admin-server.js";
import type { SqlCache } from "../cache/sql-cache.js";
import type { ClientCounts } from "../clients/line-listener.js";

interface CacheSources {
  readonly cache: SqlCache;
  readonly clients: ClientCounts;
}

type Row = ValueMetric<CacheSources>;

const one = single<CacheSources>;

const counter = (help: string, read: (figures: SqlCache["figures"]) => number): Row =>
  one("counter", help, ({ cache }) => read(cache.figures));

const gauge = (help: string, read: (cache: SqlCache) => number): Row =>
  one("gauge", help, ({ cache }) => read(cache));

export const CACHE_METRICS = {
  dbsync_proxy_cache_hits_total: counter("Reads answered from the cache.", ({ hits }) => hits),
  dbsync_proxy_cache_misses_total: counter(
    "Reads that the cache could not answer and sent to the server.",
    ({ misses }) => misses,
  ),
  dbsync_proxy_cache_joined_total: counter(
    "Reads that waited for the answer to the same read of another client.",
    ({ joined }) => joined,
  ),
  dbsync_proxy_cache_stored_total: counter("Answers that were stored.", ({ stored }) => stored),
  dbsync_proxy_cache_overtaken_total: counter(
    "Answers that were not stored because their tables changed in the meantime.",
    ({ overtaken }) => overtaken,
  ),
  dbsync_proxy_cache_emptied_total: counter(
    "Answers that were removed because their tables changed.",
    ({ emptied }) => emptied,
  ),
  dbsync_proxy_cache_forwarded_total: counter(
    "Statements that were forwarded to the server unchanged: writes, and all others that are not reads.",
    ({ forwarded }) => forwarded,
  ),
  dbsync_proxy_cache_failed_total: counter(
    "Statements that the server did not answer.",
    ({ failed }) => failed,
  ),
  dbsync_proxy_cache_entries: gauge("Stored answers.", ({ entries }) => entries),
  dbsync_proxy_cache_bytes: gauge("Bytes of stored answers and their statements.", ({ bytes }) => bytes),
  dbsync_proxy_cache_waiting: gauge(
    "Reads that are waiting for an answer from the server.",
    ({ waiting }) => waiting,
  ),
  dbsync_proxy_cache_buffered_bytes: gauge(
    "Bytes of unfinished requests and unread answers.",
    ({ bufferedBytes }) => bufferedBytes,
  ),
  dbsync_proxy_cache_server_up: gauge("1 while the server answers, otherwise 0.", ({ isUp }) =>
    isUp ? 1 : 0,
  ),
  dbsync_proxy_cache_connections: one("gauge", "Connected clients.", ({ clients }) => clients.connections),
  dbsync_proxy_cache_connections_opened_total: one(
    "counter",
    "Clients that have connected.",
    ({ clients }) => clients.opened,
  ),
  dbsync_proxy_cache_refusals_total: {
    type: "counter",
    labels: ["reason"],
    help: "Clients that were rejected or disconnected, by reason.",
    read: ({ clients }) => [...clients.refusals].map(([reason, value]) => ({ labels: { reason }, value })),
  },
} as const satisfies MetricTable<CacheSources>;

/** The health of a cache and its server, for /healthz and `dbsync-proxy status`. The report contains no secrets. */
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
      ...presentFields({ reason }),
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
