/** Checks combinations of options that concern listeners or the timeline (--data, --peer). */
import type { ListenAddress } from "../net/process/host-and-port.js";
import { fail, StartError } from "../net/process/service.js";
import { isRedis } from "./database-list.js";
import { flagsOf } from "./option-row.js";
import { formatPeer } from "./peer-address.js";
import { hasTimeline, type Settings } from "./settings.js";

/** Whether there is a listener for users. */
export function hasUserListener(settings: Settings): boolean {
  return settings.table.userListeners.some((name) => settings[name] !== null);
}

/** Returns the flags of all listeners for users, such as `--resp, --json and --sql`. */
export function allUserListeners({ table }: Settings, conjunction: "and" | "or"): string {
  return flagsOf(table.userListeners, conjunction);
}

/** Checks that the listeners for users have a database. @throws StartError  the message says what to do */
export function validateUserListeners(settings: Settings): void {
  const { database, table } = settings;
  const requested = table.userListeners.filter((name) => settings[name] !== null).map((name) => `--${name}`);
  if (requested.length === 0) return;
  if (!hasTimeline(settings) && (database.length > 1 || database.some(({ kind }) => isRedis(kind))))
    fail(
      `${requested.join(" and ")} serves the database in this daemon's memory; connect Redis clients directly to the Redis server ` +
        `of -d redis. Leave out ${requested.join(" and ")} or -d.`,
    );
}

/** Checks that listeners have different addresses. @throws StartError */
export function refuseSamePlaces(settings: Settings): void {
  const { bind, port, table } = settings;
  const values: Readonly<Record<string, unknown>> = { ...settings };
  const addresses: readonly (readonly [flag: string, address: ListenAddress | null])[] = [
    ["-p", { address: bind, port }],
    ...table.listeners.map((name) => [`--${name}`, values[name] as ListenAddress | null] as const),
  ];

  for (const [at, [flag, address]] of addresses.entries()) {
    const other = addresses
      .slice(0, at)
      .find(([, one]) => one?.port === address?.port && one?.address === address?.address);
    if (address === null || address.port === 0 || other === undefined) continue;
    fail(
      `${flag} and ${other[0]} both use port ${address.port} of ${address.address}: set a different port for each.`,
    );
  }
}

/** Thrown for a timeline without a source of writes: no key, and no listener whose writes the daemon signs. */
export class NoWriters extends StartError {}

/**
 * Checks the options of the timeline.
 * @param canWrite  whether any client can write: there are keys, or listeners whose writes the daemon signs
 * @param chosesV1  whether --v1 was set
 * @throws StartError  the message says what to do
 */
export function validateTimeline(settings: Settings, canWrite: boolean, chosesV1: boolean): void {
  const { data, fsync, peers, v1, require } = settings;
  if (require === "v2" && chosesV1 && v1 !== "off")
    fail(`--require v2 and --v1 ${v1} cannot be used together.`);

  if (data === null && fsync !== "always") fail("--fsync needs a data folder: add --data DIR.");
  if (data === null && settings.retain !== Number.POSITIVE_INFINITY)
    fail("--retain needs a data folder: add --data DIR. In memory the limit is --max-timeline-bytes.");

  if (settings.clusterSecret !== null && peers.length === 0)
    fail("--cluster-secret is for daemons with peers: add --peer host:port, or leave it out.");
  if (settings.adopt !== null && peers.length === 0)
    fail("--adopt names a member, but no peers are set: add --peer, or leave it out.");

  if (!hasTimeline(settings)) {
    if (v1 === "gateway")
      fail("--v1 gateway records commands, which needs --data, --peer or --order. Without them use local.");
    return;
  }

  const flag = settings.order !== null ? "--order" : data === null ? "--peer" : "--data";
  if (!canWrite)
    throw new NoWriters(
      `${flag} stores signed commands, and no key is set: add -s public.pem, or ${allUserListeners(settings, "or")}, for whose ` +
        "clients the daemon signs.",
      2,
    );

  validateMirror(settings, flag);
  if (v1 === "local")
    fail(
      `--v1 local would apply commands here without recording them, so this daemon ${
        data === null ? "and its peers would differ permanently" : "would lose them when it stops"
      }. Use --v1 gateway, or off.`,
    );
  if (fsync === "never" && peers.length > 0)
    fail(
      "--fsync never with --peer: peers would receive writes that this daemon could lose in a crash. Use always, or interval=100.",
    );
  refuseUnprovedPeers(settings);

  const { past, future } = settings.window;
  if (settings.limits.tailSeconds < past + future)
    fail(
      "--tail-seconds is shorter than --window, so valid commands would be refused. Raise --tail-seconds.",
    );
}

/**
 * Checks that a daemon with a timeline has at most one Redis, its mirror.
 * @throws StartError  the message says what to do
 */
function validateMirror({ compat, database, order }: Settings, flag: string): void {
  if (compat !== null)
    fail(
      `${flag} stores the data in the daemon and cannot use a Redis server as its database: leave out --compat ${compat}, or ${flag}.`,
    );

  const [redis, ...others] = database.filter(({ kind }) => kind !== "memory");
  if (redis === undefined) return;
  if (redis.kind !== "redis" || order !== null)
    fail(
      `${flag} stores the data in the daemon and cannot use ${redis.name} as its database: leave out -d, or ${flag}.`,
    );
  if (others.length > 0)
    fail(
      `With ${flag} only one Redis can mirror the data: leave out ${others.map(({ name }) => name).join(", ")}.`,
    );
  if (redis.db !== 0)
    fail(
      `-d ${redis.name}: with ${flag} each database is mirrored to the database of the same number: leave out /${redis.db}.`,
    );
}

/** Refuses a peer that could not prove its identity. @throws StartError  the message names the three remedies */
function refuseUnprovedPeers({ peers, clusterSecret, rootKey }: Settings): void {
  const unknown = peers.find(({ pin }) => pin === null);
  if (unknown === undefined || clusterSecret !== null || rootKey.length > 0) return;
  fail(
    `--peer ${formatPeer(unknown)}: nothing proves that daemon's identity. Start all daemons of the cluster with the ` +
      "same --cluster-secret FILE (dbsync-keygen --cluster-secret FILE makes it), or pin that daemon's key (--peer " +
      "host:port#ed25519:…, which is in its log), or let an administrator add its key (--root-key, then CLUSTER ADD).",
  );
}
