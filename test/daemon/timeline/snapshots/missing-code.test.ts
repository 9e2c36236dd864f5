/** Tests that the state of a snapshot is incomplete if the code of a value is missing. */
import "../../../support/all-families.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { Database } from "../../../../daemon/store/database.js";
import { writeSnapshot } from "../../../../daemon/timeline/snapshots/snapshot.js";
import { bytesOf } from "../../../../protocol/byte-string.js";

const AT = 1_790_000_000_000;
const hash = (bytes: Buffer) => bytesOf(createHash("sha256").update(bytes).digest());

/** Returns what the thread has read of a snapshot of the state after some commands. */
async function read(commands: readonly (readonly string[])[]): Promise<unknown> {
  const database = new Database({ databases: 16 });
  for (const [seq, argv] of commands.entries()) {
    const reply = database.execute(argv, { at: AT, seq, db: 0, id: "i".repeat(36) });
    assert.notEqual(reply.kind, "error", JSON.stringify(reply));
  }
  const state = { database, ringEntries: [], cutAt: AT, sums: [] };
  const workerData = Buffer.concat([...writeSnapshot(state, hash)]);
  const worker = new Worker(new URL("./reads-without-code.js", import.meta.url), { workerData });
  const [message] = await once(worker, "message");
  await worker.terminate();
  return message;
}

const ADD = ["XADD", "s", "1-1", "f", "v"];
const INSERT = ["MDB.INSERT", "d", "c", "1", '{"_id":1}'];

test("a state is complete if no code of its values is missing", async () => {
  assert.deepEqual(await read([["SET", "a", "1"], ADD]), { keys: 2, missingCode: null });
});

test("a state whose code is missing is incomplete, and the reason names the face", async () => {
  const { missingCode } = (await read([ADD, INSERT])) as { missingCode: string };
  assert.match(missingCode, /^this build does not contain the code of .*\(mongo\/collections\)$/);
});
