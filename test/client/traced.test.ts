/**
 * Tests that errors have the caller's stack with `debug` or DBSYNC_DEBUG=1, and that calls capture no stack without
 * them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Client, createClient, DbsyncError } from "../../client/public-api.js";
import { refusingAddress } from "../support/free-port.js";
import { ENTRY, runScript } from "./child.js";

async function whereTheyCall(client: Client): Promise<DbsyncError[]> {
  const calls = [() => client.send("GET k"), () => client.call("GET k"), () => client.sendAll([] as never)];
  const errors: DbsyncError[] = [];
  for (const call of calls)
    await call().then(
      () => assert.fail("no daemon is running"),
      (error: DbsyncError) => errors.push(error),
    );
  return errors;
}

test("an error of a client with debug shows where the call was made, and keeps its message", async () => {
  await using client = createClient({ servers: await refusingAddress(), key: false, debug: true });
  for (const error of await whereTheyCall(client)) {
    assert.ok(error instanceof DbsyncError);
    const stack = error.stack ?? "";
    assert.ok(stack.startsWith(`DbsyncError: ${error.message}\n    at `), stack);
    assert.match(stack, /at .*(whereTheyCall|calls).*traced\.test/);
  }
});

test("an error of a client without debug shows the library's stack", async () => {
  await using client = createClient({ servers: await refusingAddress(), key: false });
  const [error] = await whereTheyCall(client);
  assert.doesNotMatch(error?.stack ?? "", /whereTheyCall/);
});

test("DBSYNC_DEBUG=1 enables debug, and debug: false disables it", async () => {
  const servers = await refusingAddress();
  const text = `
    import { dbsyncSend } from ${ENTRY};
    async function here(options) {
      await dbsyncSend(["SET", "a", 1], options).catch((error) => console.log(/\\bhere\\b/.test(error.stack)));
    }
    await here({ servers: "${servers}", key: false });
    await here({ servers: "${servers}", key: false, debug: false });`;
  const { stdout } = await runScript(text, { variables: { DBSYNC_DEBUG: "1" } });
  assert.equal(stdout, "true\nfalse\n");
});
