/** Checks combinations of options for a daemon that has a timeline (--data, --peer), or has none. */
import { StartError } from "../net/process/start-error.js";
import { formatDateWindow, ORDER_WINDOW } from "./date-window.js";
import { formatPeer } from "./peer-address.js";
import { hasTimeline, type Settings } from "./settings.js";
import { allUserListeners, fail } from "./user-listener-rules.js";

/** Thrown for a timeline without a source of writes: no key, and no listener whose writes the daemon signs. */
export class NoWriters extends StartError {}

/**
 * @param canWrite  whether any user can: there are keys, or listeners whose writes the daemon signs @param chosesV1  whether --v1 was set
 *   @throws StartError  with the remedies
 */
export function validateTimeline(settings: Settings, canWrite: boolean, chosesV1: boolean): void {
  const { data, fsync, peers, v1, require } = settings;
  if (require === "v2" && chosesV1 && v1 !== "off")
    fail(`--require v2 and --v1 ${v1} exclude each other: leave one out.`);
  if (data === null && fsync !== "always") fail("--fsync is about the data folder: give --data DIR too.");
  if (data === null && settings.retain !== Number.POSITIVE_INFINITY)
    fail(
      "--retain is about the data folder: give --data DIR too. In memory --max-timeline-bytes is the bound.",
    );
  if (settings.clusterSecret !== null && peers.length === 0)
    fail("--cluster-secret is for daemons that have peers: give --peer host:port too, or leave it out.");
  if (settings.adopt !== null && peers.length === 0)
    fail("--adopt names a member, and there is none: give --peer too, or leave it out.");
  validateOrder(settings);
  if (!hasTimeline(settings)) {
    if (v1 === "gateway")
      fail(
        "--v1 gateway records commands, and needs --data, --peer or --order for that. Without them use local.",
      );
    return;
  }
  const flag = settings.order !== null ? "--order" : data === null ? "--peer" : "--data";
  if (!canWrite)
    throw new NoWriters(
      `${flag} keeps signed commands, and there is no key: give -s public.pem, or ${allUserListeners("or")}, for whose ` +
        "clients the daemon signs itself.",
      2,
    );
  validateMirror(settings, flag);
  if (v1 === "local")
    fail(
      `--v1 local would apply commands here without recording them, so this daemon ${
        data === null ? "and its peers would differ for ever" : "would lose them when it stops"
      }. Use --v1 gateway, or off.`,
    );
  if (fsync === "never" && peers.length > 0)
    fail(
      "--fsync never with --peer: a peer would receive what a crash takes back. Use always, or interval=100.",
    );
  refuseStrangers(settings);
  const { past, future } = settings.window;
  if (settings.limits.tailSeconds < past + future)
    fail("--tail-seconds is shorter than --window, so commands that are in time would be refused. Raise it.");
}

/** @throws StartError  for what the stream has its own of */
function validateOrder({ order, orderCredentials, peers, fsync, retain, window }: Settings): void {
  if (order === null) {
    if (orderCredentials !== null)
      fail("--order-credentials is about --order: give that too, or leave it out.");
    return;
  }
  if (peers.length > 0)
    fail(
      "--order and --peer exclude each other: either the stream orders the writes and hands them to all daemons, or the " +
        "daemons do so by dates. Leave one out.",
    );
  if (fsync !== "always" || retain !== Number.POSITIVE_INFINITY)
    fail(
      "--fsync and --retain are about a timeline in the data folder; with --order the stream keeps the writes. Leave them out.",
    );
  if (window.past > ORDER_WINDOW.past || window.future > ORDER_WINDOW.future)
    fail(
      `--window with --order is ${formatDateWindow(ORDER_WINDOW)} at most: what is dated further from the stream's clock no daemon applies.`,
    );
}

/** Checks that there is at most one Redis with a timeline: it is the mirror. @throws StartError  with the remedies */
function validateMirror({ compat, database, order }: Settings, flag: string): void {
  if (compat !== null)
    fail(
      `${flag} keeps the data itself and cannot use a Redis server as its database: leave out --compat ${compat}, or ${flag}.`,
    );
  const [redis, ...others] = database.filter(({ kind }) => kind !== "memory");
  if (redis === undefined) return;
  if (redis.kind !== "redis" || order !== null)
    fail(
      `${flag} keeps the data itself and cannot use ${redis.name} as its database: leave out -d, or ${flag}.`,
    );
  if (others.length > 0)
    fail(`With ${flag} one Redis mirrors the data: leave out ${others.map(({ name }) => name).join(", ")}.`);
  if (redis.db !== 0)
    fail(
      `-d ${redis.name}: with ${flag} each database is mirrored under its own number: leave out /${redis.db}.`,
    );
}

/** Refuses a peer that has no means to prove its identity. @throws StartError  with the three remedies */
function refuseStrangers({ peers, clusterSecret, rootKey }: Settings): void {
  const unknown = peers.find(({ pin }) => pin === null);
  if (unknown === undefined || clusterSecret !== null || rootKey.length > 0) return;
  fail(
    `--peer ${formatPeer(unknown)}: nothing proves that daemon's identity. Start all daemons of the cluster with the ` +
      "same --cluster-secret FILE (dbsync-keygen --cluster-secret FILE makes it), or pin that daemon's key (--peer " +
      "host:port#ed25519:…, which is in its log), or let an administrator add its key (--root-key, then CLUSTER ADD).",
  );
}
