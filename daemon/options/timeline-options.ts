/** The options of daemons that keep a timeline (--data, --peer), and which combinations of them make sense. */
import { InvalidArgumentError, Option } from "commander";
import type { ByteString } from "../../protocol/byte-string.js";
import { StartError } from "../process/start-error.js";
import { type Fsync, formatFsync, parseFsync } from "./fsync.js";
import { explained, parsePath } from "./option-values.js";
import type { PeerAddress } from "./peer-address.js";
import { formatPeer, parseMemberId, parsePeer } from "./peer-address.js";
import { formatRetention, parseRetention } from "./retention.js";
import type { Settings, Version1 } from "./settings.js";

const GROUP = "Data and peers:";
const PEERS_MOST = 64;

/** What commander leaves. */
export interface RawTimelineOptions {
  data?: string;
  fsync: Fsync;
  retain: number;
  peer: readonly PeerAddress[];
  clusterSecret?: string;
  adopt?: ByteString;
  v1?: Version1;
}

export type TimelineSettings = Pick<
  Settings,
  "data" | "fsync" | "retain" | "peers" | "clusterSecret" | "adopt" | "v1"
>;

export function timelineOptions(): Option[] {
  return [
    new Option("--data <folder>", "keep everything there, so that it outlives the daemon")
      .argParser(parsePath)
      .env("DBSYNCD_DATA")
      .helpGroup(GROUP),
    new Option(
      "--fsync <when>",
      "always: before each answer; interval=MS: every so often; never: as it comes",
    )
      .default("always" satisfies Fsync, formatFsync("always"))
      .argParser((text: string) => explained(() => parseFsync(text)))
      .env("DBSYNCD_FSYNC")
      .helpGroup(GROUP),
    new Option(
      "--peer <host:port>",
      "another daemon of the cluster (repeatable); with #ed25519:… that one only",
    )
      .default([], "none")
      .argParser(addPeers)
      .env("DBSYNCD_PEER")
      .helpGroup(GROUP),
    new Option(
      "--cluster-secret <file>",
      "what the daemons of a cluster know each other by: the same file at each, from dbsync-keygen",
    )
      .argParser(parsePath)
      .env("DBSYNCD_CLUSTER_SECRET")
      .helpGroup(GROUP),
    new Option(
      "--adopt <id>",
      "an order, for when dbsync status names it: this member's snapshot, on its word alone, takes the place of what is here, " +
        "which is kept in replaced/ in the data folder; take it out again afterwards",
    )
      .argParser((text: string) => explained(() => parseMemberId(text)))
      .env("DBSYNCD_ADOPT")
      .helpGroup(GROUP),
    new Option("--retain <days>", "how long recorded commands are kept in the folder, or forever")
      .default(Number.POSITIVE_INFINITY, formatRetention(Number.POSITIVE_INFINITY))
      .argParser((text: string) => explained(() => parseRetention(text)))
      .env("DBSYNCD_RETAIN")
      .helpGroup(GROUP),
    new Option(
      "--v1 <how>",
      "writes of version 1: off: none of version 1; local: applied here; gateway: signed by this daemon, and " +
        "recorded (default: local; gateway with --data; off with --peer)",
    )
      .choices(["off", "local", "gateway"] satisfies Version1[])
      .env("DBSYNCD_V1")
      .helpGroup(GROUP),
  ];
}

/** With commas between, since a variable can stand there but once. */
function addPeers(text: string, before: readonly PeerAddress[] = []): readonly PeerAddress[] {
  return peersOf(text.split(","), before);
}

/** @param texts  one peer each, as in a configuration file */
export function peersOf(
  texts: readonly string[],
  before: readonly PeerAddress[] = [],
): readonly PeerAddress[] {
  const peers = [...before, ...texts.map((text) => explained(() => parsePeer(text.trim())))];
  if (peers.length > PEERS_MOST) throw new InvalidArgumentError(`Expected ${PEERS_MOST} peers at most.`);
  const places = peers.map(({ host, port }) => `${host} ${port}`);
  if (new Set(places).size < places.length) throw new InvalidArgumentError("A peer is named twice.");
  return peers;
}

export function timelineSettingsOf(raw: RawTimelineOptions): TimelineSettings {
  const { data, fsync, retain, peer, clusterSecret, adopt, v1 } = raw;
  const usual = peer.length > 0 ? "off" : data === undefined ? "local" : "gateway";
  return {
    data: data ?? null,
    fsync,
    retain,
    peers: peer,
    clusterSecret: clusterSecret ?? null,
    adopt: adopt ?? null,
    v1: v1 ?? usual,
  };
}

/** Whether the daemon keeps a timeline, in its memory at least. */
export function hasTimeline({ data, peers }: Pick<Settings, "data" | "peers">): boolean {
  return data !== null || peers.length > 0;
}

type Given = TimelineSettings &
  Pick<Settings, "database" | "compat" | "require" | "window" | "limits" | "rootKey">;

/**
 * @param canWrite  whether anybody can: there are keys, or listeners whose writes the daemon signs @param chosesV1  whether --v1 was given.
 * @throws StartError  with the cures
 */
export function validateTimeline(settings: Given, canWrite: boolean, chosesV1: boolean): void {
  const { data, fsync, peers, v1, require } = settings;
  if (require === "v2" && chosesV1 && v1 !== "off")
    fail(`--require v2 and --v1 ${v1} exclude each other: leave one out.`);
  if (data === null && fsync !== "always") fail("--fsync is about the data folder: give --data DIR too.");
  if (data === null && settings.retain !== Number.POSITIVE_INFINITY)
    fail(
      "--retain is about the data folder: give --data DIR too. In memory --max-timeline-bytes is the bound.",
    );
  if (settings.clusterSecret !== null && peers.length === 0)
    fail("--cluster-secret is for daemons that have others: give --peer host:port too, or leave it out.");
  if (settings.adopt !== null && peers.length === 0)
    fail("--adopt names a member, and there is none: give --peer too, or leave it out.");
  if (!hasTimeline(settings)) {
    if (v1 === "gateway")
      fail("--v1 gateway records commands, and needs --data or --peer for that. Without them use local.");
    return;
  }
  const flag = data === null ? "--peer" : "--data";
  if (!canWrite)
    fail(
      `${flag} keeps signed commands, and there is no key: give -s public.pem, or --json or --resp, for whose clients the daemon signs itself.`,
    );
  const redis = settings.compat === null ? "-d redis" : `--compat ${settings.compat}`;
  if (settings.database.some(({ kind }) => kind !== "memory"))
    fail(
      `${flag} keeps the data itself and cannot stand before a Redis server: leave out ${redis}, or ${flag}.`,
    );
  if (v1 === "local")
    fail(
      `--v1 local would apply commands here without recording them, so this daemon ${
        data === null ? "and its peers would differ for ever" : "would lose them when it stops"
      }. Use --v1 gateway, or off.`,
    );
  if (fsync === "never" && peers.length > 0)
    fail(
      "--fsync never with --peer: peers would be told what a crash takes back. Use always, or interval=100.",
    );
  refuseStrangers(settings);
  const { past, future } = settings.window;
  if (settings.limits.tailSeconds < past + future)
    fail("--tail-seconds is shorter than --window, so commands that are in time would be refused. Raise it.");
}

/** Of a peer that nothing could tell from anybody else. @throws StartError  with the three cures */
function refuseStrangers({ peers, clusterSecret, rootKey }: Given): void {
  const unknown = peers.find(({ pin }) => pin === null);
  if (unknown === undefined || clusterSecret !== null || rootKey.length > 0) return;
  fail(
    `--peer ${formatPeer(unknown)}: nothing tells that daemon from a stranger. Start all daemons of the cluster with the ` +
      "same --cluster-secret FILE (dbsync-keygen --cluster-secret FILE makes it), or pin that daemon's key (--peer " +
      "host:port#ed25519:…, which stands in its log), or let an administrator add its key (--root-key, then CLUSTER ADD).",
  );
}

function fail(sentence: string): never {
  throw new StartError(sentence, 2);
}
