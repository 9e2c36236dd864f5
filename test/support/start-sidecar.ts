import { type DaemonHere, startDaemonHere } from "./daemon-here.js";

/** Starts a sidecar. @param servers  the addresses of the daemons as `host:port` */
export async function startSidecar(
  key: string,
  servers: readonly string[],
  args: readonly string[],
): Promise<DaemonHere> {
  return await startDaemonHere(["-d", `dbsync:${servers.join(",")}`, "--key", key, ...args]);
}
