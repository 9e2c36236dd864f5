/**
 * `node smoke.js [OPTION…]`: starts a daemon with a listener of each face that this build contains, and sends it
 * commands. Does the same with the program dbsync, if the build contains it. Then checks that the given options, of
 * faces that the build does not contain, are unknown.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { dbsyncSend } from "../../client/dbsync-send.js";
import { startDaemon } from "../../daemon/program/testing.js";
import { LISTENER_NAMES } from "../support/installed-options.js";
import { buildRoot } from "../support/repository.js";

await using daemon = await startDaemon({ args: LISTENER_NAMES.flatMap((name) => [`--${name}`, "0"]) });
assert.equal(await dbsyncSend("SET greeting hello", daemon.options), "OK");
assert.equal(await dbsyncSend("GET greeting", daemon.options), "hello");

const dbsync = join(buildRoot, "bundles/dbsync.js");
if (existsSync(dbsync)) {
  const run = (...args: string[]) => promisify(execFile)(process.execPath, [dbsync, ...args]);
  await using unsigned = await startDaemon({ key: false });
  const { stdout } = await run("send", "-s", unsigned.servers, "SET", "greeting", "hello");
  assert.equal(stdout, "OK\n");
  // The help loads all subcommands.
  await run("--help");
}

for (const option of process.argv.slice(2))
  await assert.rejects(startDaemon({ args: [`--${option}`] }), /unknown option/, option);
