/** What a daemon with a timeline hands on to its pipeline. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { realEnvironment } from "../../daemon/environment.js";
import { makeIdentity } from "../../daemon/identity.js";
import { loadSigners } from "../../daemon/load-signers.js";
import { openReplica } from "../../daemon/replica.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { makeFolder, settingsFrom, until } from "./replicas.js";
import { log } from "./scene.js";

test("what waits for a write of the gateway is told when that is on the disk", async () => {
  using folder = makeFolder();
  const args = ["-s", makeKeyPair().file, "--data", folder.path, "--v1", "gateway"];
  const settings = settingsFrom(args);
  const arrived: string[] = [];
  const replica = await openReplica({
    ...{ settings, identity: makeIdentity(), signers: loadSigners(settings, log), log },
    environment: realEnvironment,
    arrived: (entries) => {
      for (const { envelope } of entries) arrived.push(envelope.commands[0]?.[0] ?? "");
    },
  });
  await replica.start();
  try {
    const { gateway } = replica.timelineParts;
    const reply = await gateway?.execute(["SET", "k", "v"], { db: 0, as: null });
    assert.equal(reply?.kind, "status");
    await until("both entries are told", () => arrived.length === 2);
    assert.deepEqual(arrived, ["CLUSTER", "SET"]);
  } finally {
    await replica.stop();
  }
});
