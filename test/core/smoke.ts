/**
 * `node smoke.js [NAME…]`: starts a daemon with a listener of each face that this build contains, and sends it commands.
 * Then checks that the options of the named faces, which the build does not contain, are unknown.
 */
import assert from "node:assert/strict";
import { dbsyncSend } from "../../client/dbsync-send.js";
import { nameOf, type OptionRow } from "../../daemon/options/option-row.js";
import { OPTIONS } from "../../daemon/options/option-table.js";
import { FACE_NAMES } from "../../daemon/program/installed-faces.js";
import { startDaemon } from "../../daemon/program/testing.js";

/** The options of listeners, by the names of their faces. */
const LISTENERS: Readonly<Record<string, string>> = {
  admin: "--admin",
  json: "--json",
  memcached: "--memcached",
  mongo: "--mongo",
  redis: "--resp",
  sql: "--sql",
  web: "--ws",
};

const present = Object.keys(LISTENERS).filter((name) => FACE_NAMES.has(name));
const args = present.flatMap((name) => [LISTENERS[name] ?? "", "0"]);
await using daemon = await startDaemon({ args });
assert.equal(await dbsyncSend("SET greeting hello", daemon.options), "OK");
assert.equal(await dbsyncSend("GET greeting", daemon.options), "hello");

for (const removed of process.argv.slice(2)) {
  assert.ok(!FACE_NAMES.has(removed), `${removed} is still in the list`);
  for (const row of Object.values<OptionRow>(OPTIONS).filter(({ face }) => face === removed))
    await assert.rejects(startDaemon({ args: [`--${nameOf(row)}`] }), /unknown option/, nameOf(row));
}
