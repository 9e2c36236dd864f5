/**
 * Tests WAIT on the listener, compared with a redis-server without replicas, and with daemons that the test simulates.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DurableCopies } from "../../../daemon/engine/backends/durable-copies.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { bulk, integer, NIL } from "../../../protocol/reply.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { until } from "../../../test/support/until.js";
import { lines, RedisComparison } from "./redis-comparison.js";
import { startResp } from "./scene.js";

const copiesOf = (members: number) =>
  new DurableCopies({
    peers: { copies: () => assert.fail("nothing is recorded"), replicated: () => assert.fail() },
    members: () => members,
    isAlone: () => false,
    environment: realEnvironment,
  });

const conversations: readonly (readonly string[])[] = [
  ["WAIT 0 0", "WAIT 0 10", "WAIT -1 0", "WAIT 1 5", "SET k v", "WAIT 1 5", "WAIT 0 0"],
  ["WAIT", "WAIT 1", "WAIT x 0", "WAIT 1 x", "WAIT 1 -1", "WAIT 1.5 0", "WAIT 1 1.5", "WAIT 1 1 1"],
  ["WAIT 99999999999999999999 0", "WAIT 1 99999999999999999999", "MULTI", "WAIT 1 0", "GET k", "EXEC"],
  ["MULTI", "WAIT x 0", "WAIT 1 -1", "EXEC", "DEL k", "WAIT 1 5"],
];

test("WAIT without other daemons returns the same as redis-server without replicas", {
  skip: skipWithout("redis-server"),
}, async () => {
  await using comparison = await RedisComparison.start({ copies: copiesOf(0) });
  for (const conversation of conversations) await comparison.assertSame(lines(...conversation));
});

test("a waiting client is shown as waiting, other clients are served, and CLIENT UNBLOCK ends the wait", async () => {
  await using ours = await startResp({ copies: copiesOf(1) });
  using admin = await RedisConnection.open(ours.port);
  const isWaiting = async () => {
    const info = await admin.call("INFO", "clients");
    return info.kind === "bulk" && info.bytes.includes("blocked_clients:1");
  };

  using client = await RedisConnection.open(ours.port);
  const id = await client.call("CLIENT", "ID");
  assert.ok(id.kind === "integer");
  assert.deepEqual(await client.call("WAIT", "1", "0"), integer(1));

  for (const how of ["TIMEOUT", "ERROR"]) {
    await admin.call("DEL", "k");
    client.queue(["WAIT", "2", "0"]);
    client.queue(["SET", "k", "v"]);
    const answered = client.flush();
    await until("the client waits", isWaiting);
    assert.deepEqual(await admin.call("GET", "k"), NIL, "later commands wait as well");
    assert.deepEqual(await admin.call("CLIENT", "UNBLOCK", String(id.value), how), integer(1));

    const [waited] = await answered;
    if (how === "TIMEOUT") assert.deepEqual(waited, integer(1));
    else assert.ok(waited?.kind === "error" && waited.text.startsWith("UNBLOCKED "));
    assert.deepEqual(await admin.call("GET", "k"), bulk("v"));
  }
});

test("commands after a command that waits wait too", async () => {
  await using ours = await startResp();
  using admin = await RedisConnection.open(ours.port);
  using client = await RedisConnection.open(ours.port);
  client.queue(["BLPOP", "l", "0"]);
  client.queue(["SET", "k", "v"]);
  const answered = client.flush();
  await until("the client waits", async () => {
    const info = await admin.call("INFO", "clients");
    return info.kind === "bulk" && info.bytes.includes("blocked_clients:1");
  });
  assert.deepEqual(await admin.call("GET", "k"), NIL);
  await admin.call("RPUSH", "l", "a");
  assert.equal((await answered).length, 2);
  assert.deepEqual(await admin.call("GET", "k"), bulk("v"));
});
