/** The options of daemons with a timeline (--data, --peer), and of their cluster. */
import { hexOf } from "../../protocol/version-2/envelope.js";
import { row } from "./option-row.js";
import { formatPeer, type PeerAddress, parseMemberId, parsePeer } from "./peer-address.js";
import {
  DATE_WINDOW_DEFAULT,
  type Fsync,
  formatDateWindow,
  formatFsync,
  parseDateWindow,
  parseFsync,
} from "./timeline-values.js";
import {
  choice,
  formatRetention,
  HOUR,
  KIB,
  type LimitRow,
  list,
  MIB,
  MINUTE,
  parseRetention,
  path,
  paths,
  plain,
  SECOND,
  text,
} from "./value-forms.js";

const PEERS_MAX = 64;
const CLUSTER_NAME_CHARS = 128;

/**
 * What happens to writes of version 1. `off`: version 1 is refused; `local`: the daemon only applies them; `gateway`:
 * the daemon signs them with its own key, records them and sends them to its peers.
 */
const VERSION_1 = ["off", "local", "gateway"] as const;
export type Version1 = (typeof VERSION_1)[number];

export const TIMELINE = {
  /** The data folder, or null to lose all data when the process ends. */
  data: row({
    flags: "--data <folder>",
    help: "store all data in this folder, so that it survives a restart",
    form: path,
    fallback: null,
    reload: "restart",
    example: "data",
    needs: ["signKey"],
  }),
  fsync: row({
    flags: "--fsync <when>",
    help: "when writes are synced to the disk; always: before each answer; interval=MS: at this interval; never: when the system does it",
    form: text<Fsync>(parseFsync, formatFsync),
    fallback: "always",
    reload: "restart",
    example: "never",
    needs: ["data"],
  }),
  /** The other daemons of the cluster to which the daemon connects. */
  peers: row({
    flags: "--peer <host:port>",
    help: "another daemon of the cluster (repeatable); #ed25519:… pins its key",
    form: list<PeerAddress>({ parse: parsePeer, format: formatPeer, check: checkPeers }),
    fallback: [],
    reload: "timeline",
    example: "db2:1111",
    needs: ["rootKey"],
  }),
  /** The file of the secret that all daemons of the cluster share, or null if there is none. */
  clusterSecret: row({
    flags: "--cluster-secret <file>",
    help: "secret by which the daemons of a cluster authenticate each other: the same file on each (dbsync-keygen makes it)",
    form: path,
    fallback: null,
    reload: "timeline",
    example: "cluster.secret",
    needs: ["peers"],
  }),
  /** Id (32 bytes) of the member whose snapshot an operator has chosen to replace the daemon's data, or null. */
  adopt: row({
    flags: "--adopt <id>",
    help:
      "replace this daemon's data by the snapshot of this member, without further checks; the old data is moved to replaced/ in the data folder. " +
      "Use this only if dbsync status says so, and remove the option afterwards",
    form: text(parseMemberId, hexOf),
    fallback: null,
    reload: "timeline",
    example: "ab".repeat(32),
    needs: ["peers"],
  }),
  /** Minimum time that recorded commands are kept, in milliseconds, or Infinity to keep them forever. */
  retain: row({
    flags: "--retain <days>",
    help: "how long recorded commands stay in the folder: a number of days, a time such as 12h, or forever",
    form: text(parseRetention, formatRetention),
    fallback: Number.POSITIVE_INFINITY,
    reload: "restart",
    example: "7",
    needs: ["data"],
  }),
  /** The treatment of version 1, or null if it depends on other options. */
  v1: row({
    flags: "--v1 <how>",
    help:
      "commands of version 1; off: refuse them; local: apply them without recording them; gateway: sign and record their writes (default: local; gateway " +
      "with --data; off with --peer or --order)",
    form: choice(VERSION_1),
    fallback: null,
    reload: "restart",
    example: "off",
  }),
} as const;

export const CLUSTER = {
  /** Public keys of administrators. */
  rootKey: row({
    flags: "--root-key <file>",
    help: "public key of an administrator (repeatable), or folder of *.pem",
    form: paths,
    fallback: [],
    reload: "immediately",
    example: "roots",
  }),
  clusterName: row({
    flags: "--cluster-name <text>",
    help: "name of the cluster; daemons with the same name and keys form one",
    form: plain(parseClusterName),
    fallback: "dbsync",
    reload: "restart",
    example: "other",
  }),
  /** The dates of envelopes that are accepted, in milliseconds around the daemon's clock. */
  window: row({
    flags: "--window <past,future>",
    help: "how far the date of a signed command may be before and after this daemon's clock",
    form: text(parseDateWindow, formatDateWindow),
    fallback: DATE_WINDOW_DEFAULT,
    reload: "restart",
    example: "10s,2s",
  }),
  /** The oldest version that is accepted. */
  require: row({
    flags: "--require <version>",
    help: "oldest version of the protocol that is accepted; v2 refuses version 1, whose commands can be replayed",
    form: choice(["v1", "v2"]),
    fallback: "v1",
    reload: "restart",
    example: "v2",
    needs: ["signKey"],
  }),
} as const;

function checkPeers(peers: readonly PeerAddress[]): void {
  if (peers.length > PEERS_MAX) throw new RangeError(`Expected at most ${PEERS_MAX} peers.`);
  const addresses = peers.map(({ host, port }) => `${host} ${port}`);
  if (new Set(addresses).size < addresses.length) throw new RangeError("A peer is listed twice.");
}

function parseClusterName(value: string): string {
  if (value === "" || value.length > CLUSTER_NAME_CHARS)
    throw new RangeError(`Expected a name of 1 to ${CLUSTER_NAME_CHARS} characters.`);
  return value;
}

/** Limits of the timeline. */
export const TIMELINE_LIMITS = {
  tailSeconds: {
    flag: "tail-seconds",
    unit: "time",
    fallback: 2 * MINUTE,
    min: SECOND,
    max: HOUR,
    summary:
      "with --data or --peer: how late a command from another daemon may arrive before the daemon must load a snapshot and apply all later commands again",
    reason:
      "longer than the window and a few seconds of lost connections; each envelope that is received during this time takes at least 1.2 KB of memory",
    restart: true,
  },
  minDiskFree: {
    flag: "min-disk-free",
    unit: "bytes",
    fallback: 1024 * MIB,
    min: 0,
    max: 1024 * 1024 * KIB * MIB,
    summary:
      "with --data: free bytes on the disk of the data folder below which the daemon reports the disk as nearly full; 0: never",
    reason: "a new snapshot needs space in addition to the previous one, and a full disk ends all writes",
    restart: true,
  },
  maxTailBytes: {
    flag: "max-tail-bytes",
    unit: "bytes",
    fallback: 256 * MIB,
    min: MIB,
    max: 1024 * KIB * MIB,
    summary:
      "memory for the tail (--tail-seconds); above the limit, the tail becomes shorter, and older commands of clients are refused",
    reason: "20,000 commands a second for two minutes need about 1 GiB; most daemons need far less",
    restart: true,
  },
  maxTimelineBytes: {
    flag: "max-timeline-bytes",
    unit: "bytes",
    fallback: 256 * MIB,
    min: MIB,
    max: 1024 * KIB * MIB,
    summary:
      "with --peer and without --data: bytes of commands stored in memory for daemons that were disconnected; about the latest 20,000 are always stored",
    reason:
      "above the limit the oldest commands are deleted; a daemon that was disconnected for longer needs another peer, or --data",
    restart: true,
  },
  maxDeadLetterBytes: {
    flag: "max-dead-letter-bytes",
    unit: "bytes",
    fallback: 64 * MIB,
    min: 0,
    max: 1024 * KIB * MIB,
    summary:
      "with --data and --peer: bytes of dead letters in the data folder; further ones are reported but not stored, and so are writes without an effect (void) from half of it on",
    reason: "200,000 short commands; if a disconnected daemon had more, they are in replaced/",
    restart: true,
  },
  comparePercent: {
    flag: "compare-percent",
    ...({ unit: "count", fallback: 5, min: 0, max: 50 } as const),
    summary:
      "with --peer: percentage of its time that a daemon spends on comparing its state with other members; 0: none",
    reason: "comparing a million keys takes about two seconds, so all of them are compared within a minute",
    restart: true,
  },
  standstill: {
    flag: "standstill",
    unit: "time",
    fallback: 3 * SECOND,
    min: SECOND,
    max: MINUTE,
    summary:
      "with --peer or --order: after a pause longer than this (stopped, suspended, a long garbage collection), a daemon counts as catching up until it has compared its entries with most of its peers, or has applied all messages of the stream; 2 s more without a message from most members, and nothing waits for their decisions any longer",
    reason:
      "ten times a long garbage collection; a silent member is reported 2 s (one status) after this time",
    restart: true,
  },
  snapshotEntries: {
    flag: "snapshot-entries",
    unit: "count",
    fallback: 200_000,
    min: 1000,
    max: 1e9,
    summary:
      "with --data, --peer or --order: number of envelopes (each with one or more commands) after which a snapshot is made; a twentieth of it if space is short",
    reason:
      "a start folds this number of envelopes of one command in one or two seconds; a snapshot needs as much space as the state",
    restart: true,
  },
} as const satisfies Record<string, LimitRow>;
