/** Tests permissions of JSON clients: users of --acl-file, and all clients while memory is full. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemoryLimit } from "../../../daemon/engine/memory/memory-limit.js";
import { double } from "../../../test/support/double.js";
import { answer, ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { startJson } from "./scene.js";

const users = ["user default off", "user alice on >pw ~* +@all", "user bob on >b ~pub* +@read +doc.create"];
const SUCCESS = '{"status":"success"}';
const DENIED = /no permissions/;

test("a client is served only after a login, and only with the rights of its user", async () => {
  await using server = await startJson({ users });
  using client = await RawClient.open(server.port);

  assert.match(await ask(client, { action: "list" }), /Authentication required/);
  assert.match(
    await ask(client, { action: "auth", user: "alice", password: "no" }),
    /invalid username-password/,
  );
  assert.match(await ask(client, { action: "list" }), /Authentication required/);

  assert.equal(await ask(client, { action: "auth", user: "alice", password: "pw" }), SUCCESS);
  assert.equal(await ask(client, { action: "create", document: "secret" }), SUCCESS);
  assert.equal(await ask(client, { action: "auth", user: "bob", password: "b" }), SUCCESS);
  assert.equal(await ask(client, { action: "create", document: "pub" }), SUCCESS);
  assert.equal(await ask(client, { action: "count", document: "pub" }), '{"status":"success","count":0}');

  for (const request of [
    { action: "get", document: "secret" },
    { action: "create", document: "other" },
    { action: "insert", document: "pub", data: [{ a: 1 }] },
    { action: "drop", document: "pub" },
    { action: "delete", document: "pub", id: "key" },
    { action: "list" },
    { action: "getall" },
  ])
    assert.match(await ask(client, request), DENIED, request.action);
});

test("before a login, a client may send only lines that are as short as a login", async () => {
  await using server = await startJson({ users });
  const long = `${JSON.stringify({ action: "list", more: "x".repeat(400_000) })}\n`;
  using unauthenticated = await RawClient.open(server.port);
  unauthenticated.send(long);
  assert.match(await answer(unauthenticated), /^\{"status":"error","message":"[^"]*before a login\."\}$/);
  assert.equal(await unauthenticated.rest(), "");
  using client = await RawClient.open(server.port);
  client.send(`${JSON.stringify({ action: "auth", user: "alice", password: "pw" })}\n${long}`);
  assert.equal(await answer(client), SUCCESS);
  assert.match(await answer(client), /"documents":\[\]/);
});

test("without users no client needs a login, and none can log in as another user", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  assert.equal(await ask(client, { action: "create", document: "d" }), SUCCESS);
  assert.match(
    await ask(client, { action: "auth", user: "alice", password: "x" }),
    /invalid username-password/,
  );
});

test("while memory is full, commands that need memory are refused, and reads and deletions are served", async () => {
  let isFull = false;
  const memory = double<MemoryLimit>({
    get isFull() {
      return isFull;
    },
    refuses: (needsMemory) => isFull && needsMemory,
    refusal: () => assert.fail("for signed commands only"),
  });

  await using server = await startJson({ memory });
  using client = await RawClient.open(server.port);
  await ask(client, { action: "create", document: "d" });
  await ask(client, { action: "insert", document: "d", data: [{ a: 1 }, { a: 2 }] });

  isFull = true;
  for (const request of [
    { action: "create", document: "e" },
    { action: "insert", document: "d", data: [{ a: 3 }] },
    { action: "update", document: "d", data: { a: 3 }, id: 0 },
  ])
    assert.match(await ask(client, request), /No memory is left/, request.action);
  assert.equal(await ask(client, { action: "delete", document: "d", id: 0 }), SUCCESS);
  assert.equal(await ask(client, { action: "get", document: "d" }), '{"status":"success","data":[{"a":2}]}');
  assert.equal(await ask(client, { action: "empty", document: "d" }), SUCCESS);

  isFull = false;
  assert.match(await ask(client, { action: "insert", document: "d", data: [{ a: 3 }] }), /success/);
});
