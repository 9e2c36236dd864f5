/** The rows of a cache's metrics: `npm run tables` writes them into docs/proxy.md. */
import type { Metrics, ValueMetric } from "../../net/admin/metric.js";
import type { SqlCache } from "../cache/sql-cache.js";
import type { ClientCounts } from "./client-counts.js";

export interface CacheSources {
  readonly cache: SqlCache;
  readonly clients: ClientCounts;
}

type Row = ValueMetric<CacheSources>;

const one = (type: Row["type"], help: string, read: (sources: CacheSources) => number): Row => ({
  type,
  help,
  labels: [],
  read: (sources) => [{ labels: {}, value: read(sources) }],
});

const counter = (help: string, read: (figures: SqlCache["figures"]) => number): Row =>
  one("counter", help, ({ cache }) => read(cache.figures));

const gauge = (help: string, read: (cache: SqlCache) => number): Row =>
  one("gauge", help, ({ cache }) => read(cache));

export const CACHE_METRICS = {
  dbsync_proxy_cache_hits_total: counter("Reads that were answered from the cache.", ({ hits }) => hits),
  dbsync_proxy_cache_misses_total: counter(
    "Reads that the cache sent to the server.",
    ({ misses }) => misses,
  ),
  dbsync_proxy_cache_joined_total: counter(
    "Reads that waited for the answer to the same request of another client.",
    ({ joined }) => joined,
  ),
  dbsync_proxy_cache_stored_total: counter("Answers that the cache stored.", ({ stored }) => stored),
  dbsync_proxy_cache_overtaken_total: counter(
    "Answers that were not stored, because their tables were changed meanwhile.",
    ({ overtaken }) => overtaken,
  ),
  dbsync_proxy_cache_emptied_total: counter(
    "Answers that were removed, because their tables were changed.",
    ({ emptied }) => emptied,
  ),
  dbsync_proxy_cache_forwarded_total: counter(
    "Statements that the cache forwarded unchanged: writes, and everything else that is not a read.",
    ({ forwarded }) => forwarded,
  ),
  dbsync_proxy_cache_failed_total: counter(
    "Statements that the server did not answer.",
    ({ failed }) => failed,
  ),
  dbsync_proxy_cache_entries: gauge("Stored answers.", ({ entries }) => entries),
  dbsync_proxy_cache_bytes: gauge("Bytes of stored answers and of their requests.", ({ bytes }) => bytes),
  dbsync_proxy_cache_waiting: gauge(
    "Readers that wait for an answer from the server.",
    ({ waiting }) => waiting,
  ),
  dbsync_proxy_cache_buffered_bytes: gauge(
    "Bytes of unfinished requests and unread answers.",
    ({ bufferedBytes }) => bufferedBytes,
  ),
  dbsync_proxy_cache_server_up: gauge("1 while the server answers, otherwise 0.", ({ isUp }) =>
    isUp ? 1 : 0,
  ),
  dbsync_proxy_cache_connections: one(
    "gauge",
    "Clients that are connected.",
    ({ clients }) => clients.connections,
  ),
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
} as const satisfies Metrics<CacheSources>;
