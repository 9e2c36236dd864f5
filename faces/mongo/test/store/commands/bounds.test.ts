/** Tests hostile documents: commands on collections reject them early, at little cost, and change nothing. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { EffortBudget } from "../../../../../daemon/store/keyspace/effort-budget.js";
import { filterOf } from "../../../store/queries/bson-filter.js";
import { updateOf } from "../../../store/queries/bson-update.js";
import { type CommandCost, WORK_MAX } from "../../../store/queries/command-cost.js";
import { putAt } from "../../../store/queries/update-paths.js";
import { writeBson } from "../../../store/values/bson-writer.js";
import { readExtendedJson } from "../../../store/values/extended-json.js";
import { updateContext } from "../queries/scope.js";
import { MdbUnderTest } from "./mdb-under-test.js";

let store: MdbUnderTest;
beforeEach(() => {
  store = new MdbUnderTest();
});

const insert = (...documents: readonly string[]) => store.run("INSERT", "1", ...documents);
const pathOf = (names: number) => Array.from({ length: names }, () => "a").join(".");
const numbers = (count: number) => JSON.stringify(Array.from({ length: count }, (_, i) => i));

test("a command rejects a path with more names than a document can be deep, before following it", () => {
  insert('{"_id":1,"x":1}');
  const long = pathOf(100_000);
  const tooLong = /the path to a field has at most 200 names/;
  assert.match(store.run("UPDATE", "1", `{"q":{},"u":{"$rename":{"x":"${long}"}}}`), tooLong);
  assert.match(store.run("UPDATE", "1", `{"q":{"${long}":1},"u":{"$set":{"b":1}},"upsert":true}`), tooLong);
  const shown = (projection: string) => store.run("FIND", `{"projection":${projection}}`);
  assert.match(shown(`{"${long}":"$x"}`), tooLong);
  assert.match(shown(`{"${pathOf(150)}":{"${pathOf(150)}":1}}`), tooLong);
  assert.match(store.run("FIND", `{"sort":{"${long}":1}}`), tooLong);
  assert.match(store.run("DISTINCT", `{"key":"${long}"}`), tooLong);
  assert.match(store.run("AGGREGATE", `{"pipeline":[{"$unwind":"$${long}"}]}`), tooLong);
  assert.match(store.run("AGGREGATE", `{"pipeline":[{"$group":{"_id":"$${long}"}}]}`), tooLong);
  assert.equal(store.all(), "{_id:1,x:1}");
});

test("an index limits the number of a document's keys as MongoDB does, and their size to the maximum of a document", () => {
  store.run("CREATEINDEXES", '{"key":{"a":1,"s":1},"name":"as"}');
  const before = store.state();
  assert.match(insert(`{"_id":1,"a":${numbers(1000)},"s":"${"x".repeat(20_000)}"}`), /code:201/);
  assert.match(insert(`{"_id":1,"a":${numbers(100_001)},"s":1}`), /code:201/);
  assert.equal(store.state(), before);
  assert.equal(insert(`{"_id":1,"a":${numbers(1000)},"s":"${"x".repeat(10_000)}"}`), "{n:1}");
  assert.match(store.run("FIND", '{"sort":{"a":1,"s":1},"limit":1,"projection":{"_id":1}}'), /^\{_id:1\}$/);
});

test("a command reports changes of documents of any depth", () => {
  const deep = `${'{"a":'.repeat(99)}1${"}".repeat(99)}`;
  assert.equal(insert(`{"_id":1,"a":${deep}}`), "{n:1}");
  const spec = writeBson(readExtendedJson('{"query":{},"update":{"$set":{"b":1}},"new":true}'));
  const reply = store.database.execute(["MDB.FINDANDMODIFY", "db", "c", spec], { at: 1, db: 0, id: "u" });
  assert.equal(reply.kind, "bulk");
  assert.match(store.run("FIND", '{"projection":{"b":1}}'), /b:1/);
});

test("a command changes nothing if its reply would be too deep", () => {
  insert(`{"_id":1,"l":["${"x".repeat(11_000_000)}"]}`);
  const shown = '"fields":{"l":{"$elemMatch":{"$regex":"y"}}}';
  const failed = (spec: string) =>
    assert.match(store.run("FINDANDMODIFY", `{${spec},${shown}}`), /^MONGO 146 /);
  failed('"remove":true');
  failed('"update":{"$set":{"b":1}}');
  failed('"update":{"$set":{"b":1}},"new":true');
  assert.equal(store.run("FIND", '{"projection":{"_id":1,"b":1}}'), "{_id:1}");
});

test("an insert with very many failures reports only the numbers of the last failures", () => {
  const unit = { at: 1, db: 0, id: "u" };
  const document = "\x0e\0\0\0\x10_id\0\x01\0\0\0\0";
  const argv = ["MDB.INSERT", "db", "c", "0", ...Array.from({ length: 20_000 }, () => document)];
  const reply = store.database.execute(argv, unit);
  assert.ok(reply.kind === "bulk" && reply.bytes.length < 3 * 1024 * 1024);
  assert.equal(store.run("COUNT", "{}"), "1");
  assert.ok(reply.bytes.endsWith("\x02errmsg\0\x01\0\0\0\0\0\0\0"));
});

/** Returns the `CommandCost` of a command that may do only `units` more. */
const workWith = (units: number): CommandCost => ({ units: WORK_MAX - units, effort: new EffortBudget() });
const array = `{"a":${numbers(1000)},"l":[${"{},".repeat(999)}{}]}`;

test("a filter counts the cost of an array for each condition on it", () => {
  const document = readExtendedJson(array);
  const met = (filter: string, work: CommandCost) => filterOf(readExtendedJson(filter), work).isMet(document);
  const many = (one: (i: number) => string) => Array.from({ length: 100 }, (_, i) => one(i)).join(",");
  for (const filter of [
    `{"$nor":[${many((i) => `{"a":-${i + 1}}`)}]}`,
    `{"l":{"$elemMatch":{"$or":[${many((i) => `{"x":${i}}`)}]}}}`,
    `{"l":{"$not":{"$elemMatch":{"$in":[1],"$nin":[1],"$lt":1}}}}`,
  ]) {
    assert.throws(() => met(filter, workWith(120)), /a command checks at most/, filter);
    met(filter, workWith(100_000));
  }
  const pull = (work: CommandCost) =>
    updateOf(readExtendedJson('{"$pull":{"a":{"$gt":1,"$gte":1,"$ne":5}}}'), updateContext(work))(document);
  assert.throws(() => pull(workWith(120)), /a command checks at most/);
  pull(workWith(1000));
});

test("$unwind counts the fields that it copies", () => {
  const fields = Array.from({ length: 4000 }, (_, i) => `"f${i}":1`).join(",");
  insert(`{"_id":1,"a":${numbers(20_000)},${fields}}`);
  assert.match(
    store.run("AGGREGATE", '{"pipeline":[{"$unwind":"$a"},{"$count":"n"}]}'),
    /a command checks at most/,
  );
});

test("an update counts the elements with which it pads an array before adding them", () => {
  const document = readExtendedJson('{"a":[]}');
  assert.throws(() => putAt(document, ["a", "20000"], 1, workWith(1000)), /a command checks at most/);
  assert.deepEqual(document, new Map([["a", []]]));
  putAt(document, ["a", "20000"], 1, workWith(2000));
});

test("a count does not read the documents of a collection", () => {
  insert('{"_id":1,"a":{"b":2}}', '{"_id":2,"a":3}');
  assert.equal(store.run("COUNT", '{"skip":1}'), "1");
  assert.equal(store.run("COUNT", '{"limit":1}'), "1");
  assert.equal(store.run("COUNT", '{"skip":5}'), "0");
  const grouped = (spec: string) => store.run("AGGREGATE", `{"pipeline":[{"$group":${spec}}]}`);
  assert.equal(grouped('{"_id":1,"n":{"$sum":1}}'), "{_id:1,n:2}");
  assert.equal(grouped('{"_id":"$a.b","n":{"$push":["$_id"]}}'), "{_id:2,n:[[1]]} {_id:null,n:[[2]]}");
  assert.equal(grouped('{"_id":null,"n":{"$push":"$$ROOT"}}'), "{_id:null,n:[{_id:1,a:{b:2}},{_id:2,a:3}]}");
});

test("a document that is too large is one failure, with MongoDB's number", () => {
  const store = new MdbUnderTest();
  const half = "x".repeat(9 * 1024 * 1024);
  const large = `{"_id":2,"a":"${half}${half}"}`;
  assert.match(
    store.run("INSERT", "0", '{"_id":1}', large, '{"_id":3}'),
    /^\{n:2,writeErrors:\[\{index:1,code:10334,/,
  );
  store.run("UPDATE", "1", `{"q":{"_id":1},"u":{"$set":{"a":"${half}"}}}`);
  assert.match(
    store.run("UPDATE", "0", `{"q":{"_id":1},"u":{"$set":{"b":"${half}"}}}`, '{"q":{},"u":{"$set":{"c":1}}}'),
    /^\{n:1,nModified:1,writeErrors:\[\{index:0,code:17419,/,
  );
  const upsert = `{"q":{"a":"${half}","_id":9},"u":[{"$set":{"b":{"$concat":["$a","$a"]}}}],"upsert":true,"upsertId":9}`;
  assert.match(store.run("UPDATE", "1", upsert), /code:(17420|10334),/);
  assert.equal(store.run("COUNT", "{}"), "2");
});
