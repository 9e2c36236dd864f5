/** Tests DEBUG: which clients may use it, and its answers compared with redis-server's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runDaemon } from "../../../test/support/daemon-process.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { lines, RedisComparison } from "./redis-comparison.js";
import { startResp } from "./scene.js";

const skip = skipWithout("redis-server");

test("DEBUG is disabled unless it was enabled at the start, for all clients or for this machine", {
  skip,
}, async () => {
  for (const value of ["no", "local", "yes"] as const) {
    await using pair = await RedisComparison.start({ enableDebugCommand: value }, [
      "--enable-debug-command",
      value,
    ]);
    const answered = await pair.assertSame(
      lines("DEBUG SLEEP 0", "debug foo", "DEBUG", "CONFIG GET enable-debug-command"),
    );
    assert.equal(/-ERR DEBUG command not allowed/.test(answered), value === "no");
  }
  const alone = await runDaemon(["--enable-debug-command", "yes", "--check-config"]);
  assert.match(alone.stderr, /--enable-debug-command is for clients of --resp/);
});

test("DEBUG PROTOCOL returns replies of each kind, even in a transaction", { skip }, async () => {
  await using comparison = await RedisComparison.start({ enableDebugCommand: "yes" }, [
    "--enable-debug-command",
    "yes",
  ]);
  const kinds = "string integer double null array set map attrib push verbatim true FALSE bignum".split(" ");
  const samples = kinds.map((kind) => `DEBUG PROTOCOL ${kind}`);
  for (const before of [[], ["HELLO 3"]]) {
    await comparison.assertSame(lines(...before, ...samples));
    await comparison.assertSame(lines(...before, "MULTI", ...samples, "EXEC"));
  }
});

test("DEBUG DIGEST is equal only for equal contents", async () => {
  await using ours = await startResp({ enableDebugCommand: "local" });
  using client = await RedisConnection.open(ours.port);
  const digest = async (...words: string[]) => JSON.stringify(await client.call("DEBUG", ...words));

  const empty = await digest("DIGEST");
  await client.call("RPUSH", "a", "1", "2");
  const one = await digest("DIGEST");
  await client.call("COPY", "a", "b");
  const two = await digest("DIGEST");
  assert.equal(await digest("DIGEST-VALUE", "a"), await digest("DIGEST-VALUE", "b"));
  await client.call("EXPIRE", "b", "1000");
  const expiring = await digest("DIGEST");
  assert.equal(new Set([empty, one, two, expiring]).size, 4);

  await client.call("DEL", "b");
  await client.call("DEBUG", "RELOAD", "NOSAVE");
  assert.equal(await digest("DIGEST"), one);
  await client.call("MOVE", "a", "1");
  assert.notEqual(await digest("DIGEST"), one);
  await client.call("FLUSHALL");
  assert.equal(await digest("DIGEST"), empty);
});
