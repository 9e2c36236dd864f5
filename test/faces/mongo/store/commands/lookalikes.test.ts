/** Tests values and documents that look alike, and statements that omit an essential part. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { MdbUnderTest } from "./mdb-under-test.js";

let store: MdbUnderTest;
beforeEach(() => {
  store = new MdbUnderTest();
});

const insert = (...documents: readonly string[]) => store.run("INSERT", "1", ...documents);

test("a document that only resembles Extended JSON is stored as an ordinary document, or rejected", () => {
  const stored = (value: string) => {
    store.run("DELETE", "1", '{"q":{},"limit":0}');
    assert.equal(insert(`{"_id":1,"a":${value}}`), "{n:1}", value);
    return store.all().slice("{_id:1,a:".length, -1);
  };
  assert.match(stored('{"$timestamp":{"t":1.5,"i":1}}'), /numberDouble/);
  assert.match(stored('{"$timestamp":{"t":1e3,"i":-1}}'), /numberDouble/);
  assert.equal(stored('{"$timestamp":{"t":1,"i":2}}'), '{"$timestamp":{t:1,i:2}}');
  assert.equal(stored('{"$date":"2024-02-30T00:00:00Z"}'), '{"$date":"2024-02-30T00:00:00Z"}');
  assert.equal(stored('{"$date":"2024-02-29T00:00:00.5Z"}'), '{"$date":{"$numberLong":"1709164800500"}}');
  assert.equal(stored('{"$minKey":1,"b":2}'), '{"$minKey":1,b:2}');
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
