/**
 * Tests the features of the JSON listener that the original does not have: conditions, order, parts, indexes, expiry
 * and revisions.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { startJson } from "./scene.js";

test("get and count accept conditions, an order, a limit and member names, with an index and without", async () => {
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
      await send({ action: "get", where: { name: { $regex: "^An" } }, offset: 1, fields: ["age"] }),
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

test("a write that names an outdated revision is refused", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  const send = (request: object) => ask(client, { document: "d", ...request });
  await send({ action: "create" });
  await send({ action: "insert", data: { k: { n: 1 } }, "auto-increment": false, ttl: 3600 });

  const reply = await send({ action: "get", id: "k", details: true });
  const [, revision, expires] =
    /^\{"status":"success","data":\{"k":\{"n":1\}\},"details":\{"k":\{"revision":"([0-9a-f]{16})","expires":(\d{13})\}\}\}$/.exec(
      reply,
    ) ?? [];
  assert.ok(Number(expires) > Date.now(), reply);

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

test("mistakes in the new members are reported, and the original's members keep their meaning", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  const send = (request: object) => ask(client, { document: "d", ...request });
  await send({ action: "create" });
  await send({ action: "insert", data: [{ n: 1 }] });

  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ action: "get", where: 5 }, /WHERE: an object is required/],
    [{ action: "get", limit: "many" }, /LIMIT requires two whole numbers/],
    [{ action: "get", sort: ["n"] }, /SORT requires a name/],
    [{ action: "get", fields: {}, id: 0, where: {} }, /FIELDS requires a list|ID names one entry/],
    [{ action: "get", id: 0, where: { n: 1 } }, /ID names one entry/],
    [{ action: "get", sort: "-n" }, /SORT requires a name, or an object .*: to sort n descending/],
    [{ action: "get", skip: 1 }, /'get' has no member 'skip'\. Its members are: document, id, query, where/],
    [{ action: "count", limit: 1 }, /'count' has no member 'limit'/],
    [{ action: "delete", id: 0, where: {} }, /id names one entry/],
    [{ action: "delete", where: {}, revision: "0" }, /revision belongs to one entry/],
    [{ action: "update", id: 0, where: {}, data: { n: 1 } }, /ID names one entry/],
    [{ action: "update", where: {}, data: [{ n: 1 }] }, /Data must be provided in array/],
    [
      { action: "update", where: {}, data: { m: 1 } },
      /The required keys for this document are: n, received: m/,
    ],
    [{ action: "update", data: { n: 1 }, upsert: true }, /UPSERT requires ID, QUERY or WHERE/],
    [{ action: "update", data: { $inc: { n: "1" } } }, /UPDATE: Cannot increment with non-numeric argument/],
    [{ action: "update", data: { $nothing: { n: 1 } } }, /UPDATE: Unknown modifier: \$nothing/],
    [{ action: "drop", where: { n: 1 } }, /'drop' has no member 'where'/],
    [{ action: "insert", data: [{ n: 2 }], ids: 1, x: 2 }, /'insert' has no member '(?:ids|x)'/],
    [{ action: "createindex" }, /No field provided/],
    [{ action: "insert", data: [{ n: 2 }], ttl: -1 }, /invalid expire time/],
    [{ action: "insert", data: [{ n: 2 }], ttl: {} }, /not an integer/],
  ];

  for (const [request, reply] of wrong) assert.match(await send(request), reply);
  assert.equal(
    await send({ action: "get", id: 0, query: { n: 9 } }),
    '{"status":"success","data":[{"n":1}]}',
  );
  assert.equal(await send({ action: "count" }), '{"status":"success","count":1}');
});

test("update and delete with conditions report their effects", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  const send = (request: object) => ask(client, { document: "d", ...request });
  await send({ action: "create" });
  await send({ action: "insert", data: [1, 2, 3].map((n) => ({ n, at: { city: `c${n}` } })) });

  const cases: readonly (readonly [object, string])[] = [
    [
      { action: "update", where: { "at.city": "c2" }, data: { $inc: { n: 5 } } },
      '"document_keys":["n","at"],"updated_data":{"1":{"n":7}}',
    ],
    [
      { action: "update", query: { n: "3" }, data: { n: 4 } },
      '"document_keys":["n","at"],"updated_data":{"2":{"n":4}}',
    ],
    [
      { action: "update", sort: { n: "desc" }, limit: 1, data: { $set: { "at.zip": 9 } } },
      '"document_keys":["n","at"],"updated_data":{"1":{"at":{"city":"c2","zip":9}}}',
    ],
    [{ action: "update", where: { n: 99 }, data: { n: 1 } }, '"document_keys":["n","at"],"updated_data":[]'],
    [
      { action: "update", id: "k", data: { $inc: { n: 1 }, $set: { at: [] } }, upsert: true },
      '"document_keys":["n","at"],"updated_data":{"k":{"at":[],"n":1}},"upserted_id":"k"',
    ],
    [{ action: "delete", where: { n: { $lt: 5 } }, sort: "n", limit: 2 }, '"deleted":2'],
    [{ action: "delete", where: { n: 99 } }, '"deleted":0'],
  ];

  for (const [request, reply] of cases)
    assert.equal(await send(request), `{"status":"success",${reply}}`, JSON.stringify(request));
  assert.equal(
    await send({ action: "get", fields: ["n", "at.zip"] }),
    '{"status":"success","data":[{"n":7,"at.zip":9},{"n":4}]}',
  );
});

test("explain reports how a query is executed, and returns no entries", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  const send = (request: object) => ask(client, { document: "d", ...request });

  await send({ action: "create" });
  await send({ action: "insert", data: Array.from({ length: 100 }, (_, n) => ({ n, m: n % 2 })) });
  await send({ action: "createindex", field: "n" });

  const cases: readonly (readonly [object, string])[] = [
    [{}, '"reads":"all","indexes":[],"entries":100,"of":100,"order":"document"'],
    [
      { where: { n: { $lt: 10 } } },
      '"reads":"index","indexes":["n"],"entries":10,"of":100,"order":"document"',
    ],
    [{ where: { n: { $lt: 90 } } }, '"reads":"marks","indexes":[],"entries":100,"of":100,"order":"document"'],
    [{ query: { m: 1 } }, '"reads":"marks","indexes":[],"entries":100,"of":100,"order":"document"'],
    [{ sort: "n", limit: 1 }, '"reads":"index","indexes":["n"],"entries":100,"of":100,"order":"index"'],
    [{ sort: "m", where: { n: 1 } }, '"reads":"index","indexes":["n"],"entries":1,"of":100,"order":"sorted"'],
  ];

  for (const [request, reply] of cases)
    assert.equal(
      await send({ action: "get", explain: true, ...request }),
      `{"status":"success","explain":{${reply}}}`,
      JSON.stringify(request),
    );
  assert.match(await send({ action: "get", explain: true, id: 0 }), /there is nothing to EXPLAIN/);

  const before = await send({ action: "get" });
  const few = '"reads":"index","indexes":["n"],"entries":10,"of":100,"order":"document"';
  const where = { n: { $lt: 10 } };
  const refused: readonly (readonly [object, string])[] = [
    [{ action: "update", data: { m: 5 }, where }, few],
    [{ action: "update", where }, few],
    [{ action: "update", data: { m: 5 }, sort: "n", limit: 1 }, cases[4]?.[1] ?? ""],
    [{ action: "delete", where }, few],
    [{ action: "count", where }, few.replace("10", "0")],
    [{ action: "count", where: { n: 1, m: 1 } }, few.replace("10", "1")],
    [{ action: "count", query: { m: 1 } }, cases[3]?.[1] ?? ""],
    [{ action: "count" }, '"reads":"none","indexes":[],"entries":0,"of":100,"order":"document"'],
  ];

  for (const [request, reply] of refused)
    assert.equal(
      await send({ explain: true, ...request }),
      `{"status":"success","explain":{${reply}}}`,
      JSON.stringify(request),
    );

  for (const action of ["update", "delete"]) {
    assert.match(await send({ action, explain: true, id: 0, data: { m: 5 } }), /there is nothing to EXPLAIN/);
  }
  assert.match(await send({ action: "update", explain: true, data: { m: 5 } }), /Nothing selects entries/);
  assert.match(await send({ action: "delete", explain: true, query: { m: 1 } }), /No id provided/);
  assert.match(await send({ action: "count", document: "none", explain: true }), /does not exist/);
  assert.equal(await send({ action: "get" }), before);
});

test("addmember adds a member to all entries, and dropmember removes a member from all entries", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  const send = (request: object) => ask(client, { document: "d", ...request });
  await send({ action: "create" });
  await send({ action: "createindex", field: "b" });
  await send({ action: "insert", data: [{ a: 1 }, { a: 2 }] });

  const cases: readonly (readonly [object, string])[] = [
    [{ action: "addmember", field: "b", value: [1] }, '"success","changed":2}'],
    [{ action: "addmember", field: "b" }, '"success","changed":0}'],
    [{ action: "get", where: { b: [1] } }, '"success","data":[{"a":1,"b":[1]},{"a":2,"b":[1]}]}'],
    [
      { action: "insert", data: [{ a: 3 }] },
      '"message":"The required keys for this document are: a, b, received: a."}',
    ],
    [{ action: "dropmember", field: "a" }, '"success","changed":2}'],
    [{ action: "get" }, '"success","data":[{"b":[1]},{"b":[1]}]}'],
    [{ action: "addmember", field: "c" }, '"success","changed":2}'],
    [{ action: "get", id: 0 }, '"success","data":[{"b":[1],"c":null}]}'],
    [{ action: "addmember" }, '"message":"No field provided: the name of the member."}'],
  ];

  for (const [request, reply] of cases)
    assert.ok((await send(request)).endsWith(reply), JSON.stringify(request));
});
