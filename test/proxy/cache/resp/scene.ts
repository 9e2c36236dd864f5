/** A cache for Redis clients in the test's own process. */
import { LRUCache } from "lru-cache";
import { CACHE_LIMITS, type CacheLimits } from "../../../../proxy/cache/cache-limits.js";
import { RespCache } from "../../../../proxy/cache/resp/resp-cache.js";
import { CLIENT_LIMITS, type ClientLimits } from "../../../../proxy/clients/client-limits.js";
import { UPSTREAM_LIMITS, type UpstreamLimits } from "../../../../proxy/upstream/limits.js";
import { realEnvironment } from "../../../../serving/process/environment.js";
import { until } from "../../../client/fake-server.js";
import type { LogLine } from "../../../support/daemon-process.js";
import { keepLog } from "../../../support/log-lines.js";

export interface RespCacheScene extends AsyncDisposable {
  readonly port: number;
  readonly cache: RespCache;
  /** What it has logged. */
  readonly lines: readonly LogLine[];
}

export interface RespCacheOptions {
  readonly cache?: Partial<CacheLimits>;
  readonly clients?: Partial<ClientLimits>;
  readonly upstream?: Partial<UpstreamLimits>;
}

/** Waits until it is known whether the server tells of changes. */
export async function startRespCache(port: number, options: RespCacheOptions = {}): Promise<RespCacheScene> {
  const { log, lines } = keepLog("debug");
  const cache = new RespCache({
    place: { host: "127.0.0.1", port, tls: null, text: `127.0.0.1:${port}` },
    ...{
      address: "127.0.0.1",
      port: 0,
      observer: { connected() {}, refused() {}, served() {} },
      environment: realEnvironment,
      log,
    },
    ...{ Lru: LRUCache, toldLife: 600_000 },
    cacheLimits: { ...CACHE_LIMITS, maxEntries: 10_000, ...options.cache },
    clientLimits: { ...CLIENT_LIMITS, maxRequestBytes: 64 * 1024 * 1024, ...options.clients },
    upstreamLimits: { ...UPSTREAM_LIMITS, ...options.upstream },
  });
  await cache.start();
  await until(() => cache.freshness !== "unknown", "it is known whether the server tells of changes");
  return { port: cache.address.port, cache, lines, [Symbol.asyncDispose]: () => cache.stop() };
}
