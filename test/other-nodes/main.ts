/**
 * `npm run other-nodes`: runs some test files with each other version of Node, those that depend on what differs
 * between versions: keys and certificates, the disk, TLS, programs and threads, `require` of the library, an
 * engine in WebAssembly.
 */
import { spawnSync } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { buildRoot } from "../support/repository.js";
import { otherNodes } from "./nodes.js";

/** Words in paths of test files. */
const FILES = [
  "client-package",
  "client/processes",
  "client/shared/tls",
  "daemon/admin/server",
  "daemon/signals",
  "keys/certificate",
  "keys/key-file",
  "protocol/frame",
  "timeline/disk/disk-storage",
];

let failed = 0;
for (const { name, path } of otherNodes()) {
  if (path === null) {
    console.log(`${name} is not on this machine, and npm gives none: not tried.`);
    continue;
  }
  console.log(`${name}: ${path}`);
  // Programs that are started by name run with this version too.
  const env = { ...process.env, PATH: `${dirname(path)}${delimiter}${process.env["PATH"]}` };
  const args = [join(buildRoot, "test/run.js"), ...FILES];
  if (spawnSync(path, args, { stdio: "inherit", env }).status !== 0) failed++;
}
process.exitCode = failed === 0 ? 0 : 1;
