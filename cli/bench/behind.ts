/** Describes the databases of daemons in a few words: `dbsync bench` prints them with its figures. */
import type { CallingClient } from "../../client/client.js";
import type { Settings } from "../../client/settings/options.js";
import { DbsyncError } from "../../client/shared/errors.js";
import type { DaemonStatus } from "../status/daemon-status.js";
import { readWorkStatus } from "../status/read-status.js";

/** The answer to INFO of a daemon that has its data in its own memory, and of one in front of a cluster, where no single server could answer. */
const OWN_MEMORY = /INFO is for connections of the RESP listener/;
const NO_SERVER = /names no key (?:that selects|by which) a server of the cluster/;
const NOT_REPORTED = "not reported";

/** Returns what daemons report to administrators; for other keys, what their answers to INFO show. */
export async function behindOf(settings: Settings, client: CallingClient): Promise<string> {
  const reported = new Set((await readWorkStatus(settings)).map(reportedBy).filter((text) => text !== null));
  return reported.size > 0 ? [...reported].join("; ") : await shownBy(client);
}

function reportedBy({ figures, members }: DaemonStatus): string | null {
  if (figures === null) return null;
  const { order, backends } = figures;
  if (order !== null) return "memory, ordered by a stream";
  const names = backends.map(({ name }) => name).join(", ");
  if (members === null) return names;
  return members === 0
    ? `${names}, recorded`
    : `${names}, recorded, with ${members} other${members === 1 ? "" : "s"}`;
}

async function shownBy(client: CallingClient): Promise<string> {
  try {
    const info = String(await client.send(["INFO", "server"]));
    const [version, mode] = ["redis_version", "redis_mode"].map(
      (name) => new RegExp(`^${name}:([\\w.]+)`, "m").exec(info)?.[1],
    );
    return version === undefined
      ? NOT_REPORTED
      : `Redis ${version}${mode === "cluster" ? ", of a cluster" : ""}`;
  } catch (error) {
    if (!(error instanceof DbsyncError)) throw error;
    if (NO_SERVER.test(error.message)) return "a Redis Cluster";
    return OWN_MEMORY.test(error.message) ? "memory" : NOT_REPORTED;
  }
}
