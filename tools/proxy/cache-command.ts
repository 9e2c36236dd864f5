/** Runs `dbsync-proxy cache`, with the arguments of the earlier cache, which are also available as options. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { realEnvironment } from "../../daemon/net/process/clock-and-randomness.js";
import type { ListenAddress } from "../../daemon/net/process/host-and-port.js";
import {
  LOG_FORMATS,
  LOG_LEVELS,
  type LogFormat,
  type LogLevel,
} from "../../daemon/net/process/log-settings.js";
import { runService } from "../../daemon/net/process/run-service.js";
import { loadWith } from "../../daemon/net/process/service.js";
import { CACHE_METRICS, cacheHealth } from "./admin/cache-report.js";
import { CACHE_LIMITS } from "./cache/answer-store.js";
import { SqlCache } from "./cache/sql-cache.js";
import { CLIENT_LIMITS, ClientCounts } from "./clients/line-listener.js";
import { type AdminOptions, addAdmin, listenAddress, number, withAdmin } from "./common-options.js";
import { parseUpstreamAddress } from "./upstream/server-address.js";
import { UPSTREAM_LIMITS } from "./upstream/upstream-connection.js";

const MIB = 1024 * 1024;
const PORT_MAX = 65_535;
const LIFE_MAX = 24 * 60 * 60 * 1000;
const ENTRIES_MAX = 10_000_000;
const MIB_MAX = 1024 * 1024;
const LOOPBACK = "127.0.0.1";
/** The ports of the earlier cache and its load balancer. */
const DEFAULT_LISTEN_PORT = 3951;
const DEFAULT_UPSTREAM_PORT = 3949;
const LIFE_HELP = `lifetime of a stored answer (${CACHE_LIMITS.life})`;
const RESP_REMOVED =
  "The cache for Redis clients was removed. Connect Redis clients to the server itself: dbsyncd --resp and Redis serve client-side caching (CLIENT TRACKING).";

interface CacheOptions extends AdminOptions {
  readonly upstream?: string;
  readonly listen?: ListenAddress;
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
    .summary("cache recent reads in front of one server")
    .description(
      "Store answers to reads for a limited time, and forward writes. Before a write is answered, the cache removes the stored answers that the write may have changed.",
    )
    .argument("[host]", `host of the server (${LOOPBACK})`)
    .argument("[port]", `its port (${DEFAULT_UPSTREAM_PORT})`, number(1, PORT_MAX))
    .argument("[listen]", `port to listen on (${DEFAULT_LISTEN_PORT})`, number(0, PORT_MAX))
    .argument("[ttl-ms]", LIFE_HELP, number(1, LIFE_MAX))
    .argument(
      "[max-entries]",
      `maximum number of stored answers (${CACHE_LIMITS.maxEntries})`,
      number(1, ENTRIES_MAX),
    )
    .addOption(
      new Option("--protocol <name>", "sql, the only supported one")
        .default("sql")
        .hideHelp()
        .argParser(protocol),
    )
    .option("--upstream <address>", "the server: host:port, with TLS sqls://host:port#sha256:…")
    .option("--listen <address>", "port, or address:port", listenAddress)
    .option("--life <ms>", LIFE_HELP, number(1, LIFE_MAX))
    .option("--max-entries <count>", "maximum number of stored answers", number(1, ENTRIES_MAX))
    .option(
      "--max-mib <count>",
      "maximum size of stored answers",
      number(1, MIB_MAX),
      CACHE_LIMITS.maxBytes / MIB,
    )
    .option(
      "--reply-timeout <ms>",
      "timeout for an answer",
      number(1, LIFE_MAX),
      UPSTREAM_LIMITS.replyTimeout,
    );
  addAdmin(command)
    .addOption(new Option("--log-level <level>", "messages to log").choices(LOG_LEVELS).default("info"))
    .addOption(new Option("--log-format <format>", "format of the log").choices(LOG_FORMATS).default("auto"))
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
  const { replyTimeout } = options;
  const serverAddress = parseUpstreamAddress(
    options.upstream ?? `${host ?? LOOPBACK}:${port ?? DEFAULT_UPSTREAM_PORT}`,
    DEFAULT_UPSTREAM_PORT,
  );
  const { LRUCache } = await loadWith("lru-cache", "dbsync-proxy cache", () => import("lru-cache"));

  const clients = new ClientCounts();
  await runService(options, async (log) => {
    const cache = new SqlCache({
      ...(options.listen ?? { address: LOOPBACK, port: listen ?? DEFAULT_LISTEN_PORT }),
      serverAddress,
      Lru: LRUCache,
      environment: realEnvironment,
      observer: clients,
      clientLimits: { ...CLIENT_LIMITS, backendTimeout: replyTimeout },
      upstreamLimits: { ...UPSTREAM_LIMITS, replyTimeout },
      cacheLimits: {
        life: options.life ?? life ?? CACHE_LIMITS.life,
        maxEntries: options.maxEntries ?? maxEntries ?? CACHE_LIMITS.maxEntries,
        maxBytes: options.maxMib * MIB,
      },
      log,
    });
    const sources = { cache, clients };
    return withAdmin(cache, options, log, { metrics: CACHE_METRICS, sources, health: cacheHealth });
  });
}

/** Checks the value of --protocol. @throws InvalidArgumentError  it names an unsupported protocol */
function protocol(name: string): string {
  if (name === "sql") return name;
  throw new InvalidArgumentError(name === "resp" ? RESP_REMOVED : "Allowed: sql.");
}
