/** Tries the programs that a package has installed. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startDaemon } from "../support/daemon-process.js";
import { succeed } from "./commands.js";
import type { ReachableDaemon } from "./release-package.js";

/** Sends the command with the program dbsync of a folder. @returns the printed reply */
export async function sendBy(bin: string, { servers, key }: ReachableDaemon): Promise<string> {
  const args = ["send", "-s", servers, "-k", key, "INCR", "visits"];
  return (await succeed(join(bin, "dbsync"), args, { cwd: bin })).trim();
}

/** Makes keys with the installed programs, starts the installed daemon, and sends it the command. */
export async function startAndSend(bin: string, folder: string): Promise<string> {
  const keys = join(folder, "keys");
  mkdirSync(keys);
  await succeed(join(bin, "dbsync-keygen"), ["--out", keys], { cwd: folder });
  const args = ["-s", join(keys, "public.pem"), "--data", join(folder, "data")];
  await using daemon = await startDaemon(args, { program: join(bin, "dbsyncd") });
  const servers = `${daemon.address}:${daemon.port}`;
  await succeed(join(bin, "dbsync"), ["status", "-s", servers, "--wait"], { cwd: folder });
  return await sendBy(bin, { servers, key: join(keys, "private.pem") });
}
