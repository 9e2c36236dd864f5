/**
 * `node smoke.js [OPTION…]`: starts a daemon with a listener of each face that this build contains, and sends it commands.
 * Then checks that the given options, of faces that the build does not contain, are unknown.
 */
import assert from "node:assert/strict";
import { dbsyncSend } from "../../client/dbsync-send.js";
import { LISTENER_NAMES } from "../../daemon/options/option-table.js";
import { startDaemon } from "../../daemon/program/testing.js";

await using daemon = await startDaemon({ args: LISTENER_NAMES.flatMap((name) => [`--${name}`, "0"]) });
assert.equal(await dbsyncSend("SET greeting hello", daemon.options), "OK");
assert.equal(await dbsyncSend("GET greeting", daemon.options), "hello");

for (const option of process.argv.slice(2))
  await assert.rejects(startDaemon({ args: [`--${option}`] }), /unknown option/, option);
