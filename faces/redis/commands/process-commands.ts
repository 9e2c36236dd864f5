/**
 * The commands about the process: save, stop, replicate, monitor, the subcommands of MEMORY, SLOWLOG and LATENCY.
 * Texts: redis-server 7.0.
 */
import { getHeapStatistics } from "node:v8";
import { lastSave } from "../../../daemon/engine/info/info-text.js";
import { slowLogReply } from "../../../daemon/engine/slow-log/slow-log.js";
import { version } from "../../../daemon/net/process/version.js";
import { custom, syntaxError } from "../../../daemon/store/arguments/command-errors.js";
import { integerArgument } from "../../../daemon/store/arguments/number-arguments.js";
import { findCommand } from "../../../daemon/store/command-table.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { acceptsWrites } from "../../../protocol/daemon-states.js";
import {
  array,
  bulk,
  double,
  EMPTY_ARRAY,
  integer,
  map,
  OK,
  type Reply,
  status,
  verbatim,
  ZERO,
} from "../../../protocol/reply.js";
import { REDIS_VERSION } from "../../../protocol/resp/redis-version.js";
import type { RespSession, Route, SessionHandler } from "../session/resp-session.js";
import { valuesOf } from "./info-command.js";

export const processHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["BGREWRITEAOF", inBackground],
  ["BGSAVE", saveInBackground],
  ["LASTSAVE", (session) => integer(lastSave(valuesOf(session)))],
  ["LOLWUT", picture],
  ["MONITOR", monitor],
  ["REPLICAOF", replicaOf],
  ["ROLE", role],
  ["SAVE", save],
  ["SHUTDOWN", shutDown],
  ["SLAVEOF", replicaOf],
];

const ALREADY_STORED = status("Nothing to save: commands are written to disk as they arrive");

/** Checks that data is stored on disk. @throws CommandFailure  the daemon has no --data */
function requireDataFolder({ server }: RespSession): void {
  if (server.daemon.settings.data === null)
    throw custom("ERR this daemon stores nothing on disk: start it with --data");
}

function save(session: RespSession): Reply {
  requireDataFolder(session);
  return OK;
}

function inBackground(session: RespSession): Reply {
  requireDataFolder(session);
  return ALREADY_STORED;
}

/** `ROLE`; a daemon that accepts no writes is shown as a replica without its master. */
function role({ server: { daemon } }: RespSession): Reply {
  const { state } = daemon.condition;
  if (acceptsWrites(state)) return array([bulk("master"), ZERO, EMPTY_ARRAY]);
  const link = state === "catching-up" ? "sync" : "connect";
  return array([bulk("slave"), bulk(""), ZERO, bulk(link), integer(-1)]);
}

/** `BGSAVE [SCHEDULE]` */
function saveInBackground(session: RespSession, argv: readonly ByteString[]): Reply {
  if (argv.length > 2 || (argv[1] !== undefined && argv[1].toUpperCase() !== "SCHEDULE")) throw syntaxError();
  return inBackground(session);
}

/** `SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]` */
function shutDown(session: RespSession, argv: readonly ByteString[]): Reply | null {
  const words = new Set(argv.slice(1).map((word) => word.toUpperCase()));
  for (const word of words) if (!/^(NOSAVE|SAVE|NOW|FORCE|ABORT)$/.test(word)) throw syntaxError();
  if (words.has("ABORT") && words.size === 1) throw custom("ERR No shutdown in progress.");
  if (words.has("ABORT") || (words.has("SAVE") && words.has("NOSAVE"))) throw syntaxError();
  const stop = session.server.daemon.shutDown;
  if (stop === null) throw custom("ERR this daemon is part of another program, which stops it");
  session.isClosing = true;
  stop();
  return null;
}

/** `REPLICAOF NO ONE` */
function replicaOf(_: RespSession, [, host = "", port = ""]: readonly ByteString[]): Reply {
  if (host.toUpperCase() === "NO" && port.toUpperCase() === "ONE") return OK;
  throw custom("ERR a daemon cannot be a replica of another server: daemons of a cluster are peers (--peer)");
}

function monitor(session: RespSession): Reply {
  if (session.isExecuting) throw custom("ERR MONITOR isn't allowed for DENY BLOCKING client");
  session.server.monitors.add(session);
  return OK;
}

const HEIGHT = 7;

/** `LOLWUT [VERSION number]`. The picture shows arriving envelopes that are merged into one state. */
function picture(_: RespSession, argv: readonly ByteString[]): Reply {
  if (argv.length > 2 && argv[1]?.toUpperCase() === "VERSION") integerArgument(argv[2] as ByteString);
  const rows = Array.from({ length: HEIGHT }, (_, row) => {
    const indent = Math.abs(row - (HEIGHT - 1) / 2) * 3;
    const arrow = row === (HEIGHT - 1) / 2 ? "==>[ = ]" : "";
    return `${" ".repeat(9 - indent)}${row % 2 === 0 ? "[~]" : " \\ "}${"-".repeat(indent)}>${arrow}`;
  });
  return verbatim(`${rows.join("\n")}\nRedis ver. ${REDIS_VERSION}, dbsync ver. ${version}\n`);
}

/**
 * The subcommands of MEMORY about the process. The figures come from V8, and differ from those of Redis's allocator.
 */
export const memoryHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["MEMORY|DOCTOR", doctor],
  ["MEMORY|MALLOC-STATS", heapStatistics],
  ["MEMORY|PURGE", () => OK],
  ["MEMORY|STATS", statistics],
];

/** The share of the heap limit above which V8 spends most of its time on garbage collection. */
const HIGH_HEAP_SHARE = 0.8;

function doctor(): Reply {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  const share = Math.round((used / limit) * 100);
  const verdict =
    used / limit > HIGH_HEAP_SHARE
      ? "that is close to the limit; raise it with NODE_OPTIONS=--max-old-space-size=<MiB>"
      : "there is enough space";
  return bulk(`V8 uses ${share}% of its heap limit: ${verdict}.\n`);
}

function heapStatistics(): Reply {
  const lines = Object.entries(getHeapStatistics()).map(([name, value]) => `${name}: ${value}\n`);
  return verbatim(lines.join(""));
}

function statistics({ server }: RespSession): Reply {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  const used = heapUsed + external;
  const keys = server.path.keyCounts.reduce((sum, counts) => sum + counts.keys, 0);
  const clients = server.clients.all();
  const buffered = clients.reduce(
    (sum, { requestBytes, answerBytes }) => sum + requestBytes + answerBytes,
    0,
  );
  return map([
    ...[bulk("total.allocated"), integer(used)],
    ...[bulk("clients.normal"), integer(buffered)],
    ...[bulk("keys.count"), integer(keys)],
    ...[bulk("keys.bytes-per-key"), integer(keys === 0 ? 0 : Math.round(used / keys))],
    ...[bulk("allocator.allocated"), integer(used)],
    ...[bulk("allocator.active"), integer(heapTotal + external)],
    ...[bulk("allocator.resident"), integer(rss)],
    ...[bulk("fragmentation"), double(Math.round((rss / used) * 100) / 100)],
    ...[bulk("fragmentation.bytes"), integer(Math.max(0, rss - used))],
  ]);
}

export const slowHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["SLOWLOG|GET", ({ server }, argv) => slowLogReply(argv, server.daemon.slowLog)],
  ["SLOWLOG|LEN", ({ server }) => integer(server.daemon.slowLog.entries.length)],
  ["SLOWLOG|RESET", resetSlowLog],
  ["LATENCY|DOCTOR", latencyDoctor],
  ["LATENCY|HISTOGRAM", histogram],
  ["LATENCY|HISTORY", history],
  ["LATENCY|LATEST", latest],
  ["LATENCY|RESET", resetLatency],
];

function resetSlowLog({ server }: RespSession): Reply {
  server.daemon.slowLog.reset();
  return OK;
}

function history({ server }: RespSession, argv: readonly ByteString[]): Reply {
  const event = server.latency.events.get(argv[2] as ByteString);
  return array(
    (event?.samples ?? []).map(({ at, milliseconds }) => array([integer(at), integer(milliseconds)])),
  );
}

function latest({ server }: RespSession): Reply {
  return array(
    [...server.latency.events].map(([name, { samples, highest }]) => {
      const last = samples.at(-1) ?? { at: 0, milliseconds: 0 };
      return array([bulk(name), integer(last.at), integer(last.milliseconds), integer(highest)]);
    }),
  );
}

/** `LATENCY RESET [event …]` */
function resetLatency({ server }: RespSession, argv: readonly ByteString[]): Reply {
  return integer(server.latency.reset(argv.slice(2)));
}

function latencyDoctor({ server }: RespSession): Reply {
  const { latencyTime } = server.host.limits;
  if (latencyTime === 0)
    return verbatim(
      "Latency is not sampled: start sampling with CONFIG SET latency-monitor-threshold <milliseconds>.\n",
    );
  const { events } = server.latency;
  if (events.size === 0) return verbatim(`No command has taken ${latencyTime} ms since sampling began.\n`);
  const lines = [...events].map(([name, { samples, highest }]) => {
    const mean = samples.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / samples.length;
    return `${name}: ${samples.length} samples of ${latencyTime} ms or more, on average ${mean.toFixed(0)}, at most ${highest}.\n`;
  });
  return verbatim(`${lines.join("")}SLOWLOG GET shows which commands took longest.\n`);
}

/**
 * Returns the reply of `LATENCY HISTOGRAM [command …]`, which contains only commands that were called. `CLIENT` selects
 * all its subcommands.
 */
function histogram({ server }: RespSession, argv: readonly ByteString[]): Reply {
  const selected = argv.slice(2).map((name) => findCommand(name)?.name ?? "");
  const items: Reply[] = [];
  for (const [{ name }, counts] of server.counts) {
    if (counts.calls === 0 || (argv.length > 2 && !selected.some((one) => isOf(name, one)))) continue;
    items.push(bulk(name.toLowerCase()), distributionOf(counts));
  }
  return map(items);
}

function isOf(name: string, selected: string): boolean {
  return name === selected || name.startsWith(`${selected}|`);
}

function distributionOf({ calls, distribution }: Route["counts"]): Reply {
  const bounds = distribution.flatMap(([bound, count]) => [integer(bound), integer(count)]);
  return map([bulk("calls"), integer(calls), bulk("histogram_usec"), map(bounds)]);
}
