/**
 * Tests that no client reads or writes documents through any listener before the documents of --json-replica are
 * fetched.
 */
import "../../support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../../../daemon/engine/backends/memory-backend.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { startReplica } from "../../daemon/program/replicas.js";
import { freePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { until } from "../../support/until.js";
import { Original } from "./original.js";

const LOADING = /^-LOADING This daemon has not fetched yet the documents of /;

async function ask(client: RawClient, line: string): Promise<string> {
  client.send(`${line}\r\n`);
  return await client.readTo("\r\n");
}

test("a Redis client receives LOADING for document commands, but not for other commands, until the documents are fetched", async () => {
  const port = await freePort();
  const args = ["--json", "0", "--json-replica", `127.0.0.1:${port}`, "--resp", "0"];
  await using ours = await startReplica({ args: [...args, "--json-replica-timeout", "60"] });
  using client = await RawClient.open(ours.daemon.addressOf("resp")?.port ?? 0);
  for (const line of ["DOC.CREATE users", "DOC.GETALL", "DOC.COUNT users", "DOC.LIST"])
    assert.match(await ask(client, line), LOADING, line);
  assert.equal(await ask(client, "SET key value"), "+OK\r\n");
  assert.equal(await ask(client, "MULTI"), "+OK\r\n");
  assert.equal(await ask(client, "DOC.CREATE users"), "+QUEUED\r\n");
  assert.equal(await ask(client, "EXEC"), "*1\r\n");
  assert.match(await client.readTo("\r\n"), LOADING);
  await using original = await Original.start(port, []);
  original.documents.set("users", [{ n: 1 }, { n: 2 }]);
  await until("the documents are fetched", async () => (await ask(client, "DOC.COUNT users")) === ":2\r\n");
});

test("signed document commands also receive LOADING, and commands in the same envelope are not applied", () => {
  const backend = new MemoryBackend(realEnvironment);
  const unit = { at: 1, db: 0, id: "u".repeat(36) };
  backend.loading = () => "not yet";
  const refused = { kind: "error", text: "LOADING not yet" };
  const create = ["DOC.CREATE", "users"];
  assert.deepEqual(backend.execute(create, unit), refused);
  assert.deepEqual(backend.executeTogether([["SET", "key", "value"], create], unit), refused);
  assert.equal(backend.database.keyspaces[0]?.size, 0);
  backend.loading = () => null;
  assert.equal(backend.executeTogether([["SET", "key", "value"], create], unit).kind, "array");
});
