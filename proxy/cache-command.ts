/** `dbsync-proxy cache`: its arguments, as the earlier cache had them, and the same as options. */
import { type Command, Option } from "commander";
import { realEnvironment } from "../serving/process/environment.js";
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "../serving/process/log.js";
import { loadWith } from "../serving/process/optional-package.js";
import type { ListenPlace } from "../serving/process/place.js";
import { runService } from "../serving/process/run-service.js";
import type { Service } from "../serving/process/service.js";
import { cacheHealth } from "./admin/cache-health.js";
import { CACHE_METRICS } from "./admin/cache-metrics.js";
import { ClientCounts } from "./admin/client-counts.js";
import { CACHE_LIMITS } from "./cache/cache-limits.js";
import type { RespCacheParts } from "./cache/resp/resp-cache.js";
import { SqlCache } from "./cache/sql-cache.js";
import type { WatchedCache } from "./cache/watched-cache.js";
import { CLIENT_LIMITS } from "./clients/client-limits.js";
import { listenPlace, number } from "./option-values.js";
import { UPSTREAM_LIMITS } from "./upstream/limits.js";
import { readPlace } from "./upstream/read-place.js";
import { type AdminOptions, addAdmin, withAdmin } from "./with-admin.js";

const MIB = 1024 * 1024;
const PORT_MOST = 65_535;
const LIFE_MOST = 24 * 60 * 60 * 1000;
const ENTRIES_MOST = 10_000_000;
const MIB_MOST = 1024 * 1024;
const LOOPBACK = "127.0.0.1";
/** Milliseconds for which answers are kept of whose changes the server tells. */
const TOLD_LIFE = 10 * 60 * 1000;
/** Of SQL the earlier cache's own port, and its load balancer's. */
const USUAL = {
  sql: { scheme: "sql", upstream: 3949, listen: 3951, requestBytes: CLIENT_LIMITS.maxRequestBytes },
  resp: { scheme: "redis", upstream: 6379, listen: 6380, requestBytes: 64 * MIB },
} as const;
const LIFE_HELP = `how long an answer is kept (${CACHE_LIMITS.life}; of RESP where the server tells of changes ${TOLD_LIFE})`;

interface CacheOptions extends AdminOptions {
  readonly protocol: keyof typeof USUAL;
  readonly upstream?: string;
  readonly listen?: ListenPlace;
  readonly life?: number;
  readonly maxEntries?: number;
  readonly maxMib: number;
  readonly replyTimeout: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

export function addCache(program: Command): void {
  const command = program
    .command("cache")
    .summary("keeps what was read lately, in front of one server")
    .description(
      "Keeps answers to reads for a while. Writes go through, and throw away what they may have changed before they are answered.",
    )
    .argument("[host]", `where the server is (${LOOPBACK})`)
    .argument(
      "[port]",
      `its port (${USUAL.sql.upstream}, of RESP ${USUAL.resp.upstream})`,
      number(1, PORT_MOST),
    )
    .argument(
      "[listen]",
      `port to listen at (${USUAL.sql.listen}, of RESP ${USUAL.resp.listen})`,
      number(0, PORT_MOST),
    )
    .argument("[ttl-ms]", LIFE_HELP, number(1, LIFE_MOST))
    .argument("[max-entries]", `how many are (${CACHE_LIMITS.maxEntries})`, number(1, ENTRIES_MOST))
    .addOption(
      new Option("--protocol <name>", "what is spoken: SQL lines, or RESP")
        .choices(["sql", "resp"])
        .default("sql"),
    )
    .option("--upstream <place>", "the server: host:port, with TLS sqls:// or rediss://host:port#sha256:…")
    .option("--listen <place>", "port, or address:port", listenPlace)
    .option("--life <ms>", LIFE_HELP, number(1, LIFE_MOST))
    .option("--max-entries <count>", "how many answers are kept", number(1, ENTRIES_MOST))
    .option("--max-mib <count>", "how much is kept", number(1, MIB_MOST), CACHE_LIMITS.maxBytes / MIB)
    .option(
      "--reply-timeout <ms>",
      "how long an answer may take",
      number(1, LIFE_MOST),
      UPSTREAM_LIMITS.replyTimeout,
    );
  addAdmin(command)
    .addOption(new Option("--log-level <level>", "what is told").choices(LOG_LEVELS).default("info"))
    .addOption(new Option("--log-format <format>", "how").choices(LOG_FORMATS).default("auto"))
    .action(runCache);
}

async function runCache(
  host: string | undefined,
  port: number | undefined,
  listen: number | undefined,
  life: number | undefined,
  maxEntries: number | undefined,
  options: CacheOptions,
): Promise<void> {
  const { protocol, replyTimeout } = options;
  const usual = USUAL[protocol];
  const place = readPlace(
    options.upstream ?? `${host ?? LOOPBACK}:${port ?? usual.upstream}`,
    usual.upstream,
    usual.scheme,
  );
  const { LRUCache } = await loadWith("lru-cache", "dbsync-proxy cache", () => import("lru-cache"));
  const clients = new ClientCounts();
  const given = options.life ?? life;
  const parts = {
    ...(options.listen ?? { address: LOOPBACK, port: listen ?? usual.listen }),
    ...{ place, Lru: LRUCache, environment: realEnvironment, observer: clients },
    clientLimits: { ...CLIENT_LIMITS, maxRequestBytes: usual.requestBytes, backendTimeout: replyTimeout },
    upstreamLimits: { ...UPSTREAM_LIMITS, replyTimeout },
    cacheLimits: {
      life: given ?? CACHE_LIMITS.life,
      maxEntries: options.maxEntries ?? maxEntries ?? CACHE_LIMITS.maxEntries,
      maxBytes: options.maxMib * MIB,
    },
    toldLife: given ?? TOLD_LIFE,
  };
  await runService(options, async ({ log }) => {
    const cache = await cacheOf(protocol, { ...parts, log });
    const sources = { cache, clients };
    return withAdmin(cache, options, log, { metrics: CACHE_METRICS, sources, health: cacheHealth });
  });
}

async function cacheOf(
  protocol: CacheOptions["protocol"],
  parts: RespCacheParts,
): Promise<Service & WatchedCache> {
  if (protocol === "sql") return new SqlCache(parts);
  const { RespCache } = await import("./cache/resp/resp-cache.js");
  return new RespCache(parts);
}
