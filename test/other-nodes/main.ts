/**
 * `npm run other-nodes`: runs some test files with each of the other supported versions of Node. These files test
 * features that differ between versions: keys and certificates, the disk, TLS, programs and threads, `require` of the
 * library, flags of V8, compiled code, and an engine in WebAssembly.
 */
import { spawnSync } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { buildRoot } from "../support/repository.js";
import { otherNodes } from "./nodes.js";

/** The words that select the test files by their paths. */
const FILES = [
  "client-package",
  "client/processes",
  "client/shared/tls-connection",
  "tools/admin/server",
  "daemon/program/signals",
  "daemon/net/process/compile-cache",
  "daemon/net/process/early-optimization",
  "keys/certificate",
  "keys/key-file",
  "protocol/frame",
  "daemon/timeline/disk/disk-storage",
];

let failed = 0;
for (const { name, path } of otherNodes()) {
  if (path === null) {
    console.log(`${name} is not installed, and npm could not download it: skipped.`);
    continue;
  }
  console.log(`${name}: ${path}`);
  // Programs that are started by name also run with this version.
  const env = { ...process.env, PATH: `${dirname(path)}${delimiter}${process.env["PATH"]}` };
  const args = [join(buildRoot, "test/run.js"), ...FILES];
  if (spawnSync(path, args, { stdio: "inherit", env }).status !== 0) failed++;
}
process.exitCode = failed === 0 ? 0 : 1;
