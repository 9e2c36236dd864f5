/** Sends the commands by which an administrator prepares daemons for clients that do not sign. */
import type { KeyObject } from "node:crypto";
import { createClient } from "../../client/public-api.js";
import type { DaemonProcess } from "./daemon-process.js";

async function send(daemon: DaemonProcess, root: KeyObject, ...commands: readonly string[]): Promise<void> {
  await using client = createClient({ servers: [`127.0.0.1:${daemon.port}`], key: root });
  for (const command of commands) await client.call(command);
}

/** Authorizes a daemon's signing key with the command that the daemon prints in its log. */
export async function letIn(daemon: DaemonProcess, root: KeyObject): Promise<void> {
  const line = await daemon.logged(({ msg }) =>
    String(msg).includes("until an administrator signs this command"),
  );
  await send(daemon, root, String(line["command"]));
}
