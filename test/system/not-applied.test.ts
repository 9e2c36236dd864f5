/**
 * Attack: a write with an earlier date makes a failed command succeed. Therefore no client may report such a command
 * as never applied.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, DbsyncError } from "../../client/public-api.js";
import { until } from "../support/until.js";
import { Victims } from "./attacker/victims.js";

test("a client does not report a command as not applied if an earlier write can make it succeed", {
  timeout: 300_000,
}, async () => {
  await using victims = await Victims.start(1);
  await victims.allLive();
  using attacker = await victims.client();
  const key = victims.application.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const client = createClient({
    servers: victims.servers,
    key,
    cluster: victims.cluster.toString("hex"),
  });
  try {
    const at = Date.now() - 2000;
    const put = await attacker.ask([["SET", "k", "a string"]], { at });
    assert.equal(put.refused, null);

    const outcome = await client.call(["LPUSH", "k", "element"]).then(
      () => assert.fail("the list command succeeded on a string"),
      (reason: unknown) => reason,
    );
    assert.ok(outcome instanceof DbsyncError);
    const [all] = (await client.sendAll(["LPUSH", "k", "another"])).outcomes;

    // The date of the DEL is after the SET and before the list commands.
    const removed = await attacker.ask([["DEL", "k"]], { at: at + 500 });
    assert.equal(removed.refused, null);
    await until("the list has both elements", async () => (await attacker.text("LLEN", "k")) === "2");
    assert.notEqual(outcome.effect, "not-applied");
    assert.notEqual(all?.status === "failed" ? all.effect : "ok", "not-applied");
  } finally {
    await client.close();
  }
});
