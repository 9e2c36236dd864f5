/** Clients of --json before a sidecar. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { ask } from "../listeners/json/scene.js";
import { startScene } from "./scene.js";

test("documents that a JSON client writes are carried, and read from the daemons", async () => {
  const json = await freePort();
  await using _ = await startScene({ args: ["--json", String(json)] });
  using client = await RawClient.open(json);
  const users = { document: "users" };
  assert.match(await ask(client, { ...users, action: "create" }), /"status":"success"/);
  const data = [
    { name: "John", role: "admin" },
    { name: "Ann", role: "user" },
  ];
  assert.match(await ask(client, { ...users, action: "insert", data }), /"status":"success".*"ids":/);
  assert.match(await ask(client, { ...users, action: "get", query: { role: "user" } }), /"name":"Ann"/);
  assert.match(await ask(client, { ...users, action: "get" }), /"John".*"Ann"/);
  assert.match(await ask(client, { action: "getall" }), /"users".*"John".*"Ann"/);
  assert.match(
    await ask(client, { ...users, action: "get", query: { role: "user" }, details: true }),
    /"details"/,
  );
  assert.match(await ask(client, { ...users, action: "count" }), /"count":"?2/);
  assert.match(
    await ask(client, { ...users, action: "update", query: { role: "user" }, data: { role: "guest" } }),
    /"status":"success".*guest/,
  );
  assert.match(await ask(client, { action: "list" }), /"users"/);
  assert.match(await ask(client, { ...users, action: "drop" }), /"status":"success"/);
  assert.match(await ask(client, { ...users, action: "get" }), /"status":"error"/);
});
