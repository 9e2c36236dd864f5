/**
 * Tests the options of a find and a pipeline that name an index: hint, min, max and returnKey. The expected results are
 * those of MongoDB's manual (cursor.min, cursor.max, cursor.returnKey), of jstests/core (minmax.js, returnkey.js) and
 * of query_planner.cpp of MongoDB 7.0.
 */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { Collection } from "../../../store/values/collection.js";
import { MdbUnderTest } from "./mdb-under-test.js";

let store: MdbUnderTest;
beforeEach(() => {
  store = new MdbUnderTest();
});

/** Returns JSON for a text with names without quotes, and texts in single quotes. */
const json = (text: string): string => text.replaceAll("'", '"').replace(/([{,])\s*([$\w]+):/g, '$1"$2":');
const insert = (...documents: readonly string[]) => store.run("INSERT", "1", ...documents.map(json));
const createIndex = (key: string, more = "") =>
  store.run("CREATEINDEXES", json(`{key:${key},name:'${key.replaceAll(/[{}:]/g, "")}'${more}}`));
const find = (spec: string): string => store.run("FIND", json(spec));
const idsIn = (answer: string): string => [...answer.matchAll(/_id:(\d+)/g)].map(([, id]) => id).join(" ");
const ids = (spec: string): string => {
  const answer = find(spec);
  return answer.startsWith("MONGO") ? answer : idsIn(answer);
};

test("min is the first key of an index, max the key after the last one, in the order of the index", () => {
  insert(
    "{_id:1,a:5,b:1}",
    "{_id:2,a:3,b:2}",
    "{_id:3,a:5,b:0}",
    "{_id:4,a:1,b:9}",
    "{_id:5}",
    "{_id:6,a:'x'}",
  );
  createIndex("{a:1}");
  createIndex("{b:-1}");
  createIndex("{a:1,b:-1}");

  const table: readonly (readonly [string, string])[] = [
    ["{hint:{a:1},min:{a:3}}", "2 1 3 6"],
    ["{hint:{a:1},max:{a:5}}", "5 4 2"],
    ["{hint:'a1',min:{a:3},max:{a:5}}", "2"],
    ["{hint:{a:1},min:{a:null},max:{a:1}}", "5"],
    ["{hint:{a:1},min:{a:0}}", "4 2 1 3 6"],
    ["{hint:{b:-1},min:{b:2}}", "2 1 3 5 6"],
    ["{hint:{b:-1},max:{b:1}}", "4 2"],
    ["{hint:{b:-1},min:{b:9},max:{b:1}}", "4 2"],
    ["{hint:{a:1,b:-1},min:{a:5,b:1}}", "1 3 6"],
    ["{hint:{a:1,b:-1},min:{a:3,b:3},max:{a:5,b:0}}", "2 1"],
    ["{hint:{_id:1},min:{_id:3},max:{_id:5}}", "3 4"],
    ["{hint:'_id_',max:{_id:3},filter:{a:5}}", "1"],
    ["{hint:{a:1},min:{a:1},sort:{b:1},skip:1,limit:2}", "3 1"],
    ["{hint:{a:1},min:{a:1},skip:1,limit:2}", "2 1"],
    ["{hint:{a:1},min:{},max:{}}", "5 4 2 1 3 6"],
  ];
  for (const [spec, expected] of table) assert.equal(ids(spec), expected, spec);

  const errors: readonly (readonly [string, number])[] = [
    ["{min:{a:1}}", 51173],
    ["{max:{a:1}}", 51173],
    ["{hint:{},max:{a:1}}", 51173],
    ["{hint:{a:1},min:{b:1}}", 51174],
    ["{hint:{a:1,b:-1},min:{a:1}}", 51174],
    ["{hint:{a:1,b:-1},min:{b:1,a:1}}", 51174],
    ["{hint:{a:1},min:{a:5},max:{a:5}}", 51175],
    ["{hint:{a:1},min:{a:5},max:{a:3}}", 51175],
    ["{hint:{b:-1},min:{b:1},max:{b:9}}", 51175],
    ["{hint:{$natural:1},min:{a:1}}", 291],
    ["{hint:{c:1},min:{c:1}}", 2],
    ["{hint:{a:1},min:1}", 14],
  ];
  for (const [spec, code] of errors) assert.match(find(spec), new RegExp(`^MONGO ${code} `), spec);
});

test("without the collection, bounds find nothing", () => {
  assert.equal(find("{hint:{a:1},min:{a:1}}"), "");
  assert.equal(find("{hint:{a:1},min:{a:1},returnKey:true}"), "");
  assert.match(find("{min:{a:1}}"), /^MONGO 51173 /);
});

test("a document with an array is found once, at its first key within the bounds", () => {
  insert("{_id:1,a:[1,7]}", "{_id:2,a:4}", "{_id:3,a:[5,2,6]}", "{_id:4,a:[]}");
  createIndex("{a:1}");
  createIndex("{a:-1}");
  assert.equal(ids("{hint:{a:1},min:{a:2}}"), "3 2 1");
  assert.equal(ids("{hint:{a:1},min:{a:3},max:{a:6}}"), "2 3");
  assert.equal(ids("{hint:{a:-1},min:{a:6},max:{a:1}}"), "3 2");
  assert.equal(find("{hint:{a:1},min:{a:3},returnKey:true}"), "{a:4} {a:5} {a:7}");
});

test("returnKey returns the keys of the index that the command uses, and empty documents without one", () => {
  insert("{_id:1,a:5,b:{c:1},t:[3,1]}", "{_id:2,a:3,b:{c:2},t:[2]}", "{_id:3}");
  createIndex("{a:1}");
  createIndex("{t:1}");
  store.run("CREATEINDEXES", '{"key":{"b.c":1,"a":-1},"name":"b.c"}');

  const keys = (spec: string) => find(`{returnKey:true,${spec}}`);
  const table: readonly (readonly [string, string])[] = [
    ["filter:{x:null}", "{} {} {}"],
    ["filter:{_id:2}", "{_id:2}"],
    ["filter:{a:{$gt:1}}", "{a:5} {a:3}"],
    ["filter:{a:{$in:[3,5]}}", "{a:5} {a:3}"],
    ["sort:{a:1}", "{a:null} {a:3} {a:5}"],
    ["sort:{a:-1},limit:1", "{a:5}"],
    ["sort:{x:1}", "{} {} {}"],
    ["hint:'b.c'", '{"b.c":null,a:null} {"b.c":1,a:5} {"b.c":2,a:3}'],
    ["hint:{a:1},filter:{_id:1}", "{a:5}"],
    ["hint:{a:1},min:{a:3},max:{a:5}", "{a:3}"],
    ["hint:{$natural:1},filter:{_id:2}", "{}"],
    ["filter:{t:3}", "{t:3}"],
    ["filter:{t:{$lt:3}}", "{t:1} {t:2}"],
    ["filter:{a:5},projection:{b:1}", "{a:5}"],
  ];

  for (const [spec, expected] of table) assert.equal(keys(spec), expected, spec);
  assert.equal(find("{returnKey:false,filter:{_id:3}}"), "{_id:3}");
});

test("the hint of a pipeline decides the order of the documents that reach its first stage", () => {
  const run = (rest: string) => store.run("AGGREGATE", json(`{${rest}}`));
  assert.equal(run("pipeline:[],hint:'none'"), "");

  insert("{_id:3,n:1}", "{_id:1,n:3}", "{_id:2,n:2}");
  createIndex("{n:-1}");

  const table: readonly (readonly [string, string])[] = [
    ["pipeline:[]", "3 1 2"],
    ["pipeline:[],hint:'n-1'", "1 2 3"],
    ["pipeline:[],hint:{n:-1}", "1 2 3"],
    ["pipeline:[],hint:{}", "3 1 2"],
    ["pipeline:[{$match:{n:{$lt:3}}},{$limit:1}],hint:{n:-1}", "2"],
    ["pipeline:[{$skip:1}],hint:'_id_'", "2 3"],
    ["pipeline:[{$limit:2}],hint:{$natural:-1}", "2 1"],
    ["pipeline:[{$sort:{n:1}}],hint:{n:-1}", "3 2 1"],
    ["pipeline:[{$group:{_id:null,f:{$first:'$n'}}},{$project:{_id:'$f'}}],hint:{n:-1}", "3"],
  ];

  for (const [rest, expected] of table) assert.equal(idsIn(run(rest)), expected, rest);
  for (const hint of ["'other'", "{n:1}"])
    assert.match(
      run(`pipeline:[],hint:${hint}`),
      /^MONGO 2 BadValue hint provided does not correspond to an existing index/,
    );
});

test("documents with one of several ids are in the order of their ids, unless a sort or a hint orders them", () => {
  insert("{_id:3,a:1}", "{_id:1,a:3}", "{_id:2,a:2}", "{_id:4,a:0}");
  createIndex("{a:1}");
  const list = "{_id:{$in:[4,3,1,9,2]}}";
  const table: readonly (readonly [string, string])[] = [
    [`{filter:${list}}`, "1 2 3 4"],
    [`{filter:${list},skip:1,limit:2}`, "2 3"],
    ["{filter:{_id:{$in:[3,1]},a:{$gt:0}}}", "1 3"],
    ["{filter:{_id:{$in:[3,1],$gt:1}}}", "3"],
    [`{filter:${list},sort:{a:1}}`, "4 3 2 1"],
    [`{filter:${list},hint:{a:1}}`, "4 3 2 1"],
    [`{filter:${list},hint:{$natural:1}}`, "3 1 2 4"],
    ["{filter:{a:{$in:[0,1,3]}}}", "3 1 4"],
  ];
  for (const [spec, expected] of table) assert.equal(ids(spec), expected, spec);
  assert.equal(idsIn(store.run("AGGREGATE", json(`{pipeline:[{$match:${list}}]}`))), "1 2 3 4");
});

test("a find by a list of many ids reads only documents with these ids", (t) => {
  const numbers = Array.from({ length: 6000 }, (_, i) => i);
  insert(...numbers.map((number) => `{_id:${5999 - number}}`));
  const read = t.mock.method(Collection.prototype, "document");
  const wanted = numbers.filter((number) => number % 3 === 0);
  assert.equal(ids(`{filter:{_id:{$in:[${wanted}]}}}`), wanted.join(" "));
  assert.equal(read.mock.callCount(), wanted.length);
});

test(`bounds find what a comparison of all keys finds (seed ${seedOfRun()})`, () => {
  for (let episode = 0; episode < amount(30, 300); episode++) {
    const random = new SeededRandom(seedOfRun(), episode);
    store = new MdbUnderTest();
    const directions = random.oneOf([[1], [-1], [1, 1], [1, -1], [-1, -1]]);
    const fields = ["a", "b"].slice(0, directions.length);
    const value = () => random.below(6);
    const documents = Array.from({ length: 40 }, (_, i) => ({ _id: i, a: value(), b: value() }));
    store.run("INSERT", "1", ...documents.map((one) => JSON.stringify(one)));
    const pattern = Object.fromEntries(fields.map((name, i) => [name, directions[i]]));
    store.run("CREATEINDEXES", JSON.stringify({ key: pattern, name: "i" }));
    type Key = readonly number[];
    const compare = (x: Key, y: Key) =>
      directions.reduce((sum, one, i) => sum || ((x[i] as number) - (y[i] as number)) * one, 0);
    const keyOf = (one: (typeof documents)[number]): Key => [one.a, one.b].slice(0, directions.length);
    for (let round = 0; round < 10; round++) {
      const [low = [], high = []]: readonly Key[] = [fields.map(value), fields.map(value)].sort(compare);
      const [hasMin, hasMax] = random.oneOf([
        [true, true],
        [true, false],
        [false, true],
      ]) as [boolean, boolean];
      const bound = (key: Key) => Object.fromEntries(fields.map((name, i) => [name, key[i]]));
      const spec = {
        hint: "i",
        filter: { _id: { $gte: random.below(20) } },
        ...(hasMin ? { min: bound(low) } : {}),
        ...(hasMax ? { max: bound(high) } : {}),
      };
      const expected =
        hasMin && hasMax && compare(low, high) === 0
          ? "MONGO 51175"
          : documents
              .filter(({ _id }) => _id >= spec.filter._id.$gte)
              .filter((one) => !hasMin || compare(keyOf(one), low) >= 0)
              .filter((one) => !hasMax || compare(keyOf(one), high) < 0)
              .sort((x, y) => compare(keyOf(x), keyOf(y)))
              .map(({ _id }) => _id)
              .join(" ");
      const answer = store.run("FIND", JSON.stringify(spec));
      assert.equal(
        answer.startsWith("MONGO") ? answer.slice(0, "MONGO 51175".length) : idsIn(answer),
        expected,
        `episode ${episode}: ${JSON.stringify(pattern)} ${JSON.stringify(spec)}`,
      );
    }
  }
});

test("explain refuses a hint that names no index, as the query does", () => {
  insert("{_id:1,a:5}");
  createIndex("{a:1}");
  const explain = (hint: string) => store.run("EXPLAIN", json(`{filter:{b:1},hint:${hint}}`));
  for (const hint of ["{b:1}", "'b1'"])
    assert.match(explain(hint), /does not correspond to an existing index/);
  for (const hint of ["{a:1}", "'a1'", "{$natural:1}"]) assert.match(explain(hint), /winningPlan/);
});
