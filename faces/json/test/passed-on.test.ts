/**
 * Tests requests with "replicate":false, in the form in which an original server sends them to the servers in its list.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { startJson } from "./scene.js";

const document = "d";

test("the daemon executes a request that an original forwards as an original would", async () => {
  await using ours = await startJson();
  using client = await RawClient.open(ours.port);
  const does = (request: object) => ask(client, { document, replicate: false, ...request });
  const data = async () =>
    (JSON.parse(await ask(client, { action: "get", document })) as { data: unknown }).data;

  await does({ action: "create" });
  await does({ action: "insert", data: [{ name: "John", age: 1 }] });

  // insert-key-validation: members may be missing, but additional ones are refused.
  const lacking = await does({ action: "insert", data: [{ name: "Sub" }, {}] });
  assert.equal(lacking, '{"status":"success","data_interted":[{"name":"Sub"},[]],"replicated":false}');
  assert.equal(
    await does({ action: "insert", data: [{ city: "Rome" }] }),
    '{"status":"error","message":"The required keys for this document are: name, age, received: city."}',
  );
  assert.deepEqual(await data(), [{ name: "John", age: 1 }, { name: "Sub" }, []]);

  // update-with-nonnumeric-id-edits-fields
  assert.equal(
    await does({ action: "update", id: "1x", data: { age: 5 } }),
    '{"status":"success","document_keys":["name","age"],"replicated":false,"updated_data":{"1":{"age":5}}}',
  );
  assert.deepEqual(await data(), [{ name: "John", age: 1 }, { name: "Sub", age: 5 }, []]);

  // PHP casts 0.1e1x to 1, and a space that is not ASCII to 0.
  assert.match(await does({ action: "update", id: "0.1e1x", data: { age: 6 } }), /"updated_data":\{"1":/);
  assert.match(await does({ action: "update", id: "\u00a01x", data: { age: 7 } }), /"updated_data":/);
  assert.deepEqual(await data(), [{ name: "John", age: 7 }, { name: "Sub", age: 6 }, []]);

  // update-with-id, replication-update-…: the members replace all entries.
  assert.equal(
    await does({ action: "update", id: 1, data: { name: "Zed" } }),
    '{"status":"success","document_keys":["name","age"],"replicated":false,"updated_data":null}',
  );
  assert.deepEqual(await data(), { name: "Zed" });
  assert.equal(
    await does({ action: "update", id: 7, data: { name: "Zed" } }),
    '{"status":"error","message":"Key:id provided does not exist in document."}',
  );
});

test("no entries are checked after an entry with its own key, and a deletion renumbers all entries", async () => {
  await using ours = await startJson();
  using client = await RawClient.open(ours.port);
  const does = (request: object) => ask(client, { document, replicate: false, ...request });
  await does({ action: "create" });

  // insert-after-manual-keys-no-validation
  await does({ action: "insert", data: { John: { gender: "m" } }, "auto-increment": false });
  assert.match(
    await does({ action: "insert", data: { Zed: { other: 1 } }, "auto-increment": false }),
    /success/,
  );

  // delete-turns-manual-keys-into-numbers
  await does({ action: "insert", data: [{ n: 1 }] });
  await does({ action: "delete", id: 0 });
  assert.equal(
    await ask(client, { action: "get", document }),
    '{"status":"success","data":[{"gender":"m"},{"other":1}]}',
  );
});

test("a client's own requests are executed as usual, and refusals of forwarded requests are logged", async () => {
  await using ours = await startJson();
  using client = await RawClient.open(ours.port);
  const does = (request: object) => ask(client, { document, ...request });
  await does({ action: "create" });
  await does({ action: "insert", data: [{ a: 1, b: 2 }] });
  assert.match(await does({ action: "insert", data: [{ a: 1 }] }), /The required keys/);
  assert.match(await does({ action: "update", id: 0, data: { a: 3 } }), /"updated_data":\[\{"a":3\}\]/);
  const refusals = () => ours.log.filter(({ msg }) => String(msg).includes('"replicate":false was refused'));
  assert.equal(refusals().length, 0);
  assert.match(await does({ action: "insert", data: [{ c: 1 }], replicate: false }), /The required keys/);
  assert.deepEqual(
    refusals().map(({ action, document: named }) => [action, named]),
    [["insert", "d"]],
  );
});
