import { type DaemonProcess, startDaemon } from "./daemon-process.js";

/** Starts a sidecar. @param servers  the addresses of the daemons as `host:port` */
export async function startSidecar(
  key: string,
  servers: readonly string[],
  args: readonly string[],
): Promise<DaemonProcess> {
  return await startDaemon(["-d", `dbsync:${servers.join(",")}`, "--key", key, ...args]);
}
