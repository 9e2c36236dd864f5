/** Tests values and documents that look alike, and statements that omit an essential part. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { MdbUnderTest } from "./mdb-under-test.js";

let store: MdbUnderTest;
beforeEach(() => {
  store = new MdbUnderTest();
});

const insert = (...documents: readonly string[]) => store.run("INSERT", "1", ...documents);

test("malformed Extended JSON is refused, wherever it appears in a command", () => {
  const malformed = ['{"$date":"2023-02-28"}', '{"$oid":"xyz"}', '{"$timestamp":{"t":1.5,"i":1}}'];
  for (const value of malformed) {
    assert.match(insert('{"_id":1}', `{"_id":2,"a":${value}}`), /^\{n:1,.*code:2,.*malformed Extended JSON/);
    for (const [command, ...rest] of [
      ["UPDATE", "1", `{"q":{},"u":{"$set":{"a":${value}}}}`],
      ["UPDATE", "1", `{"q":{"a":${value}},"u":{"$set":{"a":1}}}`],
      ["DELETE", "1", `{"q":{"a":[${value}]},"limit":0}`],
      ["FINDANDMODIFY", `{"query":{"a":${value}},"remove":true}`],
      ["FIND", `{"filter":{"a":{"$gt":${value}}}}`],
      ["COUNT", `{"query":{"a":${value}}}`],
      ["AGGREGATE", `{"pipeline":[{"$match":{"a":${value}}}]}`],
    ] as const)
      assert.match(
        store.run(command, ...rest),
        /^MONGO 2 BadValue malformed Extended JSON: expected/,
        command,
      );
    assert.equal(store.all(), "{_id:1}");
    store.run("DELETE", "1", '{"q":{},"limit":0}');
  }
});

test("Extended JSON is stored as the type that it names, and similar documents as they are", () => {
  const stored = (value: string) => {
    store.run("DELETE", "1", '{"q":{},"limit":0}');
    assert.equal(insert(`{"_id":1,"a":${value}}`), "{n:1}", value);
    return store.all().slice("{_id:1,a:".length, -1);
  };
  assert.equal(stored('{"$timestamp":{"t":1,"i":2}}'), '{"$timestamp":{t:1,i:2}}');
  assert.equal(stored('{"$date":"2024-02-29T00:00:00.5Z"}'), '{"$date":{"$numberLong":"1709164800500"}}');
  for (const value of ['{"$ref":"c","$id":7}', '{"$dates":"x"}', '{"date":"2023-02-28"}', '{"$regex":"a"}'])
    assert.equal(stored(value), value.replace(/"(\w+)":/g, "$1:"), value);
  // The text's own object is always a document.
  store.run("DELETE", "1", '{"q":{},"limit":0}');
  assert.equal(insert('{"_id":1,"$date":"x"}'), "{n:1}");
  assert.match(insert('{"$oid":"56e1fc72e0c917e9c4714161"}'), /the text is not a document/);
});

test("an insert distinguishes documents that differ only in where nested documents end", () => {
  const documents = ['{"A":{"}":1,"B":{},"":1}}', '{"A":{},"":1,"B":{"}":1}}'];
  assert.equal(insert(...documents.map((one) => `{"_id":${one}}`)), "{n:2}");
});

test("an upsert uses null from the filter, even as _id", () => {
  const upsert = (q: string) =>
    store.run("UPDATE", "1", `{"q":${q},"u":{"$set":{"b":1}},"upsert":true,"upsertId":7}`);
  upsert('{"_id":null}');
  upsert('{"_id":null}');
  upsert('{"a":{"$eq":null},"c":3}');
  assert.equal(store.all(), "{_id:null,b:1} {_id:7,a:null,c:3,b:1}");
});

test("a deletion without a limit is rejected instead of deleting everything", () => {
  insert('{"_id":1}');
  assert.match(store.run("DELETE", "1", '{"q":{}}'), /code:14/);
  assert.match(store.run("DELETE", "1", '{"q":{},"limit":null}'), /code:14/);
  assert.equal(store.run("COUNT", "{}"), "1");
});
