/** The cluster secret of all daemons that one test process starts. The file is removed when the process ends. */
import { join } from "node:path";
import { writeClusterSecret } from "../../keys/cluster-secret-file.js";
import { scratchFolder } from "./scratch-folder.js";

export const secretFile: string = join(scratchFolder("secret"), "cluster.secret");
writeClusterSecret(secretFile);

/** The arguments that every daemon with peers needs. */
export const knowsSecret: readonly string[] = ["--cluster-secret", secretFile];
