/** Tests that no daemon applies a call that the client has reported as not applied. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { dbsyncReset, dbsyncSend } from "../../../client/dbsync-send.js";
import { client2Of, ServedDaemon } from "../served-daemon.js";
import { errorOf } from "../test-client.js";

const CLUSTER = "63".repeat(32);

/** Returns an address that refuses connections. */
async function refusing(): Promise<string> {
  await using daemon = await ServedDaemon.start();
  return daemon.address;
}

for (const position of [0, 1, 2])
  test(`a unit with a condition that only server ${position} of three receives may have been applied`, async () => {
    await using daemon = await ServedDaemon.start();
    const servers: (ServedDaemon | string)[] = [await refusing(), await refusing()];
    servers.splice(position, 0, daemon);
    await using client = client2Of(servers);
    const condition = { if: [{ key: "k", writer: null }] };
    for (let call = 0; call < 3; call++) {
      const failure = await errorOf(client.call(`SET k ${call}`, condition));
      assert.equal(failure.effect, "unknown");
      assert.equal(failure.code, "too-few-answers");
      assert.equal(daemon.envelopes.length, call + 1);
    }
  });

test("dbsyncSend does not use a client that was opened for another cluster", async () => {
  await using daemon = await ServedDaemon.start();
  const { privateKey: key } = generateKeyPairSync("ed25519");
  const options = { servers: daemon.address, key, timeout: 20_000 };
  try {
    assert.equal(await dbsyncSend("SET k 1", options), "OK");
    const failure = await errorOf(dbsyncSend("SET k 2", { ...options, cluster: "64".repeat(32) }));
    assert.equal(failure.effect, "not-applied");
    assert.equal(await dbsyncSend("SET k 3", { ...options, cluster: CLUSTER }), "OK");
    assert.deepEqual(daemon.envelopes.flat(), ["SET k 1", "SET k 3"]);
  } finally {
    dbsyncReset();
  }
});
