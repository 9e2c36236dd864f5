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
    summary: "largest answer, and of RESP all that wait for a client; more closes the connection",
    reason:
      "with versions 1 and 2 reading stops while a client takes no answers; RESP clients pipeline before they read",
  },
  maxBufferedBytes: {
    flag: "max-buffered-bytes",
    unit: "bytes",
    fallback: 512 * MIB,
    least: KIB,
    most: 1024 * 1024 * MIB,
    summary: "bytes of unfinished requests and untaken answers, all connections together",
    reason: "only received bytes count; above it the connection that holds most is closed",
  },
  maxUnprovenBytes: {
    flag: "max-unproven-bytes",
    ...({ unit: "bytes", fallback: 128 * MIB, least: KIB, most: 1024 * 1024 * MIB } as const),
    summary: "of these, on connections that have proved nothing yet; two of the largest requests at least",
    reason: "an honest client's first request may be a large one; above it the slowest of them is closed",
  },
  maxConnections: {
    flag: "max-connections",
    unit: "count",
    fallback: 10_000,
    least: 1,
    most: 1_000_000,
    summary:
      "clients at a time; above it unauthenticated ones are closed first, otherwise new ones immediately",
    reason: "an idle connection costs some 5 KiB here; the system's limit of open files must be higher",
  },
  maxEventBytes: {
    flag: "max-event-bytes",
    unit: "bytes",
    fallback: 8 * MIB,
    least: 4 * KIB,
    most: 511 * MIB,
    summary: "version 2: events that may wait for a client that listens; more closes its connection",
    reason: "what a busy channel sends in a second; a client that reads more slowly receives a gap event",
  },
  maxRelayBytes: {
    flag: "max-relay-bytes",
    unit: "bytes",
    fallback: 8 * MIB,
    least: 64 * KIB,
    most: 1024 * MIB,
    restart: true,
    summary: "messages (PUBLISH) that may wait for another daemon; the rest is not sent to it, and counted",
    reason: "some seconds on a slow line; a slower daemon is notified that some are missing",
  },
  idleTimeout: {
    flag: "idle-timeout",
    unit: "time",
    fallback: 5 * MINUTE,
    least: 50,
    most: 24 * HOUR,
    summary: "closes a connection without a whole request for so long; a half-sent one counts as none",
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
      "RESP: largest command, as far as it has arrived; bytes that may follow one that waits (Redis's client-query-buffer-limit)",
    reason: "Redis's; --max-buffered-bytes, for all clients together, is usually less",
  },
  jsonReplicaTimeout: {
    flag: "json-replica-timeout",
    unit: "time",
    fallback: 3 * SECOND,
    least: 1,
    most: HOUR,
    summary: "how long a write waits for a server of --json-replica that says nothing",
    reason: "the original waits a minute, once for each write; what a server misses is sent later",
  },
  respIdleTimeout: {
    flag: "resp-idle-timeout",
    unit: "time",
    fallback: 0,
    least: 0,
    most: 24 * HOUR,
    summary: "RESP and JSON: closes a connection without a command for so long; 0: never (Redis's timeout)",
    reason: "pools of Redis clients keep connections for hours and do not expect them to be closed",
  },
  mongoCursors: {
    flag: "mongo-cursors",
    unit: "count",
    fallback: 1000,
    least: 0,
    most: 1_000_000,
    summary:
      "MongoDB: answers that are kept to be fetched in parts; above it the user with the most loses what was not asked for the longest",
    reason: "a client has one or two at a time; each costs some 300 bytes besides its documents",
  },
  mongoCursorBytes: {
    flag: "mongo-cursor-bytes",
    unit: "bytes",
    fallback: 256 * MIB,
    least: 0,
    most: 511 * MIB,
    summary: "MongoDB: bytes of their documents, all together; an answer that is longer alone is refused",
    reason: "they are kept as they were found, next to the data",
  },
  mongoCursorTimeout: {
    flag: "mongo-cursor-timeout",
    unit: "time",
    fallback: 10 * MINUTE,
    least: 50,
    most: 24 * HOUR,
    summary:
      "MongoDB: such an answer goes when no client has asked on for so long (MongoDB's cursorTimeoutMillis)",
    reason: "MongoDB's",
  },
  wsPing: {
    flag: "ws-ping",
    unit: "time",
    fallback: 20 * SECOND,
    least: SECOND,
    most: HOUR,
    summary: "WebSocket: clients are asked so often for a sign of life; one that gives none is idle",
    reason: "proxies cut what is silent for a minute; --idle-timeout has time for several",
  },
  slowlogTime: {
    flag: "slowlog-log-slower-than",
    unit: "time",
    fallback: 10,
    least: 0,
    most: HOUR,
    summary: "SLOWLOG keeps commands that take so long (Redis's, which counts microseconds)",
    reason: "Redis's; a command that takes 10 ms has held up everybody else for so long",
  },
  slowlogMost: {
    flag: "slowlog-max-len",
    unit: "count",
    fallback: 128,
    least: 0,
    most: 1_000_000,
    summary: "commands that SLOWLOG keeps; 0: none",
    reason: "Redis's; each takes 4 KiB at most",
  },
  latencyTime: {
    flag: "latency-monitor-threshold",
    unit: "time",
    fallback: 0,
    least: 0,
    most: HOUR,
    summary: "RESP: LATENCY samples commands that take so long; 0: none",
    reason: "Redis's",
  },
  maxmemory: {
    flag: "maxmemory",
    unit: "bytes",
    fallback: 0,
    least: 0,
    most: 1024 * 1024 * 1024 * MIB,
    summary: "memory from which on commands are refused that need more; 0: none (Redis's)",
    reason: "Redis's; what V8's heap may hold is the end in any case",
  },
  backendTimeout: {
    flag: "backend-timeout",
    unit: "time",
    fallback: 5 * SECOND,
    least: 10,
    most: HOUR,
    summary: "longest a database may take for a command",
    reason: "php-dbsync's driver gives up after 3 s; a little more leaves slow commands their chance",
  },
  maxRemembered: {
    flag: "max-remembered",
    unit: "count",
    fallback: 1_000_000,
    least: 1000,
    most: 14_000_000,
    summary: "envelopes remembered so that none is applied twice; above it older ones are refused sooner",
    reason: "some 150 bytes each; 28,000 envelopes a second for the whole window of 35 s",
  },
  maxRememberedBytes: {
    flag: "max-remembered-bytes",
    ...({ unit: "bytes", fallback: 64 * MIB, least: 0, most: 16 * KIB * MIB } as const),
    summary: "answers kept for envelopes that come again; those beyond it are answered without",
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
      "elements (or 64 bytes each) that a command, or MULTI, may produce or go through; more is refused before it is recorded",
    reason: "no other client is served meanwhile, on any daemon, and all of them do it again at each start",
  },
  luaTimeLimit: {
    flag: "lua-time-limit",
    unit: "time",
    fallback: 5 * SECOND,
    least: 10,
    most: HOUR,
    summary: "a script of a Redis client that takes longer is stopped by an error",
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
