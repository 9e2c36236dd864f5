/** Hostile documents: collections return an error without changing anything, before it has cost much. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Effort } from "../../../../store/keyspace/effort.js";
import { filterOf } from "../../../../store/queries/bson/filter.js";
import { WORK_MAX, type Work } from "../../../../store/queries/bson/mongo-failure.js";
import { updateOf } from "../../../../store/queries/bson/update.js";
import { putAt } from "../../../../store/queries/bson/update-paths.js";
import { writeBson } from "../../../../store/values/collections/bson-writer.js";
import { readExtendedJson } from "../../../../store/values/collections/extended-json.js";
import { updateContext } from "../../queries/scope.js";
import { Asked } from "./asked.js";

let store: Asked;
beforeEach(() => {
  store = new Asked();
});

const insert = (...documents: readonly string[]) => store.ask("INSERT", "1", ...documents);
const way = (names: number) => Array.from({ length: names }, () => "a").join(".");
const numbers = (count: number) => JSON.stringify(Array.from({ length: count }, (_, i) => i));

test("ways of more names than documents are deep are refused, before anything goes along them", () => {
  insert('{"_id":1,"x":1}');
  const long = way(100_000);
  const tooLong = /the way to a field has 200 names at most/;
  assert.match(store.ask("UPDATE", "1", `{"q":{},"u":{"$rename":{"x":"${long}"}}}`), tooLong);
  assert.match(store.ask("UPDATE", "1", `{"q":{"${long}":1},"u":{"$set":{"b":1}},"upsert":true}`), tooLong);
  const shown = (projection: string) => store.ask("FIND", `{"projection":${projection}}`);
  assert.match(shown(`{"${long}":"$x"}`), tooLong);
  assert.match(shown(`{"${way(150)}":{"${way(150)}":1}}`), tooLong);
  assert.match(store.ask("FIND", `{"sort":{"${long}":1}}`), tooLong);
  assert.match(store.ask("DISTINCT", `{"key":"${long}"}`), tooLong);
  assert.match(store.ask("AGGREGATE", `{"pipeline":[{"$unwind":"$${long}"}]}`), tooLong);
  assert.match(store.ask("AGGREGATE", `{"pipeline":[{"$group":{"_id":"$${long}"}}]}`), tooLong);
  assert.equal(store.all(), "{_id:1,x:1}");
});

test("keys of one document in an index are as many as in MongoDB, and no longer than a document", () => {
  store.ask("CREATEINDEXES", '{"key":{"a":1,"s":1},"name":"as"}');
  const before = store.state();
  assert.match(insert(`{"_id":1,"a":${numbers(1000)},"s":"${"x".repeat(20_000)}"}`), /code:201/);
  assert.match(insert(`{"_id":1,"a":${numbers(100_001)},"s":1}`), /code:201/);
  assert.equal(store.state(), before);
  assert.equal(insert(`{"_id":1,"a":${numbers(1000)},"s":"${"x".repeat(10_000)}"}`), "{n:1}");
  assert.match(store.ask("FIND", '{"sort":{"a":1,"s":1},"limit":1,"projection":{"_id":1}}'), /^\{_id:1\}$/);
});

test("what was done is told however deep it is", () => {
  const deep = `${'{"a":'.repeat(99)}1${"}".repeat(99)}`;
  assert.equal(insert(`{"_id":1,"a":${deep}}`), "{n:1}");
  const spec = writeBson(readExtendedJson('{"query":{},"update":{"$set":{"b":1}},"new":true}'));
  const reply = store.database.execute(["MDB.FINDANDMODIFY", "db", "c", spec], { at: 1, db: 0, id: "u" });
  assert.equal(reply.kind, "bulk");
  assert.match(store.ask("FIND", '{"projection":{"b":1}}'), /b:1/);
});

test("what cannot be shown is not changed", () => {
  insert(`{"_id":1,"l":["${"x".repeat(11_000_000)}"]}`);
  const shown = '"fields":{"l":{"$elemMatch":{"$regex":"y"}}}';
  const failed = (spec: string) =>
    assert.match(store.ask("FINDANDMODIFY", `{${spec},${shown}}`), /^MONGO 146 /);
  failed('"remove":true');
  failed('"update":{"$set":{"b":1}}');
  failed('"update":{"$set":{"b":1}},"new":true');
  assert.equal(store.ask("FIND", '{"projection":{"_id":1,"b":1}}'), "{_id:1}");
});

test("of very many failures the last are told by their numbers alone", () => {
  const unit = { at: 1, db: 0, id: "u" };
  const document = "\x0e\0\0\0\x10_id\0\x01\0\0\0\0";
  const argv = ["MDB.INSERT", "db", "c", "0", ...Array.from({ length: 20_000 }, () => document)];
  const reply = store.database.execute(argv, unit);
  assert.ok(reply.kind === "bulk" && reply.bytes.length < 3 * 1024 * 1024);
  assert.equal(store.ask("COUNT", "{}"), "1");
  assert.ok(reply.bytes.endsWith("\x02errmsg\0\x01\0\0\0\0\0\0\0"));
});

/** Returns the work of a command that has only `units` left. */
const rest = (units: number): Work => ({ units: WORK_MAX - units, effort: new Effort() });
const array = `{"a":${numbers(1000)},"l":[${"{},".repeat(999)}{}]}`;

test("what an array costs is counted for each thing that is asked of it", () => {
  const document = readExtendedJson(array);
  const met = (filter: string, work: Work) => filterOf(readExtendedJson(filter), work).isMet(document);
  const many = (one: (i: number) => string) => Array.from({ length: 100 }, (_, i) => one(i)).join(",");
  for (const filter of [
    `{"$nor":[${many((i) => `{"a":-${i + 1}}`)}]}`,
    `{"l":{"$elemMatch":{"$or":[${many((i) => `{"x":${i}}`)}]}}}`,
    `{"l":{"$not":{"$elemMatch":{"$in":[1],"$nin":[1],"$lt":1}}}}`,
  ]) {
    assert.throws(() => met(filter, rest(120)), /a command looks at/, filter);
    met(filter, rest(100_000));
  }
  const pull = (work: Work) =>
    updateOf(readExtendedJson('{"$pull":{"a":{"$gt":1,"$gte":1,"$ne":5}}}'), updateContext(work))(document);
  assert.throws(() => pull(rest(120)), /a command looks at/);
  pull(rest(1000));
});

test("$unwind counts the fields that it copies", () => {
  const fields = Array.from({ length: 4000 }, (_, i) => `"f${i}":1`).join(",");
  insert(`{"_id":1,"a":${numbers(20_000)},${fields}}`);
  assert.match(
    store.ask("AGGREGATE", '{"pipeline":[{"$unwind":"$a"},{"$count":"n"}]}'),
    /a command looks at/,
  );
});

test("elements that an update fills up with are counted before they are there", () => {
  const document = readExtendedJson('{"a":[]}');
  assert.throws(() => putAt(document, ["a", "20000"], 1, rest(1000)), /a command looks at/);
  assert.deepEqual(document, new Map([["a", []]]));
  putAt(document, ["a", "20000"], 1, rest(2000));
});

test("what a collection holds is counted without being read", () => {
  insert('{"_id":1,"a":{"b":2}}', '{"_id":2,"a":3}');
  assert.equal(store.ask("COUNT", '{"skip":1}'), "1");
  assert.equal(store.ask("COUNT", '{"limit":1}'), "1");
  assert.equal(store.ask("COUNT", '{"skip":5}'), "0");
  const grouped = (spec: string) => store.ask("AGGREGATE", `{"pipeline":[{"$group":${spec}}]}`);
  assert.equal(grouped('{"_id":1,"n":{"$sum":1}}'), "{_id:1,n:2}");
  assert.equal(grouped('{"_id":"$a.b","n":{"$push":["$_id"]}}'), "{_id:2,n:[[1]]} {_id:null,n:[[2]]}");
  assert.equal(grouped('{"_id":null,"n":{"$push":"$$ROOT"}}'), "{_id:null,n:[{_id:1,a:{b:2}},{_id:2,a:3}]}");
});
