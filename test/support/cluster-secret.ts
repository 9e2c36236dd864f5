/** A cluster's secret for the daemons of a test's process, gone when it ends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeClusterSecret } from "../../keys/cluster-secret.js";

const folder = mkdtempSync(join(tmpdir(), "dbsync-secret-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

export const secretFile: string = join(folder, "cluster.secret");
writeClusterSecret(secretFile);

/** What each daemon that has peers is started with. */
export const knowsSecret: readonly string[] = ["--cluster-secret", secretFile];
