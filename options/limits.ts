/**
 * Every limit of the daemon that has a flag: a row each. Options, help and the configuration file are made
 * from the rows.
 */
import { UNIT_STEPS_DEFAULT } from "../store/keyspace/effort.js";
import type { LimitRow } from "./limit-text.js";
import { TIMELINE_LIMITS } from "./timeline-rows.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

export const LIMITS = {
  maxRequestBytes: {
    flag: "max-request-bytes",
    unit: "bytes",
    fallback: 64 * MIB,
    least: KIB,
    most: 256 * MIB,
    summary: "largest request frame's payload; a longer one closes the connection",
    reason: "php-dbsync cuts requests at 10 KiB in silence; a string of V8 ends at 512 MiB",
  },
  maxOutputBytes: {
    flag: "max-output-bytes",
    unit: "bytes",
    fallback: 256 * MIB,
    least: KIB,
    most: 511 * MIB,
    summary:
      "largest answer, for RESP all answers that wait for a client; beyond it the connection is closed",
    reason:
      "with versions 1 and 2 reading stops while a client takes no answers; RESP clients pipeline before they read",
  },
  maxBufferedBytes: {
    flag: "max-buffered-bytes",
    unit: "bytes",
    fallback: 512 * MIB,
    least: KIB,
    most: 1024 * 1024 * MIB,
    summary: "bytes of unfinished requests and unread answers, all connections together",
    reason: "only received bytes count; above it the connection that holds most is closed",
  },
  maxUnprovenBytes: {
    flag: "max-unproven-bytes",
    ...({ unit: "bytes", fallback: 128 * MIB, least: KIB, most: 1024 * 1024 * MIB } as const),
    summary: "share of these for unauthenticated connections; at least two of the largest requests",
    reason: "an honest client's first request may be a large one; above it the slowest of them is closed",
  },
  maxConnections: {
    flag: "max-connections",
    unit: "count",
    fallback: 10_000,
    least: 1,
    most: 1_000_000,
    summary:
      "clients at a time; above it, unauthenticated connections are closed first, otherwise new ones immediately",
    reason: "an idle connection costs some 5 KiB here; the system's limit of open files must be higher",
  },
  maxEventBytes: {
    flag: "max-event-bytes",
    unit: "bytes",
    fallback: 8 * MIB,
    least: 4 * KIB,
    most: 511 * MIB,
    summary: "version 2: bytes of events that may wait for a subscriber; more closes its connection",
    reason: "what a busy channel sends in a second; a client that reads more slowly receives a gap event",
  },
  maxRelayBytes: {
    flag: "max-relay-bytes",
    unit: "bytes",
    fallback: 8 * MIB,
    least: 64 * KIB,
    most: 1024 * MIB,
    restart: true,
    summary:
      "bytes of messages (PUBLISH) that may wait for another daemon; the rest is counted and not sent to it",
    reason: "some seconds on a slow line; a slower daemon is notified that some are missing",
  },
  idleTimeout: {
    flag: "idle-timeout",
    unit: "time",
    fallback: 5 * MINUTE,
    least: 50,
    most: 24 * HOUR,
    summary: "time without a complete request after which a connection is closed",
    reason: "php-dbsync's 3 s is shorter than the pauses of ordinary clients",
  },
  maxBulkBytes: {
    flag: "max-bulk-bytes",
    unit: "bytes",
    fallback: 511 * MIB,
    least: MIB,
    most: 511 * MIB,
    summary: "RESP: largest argument (Redis's proto-max-bulk-len)",
    reason: "Redis's 512 MiB, less what a string of V8 does not reach",
  },
  maxQueryBytes: {
    flag: "max-query-bytes",
    unit: "bytes",
    fallback: KIB * MIB,
    least: MIB,
    most: 1024 * KIB * MIB,
    summary:
      "RESP: bytes of an incomplete command, or of the commands after a waiting one (Redis's client-query-buffer-limit)",
    reason: "Redis's; --max-buffered-bytes, for all clients together, is usually less",
  },
  jsonReplicaTimeout: {
    flag: "json-replica-timeout",
    unit: "time",
    fallback: 3 * SECOND,
    least: 1,
    most: HOUR,
    summary: "how long a write waits for a server of --json-replica that does not answer",
    reason: "the original waits a minute, once for each write; what a server misses is sent later",
  },
  respIdleTimeout: {
    flag: "resp-idle-timeout",
    unit: "time",
    fallback: 0,
    least: 0,
    most: 24 * HOUR,
    summary:
      "RESP and JSON: time without a command after which a connection is closed; 0: never (Redis's timeout)",
    reason: "pools of Redis clients keep connections for hours and do not expect them to be closed",
  },
  mongoCursors: {
    flag: "mongo-cursors",
    unit: "count",
    fallback: 1000,
    least: 0,
    most: 1_000_000,
    summary:
      "MongoDB: open cursors; above it, the user with the most cursors loses the one that was unused for the longest",
    reason: "a client has one or two at a time; each costs some 300 bytes besides its documents",
  },
  mongoCursorBytes: {
    flag: "mongo-cursor-bytes",
    unit: "bytes",
    fallback: 256 * MIB,
    least: 0,
    most: 511 * MIB,
    summary: "MongoDB: bytes of all cursors' documents together; a single answer that is longer is refused",
    reason: "they are kept as they were found, next to the data",
  },
  mongoCursorTimeout: {
    flag: "mongo-cursor-timeout",
    unit: "time",
    fallback: 10 * MINUTE,
    least: 50,
    most: 24 * HOUR,
    summary: "MongoDB: time after which an unused cursor is closed (MongoDB's cursorTimeoutMillis)",
    reason: "MongoDB's",
  },
  wsPing: {
    flag: "ws-ping",
    unit: "time",
    fallback: 20 * SECOND,
    least: SECOND,
    most: HOUR,
    summary: "WebSocket: interval of pings; a client that does not answer them is idle",
    reason: "proxies cut what is silent for a minute; --idle-timeout has time for several",
  },
  slowlogTime: {
    flag: "slowlog-log-slower-than",
    unit: "time",
    fallback: 10,
    least: 0,
    most: HOUR,
    summary: "time from which on SLOWLOG records a command (Redis's, which counts microseconds)",
    reason: "Redis's; a command that takes 10 ms has held up everybody else for so long",
  },
  slowlogMost: {
    flag: "slowlog-max-len",
    unit: "count",
    fallback: 128,
    least: 0,
    most: 1_000_000,
    summary: "commands that SLOWLOG stores; 0: none",
    reason: "Redis's; each takes 4 KiB at most",
  },
  latencyTime: {
    flag: "latency-monitor-threshold",
    unit: "time",
    fallback: 0,
    least: 0,
    most: HOUR,
    summary: "RESP: time from which on LATENCY samples a command; 0: none",
    reason: "Redis's",
  },
  maxmemory: {
    flag: "maxmemory",
    unit: "bytes",
    fallback: 0,
    least: 0,
    most: 1024 * 1024 * 1024 * MIB,
    summary: "memory above which commands that need more memory are refused; 0: no limit (Redis's)",
    reason: "Redis's; what V8's heap may hold is the end in any case",
  },
  backendTimeout: {
    flag: "backend-timeout",
    unit: "time",
    fallback: 5 * SECOND,
    least: 10,
    most: HOUR,
    summary: "maximum time that a database may take for a command",
    reason: "php-dbsync's driver gives up after 3 s; a little more leaves slow commands their chance",
  },
  maxRemembered: {
    flag: "max-remembered",
    unit: "count",
    fallback: 1_000_000,
    least: 1000,
    most: 14_000_000,
    summary: "envelopes remembered so that none is applied twice; above it, older ones are refused sooner",
    reason: "some 150 bytes each; 28,000 envelopes a second for the whole window of 35 s",
  },
  maxRememberedBytes: {
    flag: "max-remembered-bytes",
    ...({ unit: "bytes", fallback: 64 * MIB, least: 0, most: 16 * KIB * MIB } as const),
    summary:
      "bytes of answers stored for repeated envelopes; beyond it those are answered without their reply",
    reason: "an answer is asked for again after a lost connection only, mostly within a second",
  },
  ...TIMELINE_LIMITS,
  maxUnitSteps: {
    flag: "max-unit-steps",
    unit: "count",
    fallback: UNIT_STEPS_DEFAULT,
    least: 10_000,
    most: 1_000_000_000,
    summary:
      "steps (an element, or 64 bytes) that a command, or MULTI, may take; more is refused before it is recorded",
    reason: "no other client is served meanwhile, on any daemon, and all of them do it again at each start",
  },
  luaTimeLimit: {
    flag: "lua-time-limit",
    unit: "time",
    fallback: 5 * SECOND,
    least: 10,
    most: HOUR,
    summary: "time after which a script of a Redis client is stopped with an error",
    reason: "no other client is served while it runs; what it wrote before stays, as with any of its errors",
  },
  luaMemory: {
    flag: "lua-memory",
    unit: "bytes",
    fallback: 64 * MIB,
    least: 32 * MIB,
    most: 1024 * MIB,
    summary: "memory of a script of a Redis client; more is an error",
    reason: "Lua itself takes 16 MiB; memory beyond that is released after the script",
  },
} as const satisfies Record<string, LimitRow>;

export type LimitName = keyof typeof LIMITS;

export function isLimitName(name: string): name is LimitName {
  return Object.hasOwn(LIMITS, name);
}

/** Bytes, milliseconds or plain counts, as each row says. */
export type Limits = { readonly [Name in LimitName]: number };
