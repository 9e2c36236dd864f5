/** Describes the backends of daemons in a few words; `dbsync bench` prints this description with its figures. */
import type { CallingClient } from "../../../client/client.js";
import type { Settings } from "../../../client/settings/client-settings.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import type { DaemonStatus } from "../status/daemon-status.js";
import { readWorkStatus } from "../status/read-status.js";

/**
 * Error replies to INFO from a daemon that has its data in memory, and from a daemon whose backend is a Redis Cluster:
 * no single server can answer for the cluster.
 */
const OWN_MEMORY = /INFO is for connections of the RESP listener/;
const NO_SERVER = /names no key (?:that selects|by which) a server of the cluster/;
const NOT_REPORTED = "not reported";

/**
 * Describes the backends of the daemons. With an administrator's key, the description comes from the daemons' status;
 * with any other key, from INFO.
 */
export async function describeBackends(settings: Settings, client: CallingClient): Promise<string> {
  const reported = new Set((await readWorkStatus(settings)).map(backendsOf).filter((text) => text !== null));
  return reported.size > 0 ? [...reported].join("; ") : await backendFromInfo(client);
}

function backendsOf({ figures, members }: DaemonStatus): string | null {
  if (figures === null) return null;
  const { order, backends } = figures;
  if (order !== null) return "memory, ordered by a stream";
  const names = backends.map(({ name }) => name).join(", ");
  if (members === null) return names;
  return members === 0
    ? `${names}, recorded`
    : `${names}, recorded, with ${members} other${members === 1 ? "" : "s"}`;
}

async function backendFromInfo(client: CallingClient): Promise<string> {
  try {
    const info = String(await client.send(["INFO", "server"]));
    const [version, mode] = ["redis_version", "redis_mode"].map(
      (name) => new RegExp(`^${name}:([\\w.]+)`, "m").exec(info)?.[1],
    );
    return version === undefined
      ? NOT_REPORTED
      : `Redis ${version}${mode === "cluster" ? ", in a cluster" : ""}`;
  } catch (error) {
    if (!(error instanceof DbsyncError)) throw error;
    if (NO_SERVER.test(error.message)) return "a Redis Cluster";
    return OWN_MEMORY.test(error.message) ? "memory" : NOT_REPORTED;
  }
}
