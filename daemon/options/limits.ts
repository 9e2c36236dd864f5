/**
 * The limits of the core. Options, help and the configuration file are generated from the rows that have a flag. A
 * limit that only a face reads is in its options.ts.
 */
import { UNIT_STEPS_DEFAULT } from "../store/keyspace/effort-budget.js";
import { READ_LIMITS_DEFAULT, type ReadLimits } from "../store/read-allowance.js";
import type { FaceLimits } from "./option-row.js";
import { TIMELINE_LIMITS } from "./timeline-rows.js";
import { HOUR, KIB, type LimitRow, MIB, MINUTE, SECOND } from "./value-forms.js";

export const LIMITS = {
  maxRequestBytes: {
    flag: "max-request-bytes",
    unit: "bytes",
    fallback: 64 * MIB,
    min: KIB,
    max: 256 * MIB,
    summary: "maximum payload of a request frame; a longer one closes the connection",
    reason: "php-dbsync silently cuts requests at 10 KiB; a string in V8 is limited to 512 MiB",
  },
  maxOutputBytes: {
    flag: "max-output-bytes",
    unit: "bytes",
    fallback: 256 * MIB,
    min: KIB,
    max: 511 * MIB,
    summary:
      "maximum length of an answer (RESP: of all answers that wait for a client); a longer answer is an error, or closes the connection",
    reason:
      "for versions 1 and 2 the daemon stops reading while a client does not read answers; requests of RESP clients, which pipeline before they read, wait",
  },
  maxBufferedBytes: {
    flag: "max-buffered-bytes",
    unit: "bytes",
    fallback: 512 * MIB,
    min: KIB,
    max: 1024 * 1024 * MIB,
    summary:
      "total bytes of unfinished requests and unread answers of all connections; unread answers may use half of it",
    reason: "only received bytes count; above the limit the connection with the most bytes is closed",
  },
  maxUnprovenBytes: {
    flag: "max-unproven-bytes",
    ...({ unit: "bytes", fallback: 128 * MIB, min: KIB, max: 1024 * 1024 * MIB } as const),
    summary:
      "part of --max-buffered-bytes for connections that have not authenticated; never less than two requests of the maximum size",
    reason:
      "the first request of an honest client may be large; above the limit the slowest of these connections is closed",
  },
  maxConnections: {
    flag: "max-connections",
    unit: "count",
    fallback: 10_000,
    min: 1,
    max: 1_000_000,
    summary:
      "maximum number of clients of each listener; above it, an unauthenticated connection is closed, or the new one if there is none",
    reason: "an idle connection needs about 5 KiB of memory; the system's limit of open files must be higher",
  },
  maxEventBytes: {
    flag: null,
    unit: "bytes",
    fallback: 8 * MIB,
    min: 4 * KIB,
    max: 511 * MIB,
    summary:
      "version 2: bytes of events that may wait for a subscriber; if they are exceeded, its connection is closed",
    reason:
      "as much as a busy channel sends in a second; a slower client reconnects, and receives a gap event",
  },
  maxRelayBytes: {
    flag: "max-relay-bytes",
    unit: "bytes",
    fallback: 8 * MIB,
    min: 64 * KIB,
    max: 1024 * MIB,
    restart: true,
    summary:
      "bytes of messages (PUBLISH) that may wait for another daemon; further messages are counted but not sent",
    reason:
      "several seconds of messages on a slow connection; a slower daemon is notified that messages are missing",
  },
  sentinelDownAfter: {
    flag: "sentinel-down-after",
    unit: "time",
    fallback: 2 * SECOND,
    min: SECOND,
    max: 10 * MINUTE,
    summary:
      "time without a sign of life after which the sentinels of --sentinel name another daemon (Redis's down-after-milliseconds)",
    reason:
      "daemons state twice a second that they accept writes; a shorter interruption of a connection changes nothing",
  },
  idleTimeout: {
    flag: "idle-timeout",
    unit: "time",
    fallback: 5 * MINUTE,
    min: 50,
    max: 24 * HOUR,
    summary: "time without a complete request after which a connection is closed",
    reason: "php-dbsync's 3 s is shorter than the pauses of ordinary clients",
  },
  slowlogTime: {
    flag: "slowlog-log-slower-than",
    unit: "time",
    fallback: 10,
    min: 0,
    max: HOUR,
    summary: "minimum time of commands that SLOWLOG records (as in Redis, but Redis counts microseconds)",
    reason: "as in Redis; a command that takes 10 ms delays all other clients for that time",
  },
  slowlogLength: {
    flag: "slowlog-max-len",
    unit: "count",
    fallback: 128,
    min: 0,
    max: 1_000_000,
    summary: "number of commands that SLOWLOG stores; 0: none",
    reason: "as in Redis; each needs at most 4 KiB",
  },
  maxmemory: {
    flag: "maxmemory",
    unit: "bytes",
    fallback: 0,
    min: 0,
    max: 1024 * 1024 * 1024 * MIB,
    summary: "memory above which commands that need more memory are refused; 0: no limit (as in Redis)",
    reason: "as in Redis; the maximum heap size of V8 is always a limit",
  },
  workMemory: {
    flag: "work-memory",
    unit: "bytes",
    fallback: 0,
    min: 0,
    max: 1024 * 1024 * MIB,
    summary:
      "memory for the intermediate results of all SQL queries, MDB reads and LCS together, 7/8 of it for one query; 0: a quarter of --maxmemory or, if that is less or not set, of the machine's memory or of V8's heap, at most 384MiB",
    reason: "queries run at the same time, and each may need hundreds of MiB",
  },
  workWait: {
    flag: "work-wait",
    unit: "time",
    fallback: 30 * SECOND,
    min: 10,
    max: HOUR,
    summary: "time that a query waits for a share of --work-memory before it is refused",
    reason: "the longest permitted query takes a few seconds, and several of them run one after the other",
  },
  backendTimeout: {
    flag: "backend-timeout",
    unit: "time",
    fallback: 5 * SECOND,
    min: 10,
    max: HOUR,
    summary: "maximum time that a database may take for a command",
    reason: "php-dbsync's driver gives up after 3 s; slow commands get a little more time",
  },
  maxRemembered: {
    flag: "max-remembered",
    unit: "count",
    fallback: 1_000_000,
    min: 1000,
    max: 14_000_000,
    summary:
      "envelopes that are remembered so that none is applied twice; above the limit, old envelopes are refused earlier",
    reason: "about 150 bytes each; enough for 28,000 envelopes a second in a window of 35 s",
  },
  maxRememberedBytes: {
    flag: "max-remembered-bytes",
    ...({ unit: "bytes", fallback: 64 * MIB, min: 0, max: 16 * KIB * MIB } as const),
    summary:
      "bytes of answers that are stored for repeated envelopes; above the limit, a repetition is answered without the reply",
    reason: "clients repeat an envelope only after a lost connection, usually within a second",
  },
  ...TIMELINE_LIMITS,
  maxUnitSteps: {
    flag: "max-unit-steps",
    unit: "count",
    fallback: UNIT_STEPS_DEFAULT,
    min: 10_000,
    max: 1_000_000_000,
    summary:
      "maximum steps (an element, or 64 bytes) of a command or a MULTI; a daemon refuses longer ones before it records them",
    reason:
      "during such a command the daemon serves no other client, and every daemon repeats it at each start",
  },
  maxReadSteps: {
    flag: "max-read-steps",
    unit: "count",
    fallback: READ_LIMITS_DEFAULT.steps,
    min: 10_000,
    max: 1_000_000_000,
    summary:
      "maximum steps of all reads of a MULTI or script together (an element of a list is 4); above it, the MULTI or script is refused",
    reason: "during it the daemon serves no other client; 10 LRANGE of 100,000 elements take 4,000,000",
  },
  maxReadBytes: {
    flag: "max-read-bytes",
    unit: "bytes",
    fallback: READ_LIMITS_DEFAULT.bytes,
    min: 64 * KIB,
    max: 511 * MIB,
    summary: "maximum bytes that all reads of a MULTI or script return together",
    reason: "the complete answer is in memory before the first byte is sent",
  },
} as const satisfies Record<string, LimitRow>;

type CoreLimits = { readonly [Name in keyof typeof LIMITS]: number };

/** Returns the limits for the reads of a unit, as a database expects them. */
export const readLimitsOf = ({ maxReadSteps, maxReadBytes }: Limits): ReadLimits => ({
  steps: maxReadSteps,
  bytes: maxReadBytes,
});

/** The values of all limits, in bytes, milliseconds or counts, depending on the unit of the row. */
export interface Limits extends CoreLimits, FaceLimits {}

export type LimitName = keyof Limits;
