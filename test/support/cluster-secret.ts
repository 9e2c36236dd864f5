/**
 * The cluster secret of all daemons that one test process starts, and the options of peers. The file is removed when
 * the process ends.
 */
import { join } from "node:path";
import { writeClusterSecret } from "../../keys/cluster-secret-file.js";
import { scratchFolder } from "./scratch-folder.js";

export const secretFile: string = join(scratchFolder("secret"), "cluster.secret");
writeClusterSecret(secretFile);

/** The arguments that every daemon with peers needs. */
export const knowsSecret: readonly string[] = ["--cluster-secret", secretFile];

/**
 * Returns the port and the peers of one of several daemons that are peers of each other.
 * @param ports  of all daemons
 */
export function peerArgs(ports: readonly number[], index: number): string[] {
  const peers = ports
    .filter((_, other) => other !== index)
    .flatMap((port) => ["--peer", `127.0.0.1:${port}`]);
  return ["-p", String(ports[index]), ...peers, ...knowsSecret];
}
