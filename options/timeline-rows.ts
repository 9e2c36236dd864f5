/** The options of daemons that keep a timeline (--data, --peer), and what makes several of them one cluster. */
import { hexOf } from "../protocol/version-2/envelope.js";
import { type OrderAddress, parseOrder } from "./addresses/order-address.js";
import { DATE_WINDOW_DEFAULT, formatDateWindow, parseDateWindow } from "./date-window.js";
import { choice, limit, list, path, paths, plain, text } from "./forms.js";
import { type Fsync, formatFsync, parseFsync } from "./fsync.js";
import { formatRetention, type LimitRow, parseRetention } from "./limit-text.js";
import { row } from "./option-row.js";
import { formatPeer, type PeerAddress, parseMemberId, parsePeer } from "./peer-address.js";

const PEERS_MAX = 64;
const CLUSTER_NAME_CHARS = 128;
const VERIFY_THREADS_MAX = 64;
const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/**
 * The treatment of a version 1 command that writes: refused with all of version 1; applied where it arrives; or signed by the daemon's own
 * key, recorded and sent to the peers.
 */
const VERSION_1 = ["off", "local", "gateway"] as const;
export type Version1 = (typeof VERSION_1)[number];

/** Limits of the Redis that mirrors the fold. */
const MIRROR_LIMITS = {
  keys: {
    flag: "mirror-keys",
    unit: "count",
    fallback: 100_000,
    least: 1000,
    most: 10_000_000,
    summary:
      "with -d redis and --data or --peer: changed keys that may wait for it; above it all is compared",
    reason: "some 100 bytes and its name each; a Redis that is away for long is compared in any case",
  },
  every: {
    flag: "mirror-compare-every",
    unit: "time",
    fallback: 24 * 60 * 60 * 1000,
    least: 0,
    most: 30 * 24 * 60 * 60 * 1000,
    summary: "… how often all of it is compared with what it should have; 0: only where there is a reason",
    reason: "only this finds what other clients write there unnoticed by the daemon",
  },
  rate: {
    flag: "mirror-compare-rate",
    unit: "count",
    fallback: 1000,
    least: 1,
    most: 1_000_000,
    summary: "… keys a second that such a comparison checks",
    reason: "a million keys take 17 minutes, and some hundredths of a core",
  },
} as const satisfies Record<string, LimitRow>;

const mirrorRow = (one: LimitRow) =>
  row({
    flags: `--${one.flag} <${one.unit === "count" ? "number" : one.unit}>`,
    help: one.summary,
    form: limit(one),
    fallback: one.fallback,
    reload: "restart",
    example: one.unit === "count" ? "5000" : "1h",
    needs: ["data"],
  });

export const TIMELINE = {
  /** The data folder; null: all data is lost when the process ends. */
  data: row({
    flags: "--data <folder>",
    help: "keep everything there, so that it outlives the daemon",
    form: path,
    fallback: null,
    reload: "restart",
    example: "data",
    needs: ["signKey"],
  }),
  fsync: row({
    flags: "--fsync <when>",
    help: "always: before each answer; interval=MS: every so often; never: as it comes",
    form: text<Fsync>(parseFsync, formatFsync),
    fallback: "always",
    reload: "restart",
    example: "never",
    needs: ["data"],
  }),
  /** The other daemons of the cluster that this one is configured with. */
  peers: row({
    flags: "--peer <host:port>",
    help: "another daemon of the cluster (repeatable); with #ed25519:… that one only",
    form: list<PeerAddress>({ parse: parsePeer, format: formatPeer, check: checkPeers }),
    fallback: [],
    reload: "timeline",
    example: "db2:1111",
    needs: ["rootKey"],
  }),
  /** The file of the secret that all daemons of the cluster share; null: none. */
  clusterSecret: row({
    flags: "--cluster-secret <file>",
    help: "what the daemons of a cluster know each other by: the same file at each, from dbsync-keygen",
    form: path,
    fallback: null,
    reload: "timeline",
    example: "cluster.secret",
    needs: ["peers"],
  }),
  /** Id (32 bytes) of the member whose snapshot an operator has ordered to be taken over; null: of none. */
  adopt: row({
    flags: "--adopt <id>",
    help:
      "an order, for when dbsync status names it: this member's snapshot, on its word alone, takes the place of what is here, " +
      "which is kept in replaced/ in the data folder; take it out again afterwards",
    form: text(parseMemberId, hexOf),
    fallback: null,
    reload: "timeline",
    example: "ab".repeat(32),
    needs: ["peers"],
  }),
  /** null: by the machine's processors. */
  verifyThreads: row({
    flags: "--verify-threads <number>",
    help:
      "threads that check signatures when a member sends many entries together; 0: the main thread does (default: " +
      "one less than the machine's processors, at most 3)",
    form: plain(parseVerifyThreads),
    fallback: null,
    reload: "restart",
    example: "2",
    needs: ["peers"],
  }),
  /** Milliseconds that recorded commands are kept at least; infinity: for ever. */
  retain: row({
    flags: "--retain <days>",
    help: "how long recorded commands are kept in the folder: a number of days, a time such as 12h, or forever",
    form: text(parseRetention, formatRetention),
    fallback: Number.POSITIVE_INFINITY,
    reload: "restart",
    example: "7",
    needs: ["data"],
  }),
  /** The stream that orders all writes; null: their dates do. */
  order: row({
    flags: "--order <url>",
    help:
      "a stream of NATS JetStream that orders all writes, so that answers are final immediately: nats://host:4222/stream, " +
      "tls://user:password@…, several hosts with commas between, ?replicas=3 after it to create the stream",
    form: text<OrderAddress>(parseOrder, ({ name }) => name),
    fallback: null,
    reload: "restart",
    example: "nats://127.0.0.1:4222/writes",
    needs: ["signKey"],
  }),
  orderCredentials: row({
    flags: "--order-credentials <file>",
    help: "credentials for the NATS server of --order (a .creds file)",
    form: path,
    fallback: null,
    reload: "restart",
    example: "dbsync.creds",
    needs: ["order"],
  }),
  mirrorKeys: mirrorRow(MIRROR_LIMITS.keys),
  /** Milliseconds; 0: never. */
  mirrorCompareEvery: mirrorRow(MIRROR_LIMITS.every),
  mirrorCompareRate: mirrorRow(MIRROR_LIMITS.rate),
  /** null: as the other options have it. */
  v1: row({
    flags: "--v1 <how>",
    help:
      "writes of version 1: off: none of version 1; local: applied here; gateway: signed by this daemon, and " +
      "recorded (default: local; gateway with --data; off with --peer or --order)",
    form: choice(VERSION_1),
    fallback: null,
    reload: "restart",
    example: "off",
  }),
} as const;

export const CLUSTER = {
  /** Keys of administrators. */
  rootKey: row({
    flags: "--root-key <file>",
    help: "public key of an administrator (repeatable), or folder of *.pem",
    form: paths,
    fallback: [],
    reload: "at once",
    example: "roots",
  }),
  clusterName: row({
    flags: "--cluster-name <text>",
    help: "with the keys, what makes daemons one cluster",
    form: plain(parseClusterName),
    fallback: "dbsync",
    reload: "restart",
    example: "other",
  }),
  /** Milliseconds around the daemon's clock in which envelopes are taken. */
  window: row({
    flags: "--window <past,future>",
    help: "dates of envelopes that are taken, around this daemon's clock",
    form: text(parseDateWindow, formatDateWindow),
    fallback: DATE_WINDOW_DEFAULT,
    reload: "restart",
    example: "10s,2s",
  }),
  /** The oldest version that is accepted. */
  require: row({
    flags: "--require <version>",
    help: "v2: version 1, which can be replayed, is refused",
    form: choice(["v1", "v2"]),
    fallback: "v1",
    reload: "restart",
    example: "v2",
    needs: ["signKey"],
  }),
} as const;

function parseVerifyThreads(given: string): number {
  const threads = /^\d{1,2}$/.test(given) ? Number(given) : Number.NaN;
  if (threads <= VERIFY_THREADS_MAX) return threads;
  throw new RangeError(`Expected 0 to ${VERIFY_THREADS_MAX}.`);
}

function checkPeers(peers: readonly PeerAddress[]): void {
  if (peers.length > PEERS_MAX) throw new RangeError(`Expected ${PEERS_MAX} peers at most.`);
  const places = peers.map(({ host, port }) => `${host} ${port}`);
  if (new Set(places).size < places.length) throw new RangeError("A peer is named twice.");
}

function parseClusterName(given: string): string {
  if (given === "" || given.length > CLUSTER_NAME_CHARS)
    throw new RangeError(`Expected a name of 1 to ${CLUSTER_NAME_CHARS} characters.`);
  return given;
}

/** Limits of the records. */
export const TIMELINE_LIMITS = {
  tailSeconds: {
    flag: "tail-seconds",
    unit: "time",
    fallback: 2 * MINUTE,
    least: SECOND,
    most: HOUR,
    summary: "with --data or --peer: how late a command from another daemon may arrive without a longer fold",
    reason: "beyond the window and some seconds of lost connections; each unit in it costs some 500 bytes",
    restart: true,
  },
  minDiskFree: {
    flag: "min-disk-free",
    unit: "bytes",
    fallback: 1024 * MIB,
    least: 0,
    most: 1024 * 1024 * KIB * MIB,
    summary:
      "with --data: free bytes on the disk of the data folder below which the daemon reports it as nearly full; 0: never",
    reason: "a snapshot is written alongside the one before it, and a disk that is full ends all writes",
    restart: true,
  },
  inlineWriteMicros: {
    flag: "inline-write-us",
    unit: "count",
    fallback: 1000,
    least: 0,
    most: 100_000,
    summary:
      "with --fsync always: while disk writes take this many microseconds or less on average, an idle event loop makes them itself; 0: threads always do",
    reason:
      "a thread costs some 50 µs of CPU and 100 µs of waiting; a single write of ten times the limit brings the threads back for a second or more",
    restart: true,
  },
  maxTailBytes: {
    flag: "max-tail-bytes",
    unit: "bytes",
    fallback: 256 * MIB,
    least: MIB,
    most: 1024 * KIB * MIB,
    summary:
      "memory for these commands; above it, --tail-seconds is shorter, and older commands of clients are refused",
    reason: "20,000 commands a second for two minutes need about 1 GiB; most daemons need far less",
    restart: true,
  },
  maxTimelineBytes: {
    flag: "max-timeline-bytes",
    unit: "bytes",
    fallback: 256 * MIB,
    least: MIB,
    most: 1024 * KIB * MIB,
    summary:
      "with --peer and without --data: bytes of commands stored in memory for daemons that were down; about the latest 20,000 stay",
    reason: "above it the oldest go, and a daemon that was away for longer needs another one, or --data",
    restart: true,
  },
  maxDeadLetterBytes: {
    flag: "max-dead-letter-bytes",
    unit: "bytes",
    fallback: 64 * MIB,
    least: 0,
    most: 1024 * KIB * MIB,
    summary:
      "with --data and --peer: bytes of dead letters in the data folder; those beyond it are reported but not stored",
    reason: "200,000 short commands; a daemon that was cut off with more is looked at in replaced/",
    restart: true,
  },
  comparePercent: {
    flag: "compare-percent",
    ...({ unit: "count", fallback: 5, least: 0, most: 50 } as const),
    summary:
      "with --peer: percentage of its time in which a daemon compares its state with other members; 0: never",
    reason: "a million keys take some two seconds of it, so that all are looked at in a minute",
    restart: true,
  },
  standstill: {
    flag: "standstill",
    unit: "time",
    fallback: 3 * SECOND,
    least: SECOND,
    most: MINUTE,
    summary:
      "with --peer or --order: a daemon that did nothing for longer (stopped, suspended, a long collection) answers as one that is catching up until it has compared itself with most of its peers, or has applied what is in the stream",
    reason: "ten times a long collection; a silent member is reported after it and one more status, 2 s",
    restart: true,
  },
  snapshotEntries: {
    flag: "snapshot-entries",
    unit: "count",
    fallback: 200_000,
    least: 1000,
    most: 1e9,
    summary:
      "with --data, --peer or --order: commands after which a snapshot is made; a twentieth of it if space is short",
    reason: "a start folds that many in a second or two, and a snapshot takes as much room as the state",
    restart: true,
  },
} as const satisfies Record<string, LimitRow>;
