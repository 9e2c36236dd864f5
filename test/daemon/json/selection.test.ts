/** What the JSON listener takes beyond the original: conditions, order, parts, indexes, expiry, revisions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawClient } from "../../support/raw-client.js";
import { ask, startJson } from "./scene.js";

test("get and count take conditions, an order, a limit and names of members, with an index and without", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  const send = (request: object) => ask(client, { document: "people", ...request });
  await send({ action: "create" });
  const data = ["Ann", "Bob", "Anna", "Cy"].map((name, n) => ({ name, age: 20 + 10 * n, tags: [n] }));
  await send({ action: "insert", data });
  for (const index of ["", "age", "name"]) {
    if (index !== "")
      assert.equal(await send({ action: "createindex", field: index }), '{"status":"success"}');
    assert.equal(
      await send({
        action: "get",
        where: { age: { $gte: 30 } },
        sort: { age: "desc" },
        limit: 2,
        fields: ["name"],
      }),
      '{"status":"success","data":{"3":{"name":"Cy"},"2":{"name":"Anna"}},"ids":[3,2]}',
    );
    assert.equal(
      await send({ action: "get", where: { name: { $prefix: "An" } }, offset: 1, fields: ["age"] }),
      '{"status":"success","data":{"2":{"age":40}}}',
    );
    assert.equal(
      await send({ action: "count", where: { $or: [{ age: 20 }, { name: { $in: ["Cy", "Di"] } }] } }),
      '{"status":"success","count":2}',
    );
    assert.equal(await send({ action: "get", where: { age: 1 } }), '{"status":"success"}');
    assert.equal(
      await send({ action: "count", query: { name: "Ann" }, where: { age: { $lt: 30 } } }),
      '{"status":"success","count":1}',
    );
  }
  assert.equal(await send({ action: "listindexes" }), '{"status":"success","indexes":["age","name"]}');
  assert.equal(await send({ action: "dropindex", field: "age" }), '{"status":"success"}');
  assert.equal(await send({ action: "listindexes" }), '{"status":"success","indexes":["name"]}');
});

test("a write that names a revision which has passed is refused", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  const send = (request: object) => ask(client, { document: "d", ...request });
  await send({ action: "create" });
  await send({ action: "insert", data: { k: { n: 1 } }, "auto-increment": false, ttl: 3600 });
  const told = await send({ action: "get", id: "k", details: true });
  const [, revision, expires] =
    /^\{"status":"success","data":\{"k":\{"n":1\}\},"details":\{"k":\{"revision":"([0-9a-f]{16})","expires":(\d{13})\}\}\}$/.exec(
      told,
    ) ?? [];
  assert.ok(Number(expires) > Date.now(), told);
  const change = { action: "update", id: "k", data: { n: 2 }, revision };
  assert.match(await send(change), /"updated_data":\{"k":\{"n":2\}\}/);
  assert.match(
    await send(change),
    /"status":"error",.*The entry k has revision [0-9a-f]{16}, not [0-9a-f]{16}/,
  );
  assert.match(await send({ action: "delete", id: "k", revision }), /The entry k has revision/);
  await send({ action: "update", id: "k", data: {}, ttl: 0 });
  assert.match(await send({ action: "get", details: true }), /"expires":null/);
});

test("what is wrong in the new members is told, and those of the original mean what they meant", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  const send = (request: object) => ask(client, { document: "d", ...request });
  await send({ action: "create" });
  await send({ action: "insert", data: [{ n: 1 }] });
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ action: "get", where: 5 }, /WHERE: an object is asked for/],
    [{ action: "get", limit: "many" }, /LIMIT asks for two whole numbers/],
    [{ action: "get", sort: ["n"] }, /SORT asks for a name/],
    [{ action: "get", fields: {}, id: 0, where: {} }, /FIELDS asks for a list|ID names one entry/],
    [{ action: "get", id: 0, where: { n: 1 } }, /ID names one entry/],
    [{ action: "createindex" }, /No field provided/],
    [{ action: "insert", data: [{ n: 2 }], ttl: -1 }, /invalid expire time/],
    [{ action: "insert", data: [{ n: 2 }], ttl: {} }, /not an integer/],
  ];
  for (const [request, told] of wrong) assert.match(await send(request), told);
  assert.equal(
    await send({ action: "get", id: 0, query: { n: 9 } }),
    '{"status":"success","data":[{"n":1}]}',
  );
  assert.equal(await send({ action: "count" }), '{"status":"success","count":1}');
});
