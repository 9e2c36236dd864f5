/** --json-replica: a document that another server gives as a whole takes the place of the one that is here, or nothing changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawClient } from "../../support/raw-client.js";
import { ask, startJson } from "./scene.js";

const DONE = '{"status":"success"}';
const HOUR_MS = 3_600_000;

/** Entries as daemons tell them: key, text, and when it expires. */
const put = (client: RawClient, entries: readonly unknown[], more: object = {}) =>
  ask(client, {
    action: "replica",
    does: "put",
    name: "b",
    entries,
    indexes: ["m"],
    isNew: false,
    ...more,
  });

async function fill(client: RawClient): Promise<void> {
  for (const document of ["a", "b", "c"]) {
    await ask(client, { action: "create", document });
    await ask(client, { action: "insert", document, data: [{ n: 1 }, { n: 2 }, { n: 3 }] });
  }
  await ask(client, { action: "createindex", document: "b", field: "n" });
  await ask(client, { action: "update", document: "b", id: 1, data: { n: 2 }, ttl: 3600 });
}

/** All that clients see, and in which order. */
async function seen(client: RawClient): Promise<readonly string[]> {
  const requests = [
    { action: "getall" },
    { action: "listindexes", document: "b" },
    { action: "get", document: "b", details: true },
  ];
  const answers = [];
  for (const request of requests) answers.push(await ask(client, request));
  return answers;
}

test("a document that is refused in its middle leaves the one that was there as it was", async () => {
  const later = Date.now() + HOUR_MS;
  const refused = [
    { entries: ["0", "no JSON", null] },
    { entries: ["0", '{"m":1}', null, "1", "no JSON", later] },
    { entries: ["0", '{"m":1}', null, "1", '{"m":1}', later, "2", '{"m":', null] },
    { entries: ["0", '{"m":1}', null], indexes: Array.from({ length: 17 }, (_, n) => `m${n}`) },
  ];
  for (const isNew of [false, true])
    for (const whole of refused) {
      await using server = await startJson();
      using client = await RawClient.open(server.port);
      await fill(client);
      const before = await seen(client);
      assert.match(await put(client, whole.entries, { ...whole, isNew }), /^\{"status":"error"/);
      assert.deepEqual(await seen(client), before);
      await ask(client, { action: "insert", document: "b", data: [{ n: 4 }] });
      assert.match(await ask(client, { action: "get", document: "b", id: 3 }), /"n":4/);
    }
});

test("a document that is refused where there was none is not there", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  const later = Date.now() + HOUR_MS;
  assert.match(await put(client, ["0", '{"m":1}', null, "1", "no JSON", later]), /^\{"status":"error"/);
  assert.equal(await ask(client, { action: "list" }), '{"status":"success","documents":[]}');
});

test("a document that is taken has the entries and indexes that were given, and its place among all", async () => {
  for (const isNew of [false, true]) {
    await using server = await startJson();
    using client = await RawClient.open(server.port);
    await fill(client);
    assert.equal(await put(client, ["x", '{"m":1}', null], { isNew }), DONE);
    const names = JSON.parse(await ask(client, { action: "list" })) as { documents: string[] };
    assert.deepEqual(names.documents, isNew ? ["a", "c", "b"] : ["a", "b", "c"]);
    assert.match(await ask(client, { action: "get", document: "b" }), /"data":\{"x":\{"m":1\}\}/);
    assert.match(await ask(client, { action: "listindexes", document: "b" }), /"indexes":\["m"\]/);
    assert.equal(await put(client, [], { entries: undefined }), DONE);
    assert.equal(await ask(client, { action: "list" }), '{"status":"success","documents":["a","c"]}');
  }
});
