/**
 * Tests that no client reads or writes documents through any listener before the documents of --json-replica are
 * fetched.
 */
import "../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../../../daemon/engine/backends/memory-backend.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { OK, type Reply, status } from "../../../protocol/reply.js";
import { startReplica } from "../../../test/daemon/program/replicas.js";
import { freePort } from "../../../test/support/free-port.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { until } from "../../../test/support/until.js";
import { Original } from "./original.js";

const LOADING = /^LOADING This daemon has not fetched yet the documents of /;

test("a Redis client receives LOADING for document commands, but not for other commands, until the documents are fetched", async () => {
  const port = await freePort();
  const args = ["--json", "0", "--json-replica", `127.0.0.1:${port}`, "--resp", "0"];
  await using ours = await startReplica({ args: [...args, "--json-replica-timeout", "60"] });
  using client = await RedisConnection.open(ours.daemon.addressOf("resp")?.port ?? 0);
  const ask = (line: string) => client.call(...line.split(" "));
  const isLoading = (reply: Reply | undefined) => reply?.kind === "error" && LOADING.test(reply.text);

  for (const line of ["DOC.CREATE users", "DOC.GETALL", "DOC.COUNT users", "DOC.LIST"])
    assert.ok(isLoading(await ask(line)), line);

  assert.deepEqual(await ask("SET key value"), OK);
  assert.deepEqual(await ask("MULTI"), OK);
  assert.deepEqual(await ask("DOC.CREATE users"), status("QUEUED"));
  const executed = await ask("EXEC");
  assert.ok(executed.kind === "array" && executed.items.length === 1 && isLoading(executed.items[0]));

  await using original = await Original.start(port, []);
  original.documents.set("users", [{ n: 1 }, { n: 2 }]);
  await until("the documents are fetched", async () => {
    const count = await ask("DOC.COUNT users");
    return count.kind === "integer" && count.value === 2;
  });
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
