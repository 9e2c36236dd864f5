/** A cache in the test's own process, with a clock that the test can advance. */
import { LRUCache } from "lru-cache";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import {
  CACHE_LIMITS,
  type CacheFigures,
  type CacheLimits,
} from "../../../../tools/proxy/cache/answer-store.js";
import { SqlCache } from "../../../../tools/proxy/cache/sql-cache.js";
import {
  CLIENT_LIMITS,
  ClientCounts,
  type ClientLimits,
} from "../../../../tools/proxy/clients/line-listener.js";
import {
  UPSTREAM_LIMITS,
  type UpstreamLimits,
} from "../../../../tools/proxy/upstream/upstream-connection.js";
import type { LogLine } from "../../../support/daemon-process.js";
import { keepLog } from "../../../support/log-lines.js";

export interface CacheScene extends AsyncDisposable {
  readonly port: number;
  readonly figures: CacheFigures;
  readonly cache: SqlCache;
  readonly clients: ClientCounts;
  /** The cache's log lines. */
  readonly lines: readonly LogLine[];
  /** Advances the clock that determines the age of answers. */
  pass(milliseconds: number): void;
}

export interface CacheSceneOptions {
  readonly cache?: Partial<CacheLimits>;
  readonly clients?: Partial<ClientLimits>;
  readonly upstream?: Partial<UpstreamLimits>;
}

export async function startCache(port: number, options: CacheSceneOptions = {}): Promise<CacheScene> {
  let passed = 0;
  const { log, lines } = keepLog("debug");
  const clients = new ClientCounts();
  const environment = { ...realEnvironment, uptime: () => realEnvironment.uptime() + passed };

  const cache = new SqlCache({
    serverAddress: { host: "127.0.0.1", port, tls: null, text: `127.0.0.1:${port}` },
    address: "127.0.0.1",
    port: 0,
    observer: clients,
    environment,
    log,
    Lru: LRUCache,
    cacheLimits: { ...CACHE_LIMITS, ...options.cache },
    clientLimits: { ...CLIENT_LIMITS, ...options.clients },
    upstreamLimits: { ...UPSTREAM_LIMITS, ...options.upstream },
  });

  await cache.start();
  return {
    port: cache.address.port,
    figures: cache.figures,
    cache,
    clients,
    lines,
    pass(milliseconds) {
      passed += milliseconds;
    },
    [Symbol.asyncDispose]: () => cache.stop(),
  };
}
