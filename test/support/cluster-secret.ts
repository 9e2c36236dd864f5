/** A cluster's secret for the daemons of a test's process, removed when it ends. */
import { join } from "node:path";
import { writeClusterSecret } from "../../keys/cluster-secret.js";
import { scratchFolder } from "./scratch-folder.js";

export const secretFile: string = join(scratchFolder("secret"), "cluster.secret");
writeClusterSecret(secretFile);

/** The arguments of each daemon that has peers. */
export const knowsSecret: readonly string[] = ["--cluster-secret", secretFile];
