/**
 * Tests positional paths, expressions and pipelines in statements, indexes that expire documents, and ranges and sorts
 * by index.
 */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { canonicalState } from "../../../../../daemon/store/canonical-state.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { MdbUnderTest, textOf } from "./mdb-under-test.js";

let store = new MdbUnderTest();
beforeEach(() => {
  store = new MdbUnderTest();
});

const insert = (...documents: readonly string[]) => store.run("INSERT", "1", ...documents);
const update = (q: string, u: string, more = "") => store.run("UPDATE", "1", `{"q":${q},"u":${u}${more}}`);

test("$ needs a condition that an element meets, and arrayFilters an update by operators", () => {
  insert('{"_id":1,"l":[1,2,3]}');
  for (const q of ['{"l":{"$ne":5}}', '{"l":{"$nin":[5]}}', '{"l":{"$not":{"$gt":5}}}'])
    assert.match(update(q, '{"$set":{"l.$":9}}'), /The positional operator did not find the match/, q);
  update('{"l":{"$ne":9,"$gt":1}}', '{"$set":{"l.$":9}}');
  update('{"l":{"$all":[3,1]}}', '{"$set":{"l.$":8}}');
  assert.equal(store.run("FIND", "{}"), "{_id:1,l:[1,9,8]}");
  assert.match(update("{}", '[{"$set":{"n":1}}]', ',"arrayFilters":[]'), /pipeline-style/);
});

test("positional paths select the elements that MongoDB's manual shows", () => {
  // The manual's examples of $, $[] and $[<identifier>].
  insert('{"_id":1,"grades":[85,80,80]}', '{"_id":2,"grades":[88,90,92]}', '{"_id":3,"grades":[85,100,90]}');
  update('{"_id":1,"grades":80}', '{"$set":{"grades.$":82}}');
  assert.equal(store.run("FIND", '{"filter":{"_id":1}}'), "{_id:1,grades:[85,82,80]}");
  update("{}", '{"$inc":{"grades.$[]":10}}', ',"multi":true');
  assert.equal(store.run("FIND", '{"filter":{"_id":2}}'), "{_id:2,grades:[98,100,102]}");
  update("{}", '{"$set":{"grades.$[e]":100}}', ',"multi":true,"arrayFilters":[{"e":{"$gte":100}}]');
  assert.equal(store.run("FIND", '{"filter":{"_id":3}}'), "{_id:3,grades:[95,100,100]}");

  insert('{"_id":4,"grades":[{"grade":80,"mean":75},{"grade":85,"mean":90},{"grade":90,"mean":85}]}');
  update('{"_id":4,"grades.grade":85}', '{"$set":{"grades.$.std":6}}');
  update(
    '{"_id":4,"grades":{"$elemMatch":{"grade":{"$lte":90},"mean":{"$gt":80}}}}',
    '{"$set":{"grades.$.top":1}}',
  );
  update('{"_id":4}', '{"$unset":{"grades.$[x].mean":1}}', ',"arrayFilters":[{"x.grade":{"$gt":85}}]');
  assert.equal(
    store.run("FIND", '{"filter":{"_id":4}}'),
    "{_id:4,grades:[{grade:80,mean:75},{grade:85,mean:90,std:6,top:1},{grade:90}]}",
  );

  const failures: readonly (readonly [string, string, string, RegExp])[] = [
    ['{"_id":1}', '{"$set":{"grades.$":1}}', "", /code:2,.*did not find the match/],
    ['{"_id":1}', '{"$set":{"none.$[]":1}}', "", /code:2,.*must exist/],
    ['{"_id":1}', '{"$set":{"_id.$[]":1}}', "", /code:2,.*non-array/],
    ['{"_id":1}', '{"$set":{"grades.$[y]":1}}', "", /No array filter found for identifier 'y'/],
    ['{"_id":1}', '{"$set":{"a":1}}', ',"arrayFilters":[{"y":1}]', /code:9,.*was not used/],
    ['{"_id":1}', '{"$set":{"grades.$[Y]":1}}', ',"arrayFilters":[{"Y":1}]', /lowercase/],
    ['{"_id":1}', '{"$set":{"grades.$[y]":1}}', ',"arrayFilters":[{"y":1,"z":2}]', /single top-level/],
    ['{"_id":1}', '{"$set":{"grades.$[]":1,"grades.0":2}}', "", /code:40/],
    ['{"_id":1}', '{"$rename":{"grades.$[]":"b"}}', "", /dynamic/],
  ];
  for (const [q, u, more, failure] of failures) assert.match(update(q, u, `${more}`), failure, u);
});

test("updates support $bit, pipelines, let and $$NOW", () => {
  insert('{"_id":1,"n":13,"long":{"$numberLong":"5"}}');
  update("{}", '{"$bit":{"n":{"and":10},"long":{"or":2},"new":{"xor":5}}}');
  assert.equal(store.all(), '{_id:1,n:8,long:{"$numberLong":"7"},new:5}');

  store.run("DELETE", "1", '{"q":{},"limit":0}');
  insert('{"_id":1,"q":[80,90],"who":"ann"}');
  update(
    "{}",
    '[{"$set":{"avg":{"$avg":"$q"},"at":"$$NOW"}},{"$set":{"grade":{"$switch":{"branches":[{"case":{"$gte":["$avg",90]},"then":"A"}],"default":"B"}},"name":{"$concat":[{"$toUpper":{"$substrCP":["$who",0,1]}},{"$substrCP":["$who",1,9]}]},"x":"$$x"}},{"$unset":["q","who"]}]',
    ',"let":{"x":{"$add":[1,2]}}',
  );
  assert.equal(
    store.all(),
    '{_id:1,avg:{"$numberDouble":"85.0"},at:{"$date":{"$numberLong":"1000000"}},grade:"B",name:"Ann",x:3}',
  );

  assert.match(update("{}", '[{"$group":{"_id":null}}]'), /code:72/);
  assert.match(update("{}", '[{"$set":{"_id":5}}]'), /code:66/);
  // A stage that omits _id leaves it unchanged.
  update("{}", '[{"$replaceWith":{"a":1}}]');
  assert.equal(store.all(), "{_id:1,a:1}");
});

test("$rand and $sample follow from the unit, so they are the same on each daemon", () => {
  const filledStore = () => {
    const one = new MdbUnderTest();
    one.run("INSERT", "1", ...Array.from({ length: 50 }, (_, i) => `{"_id":${i}}`));
    one.run("UPDATE", "1", '{"q":{},"u":[{"$set":{"r":{"$rand":{}}}}],"multi":true}');
    return one;
  };
  const [one, other] = [filledStore(), filledStore()];
  assert.deepEqual(canonicalState(one.database), canonicalState(other.database));
  const distinct = one.run("DISTINCT", '{"key":"r"}').split("numberDouble").length;
  assert.ok(distinct > 40, String(distinct));
  const sampled = one.run("AGGREGATE", '{"pipeline":[{"$sample":{"size":5}},{"$project":{"_id":1}}]}');
  assert.equal(new Set(sampled.split(" ")).size, 5);
});

test("documents expire by the unit's date, not by any clock, and writes remove them", () => {
  const at = (milliseconds: number) => `{"$date":{"$numberLong":"${milliseconds}"}}`;
  const index = (options: string) => store.run("CREATEINDEXES", `{"key":{"d":1},"name":"d_1"${options}}`);
  assert.match(index(',"expireAfterSeconds":10'), /numIndexesAfter:2/);
  assert.match(store.run("LISTINDEXES"), /expireAfterSeconds/);
  assert.match(index(',"expireAfterSeconds":11'), /^MONGO 85/);

  insert(
    `{"_id":1,"d":${at(1_000_000)}}`,
    `{"_id":2,"d":[${at(2_000_000)},${at(1_005_000)}]}`,
    '{"_id":3,"d":5}',
    '{"_id":4}',
  );

  const before = store.state();
  const ids = () => store.run("FIND", '{"projection":{"_id":1}}');
  const counted = () => store.run("COUNT", "{}");

  store.at = 1_009_999;
  assert.equal(ids(), "{_id:1} {_id:2} {_id:3} {_id:4}");
  store.at = 1_010_000;
  assert.equal(ids(), "{_id:2} {_id:3} {_id:4}");
  assert.equal(counted(), "3");
  assert.equal(
    store.run(
      "AGGREGATE",
      '{"pipeline":[{"$lookup":{"from":"c","localField":"_id","foreignField":"_id","as":"x"}},{"$count":"n"}]}',
    ),
    "{n:3}",
  );
  store.at = 1_015_000;
  assert.equal(ids(), "{_id:3} {_id:4}");

  // Reads do not change the state.
  assert.equal(store.state(), before);

  store.records = [];
  assert.equal(insert('{"_id":1,"a":1}'), "{n:1}");
  assert.equal(store.all(), `{_id:3,d:5} {_id:4} {_id:1,a:1}`);
  store.database.undo(store.records);
  assert.equal(store.state(), before, "undo restores expired documents too");
});

test("dropping an index does not show documents again that had expired", () => {
  store.run("CREATEINDEXES", '{"key":{"d":1},"name":"d","expireAfterSeconds":0}');
  insert('{"_id":1,"d":{"$date":{"$numberLong":"1"}}}', '{"_id":2}');
  store.run("DROPINDEXES", '{"index":"d"}');
  assert.equal(store.all(), "{_id:2}");
});

test("expired documents, which no client sees, do not prevent a unique index", () => {
  store.run("CREATEINDEXES", '{"key":{"d":1},"name":"d","expireAfterSeconds":0}');
  insert('{"_id":1,"u":1,"d":{"$date":{"$numberLong":"1"}}}', '{"_id":2,"u":1}');
  const before = store.state();
  store.records = [];
  const unique = '{"key":{"u":1},"name":"u","unique":true}';
  assert.match(store.run("CREATEINDEXES", unique), /numIndexesAfter:3/);
  assert.match(insert('{"_id":3,"u":1}'), /code:11000/);
  store.database.undo(store.records);
  assert.ok(store.state() === before, "undo restores the expired document");
  assert.match(store.run("CREATEINDEXES", unique), /numIndexesAfter:3/);
});

test("dropping an index removes more expired documents than one write does, and undo restores them", () => {
  store.run("CREATEINDEXES", '{"key":{"d":1},"name":"d","expireAfterSeconds":0}');
  insert(...Array.from({ length: 2500 }, (_, i) => `{"_id":${i},"d":{"$date":{"$numberLong":"1"}}}`));
  const before = store.state();
  store.records = [];
  assert.match(store.run("DROPINDEXES", '{"index":"none"}'), /^MONGO 27/);
  assert.ok(store.state() === before, "a refused drop removes nothing");
  assert.match(store.run("DROPINDEXES", '{"index":"d"}'), /nIndexesWas:2/);
  assert.equal(store.all(), "");
  store.database.undo(store.records);
  assert.ok(store.state() === before, "undo restores all of them");
});

test("a read finds no expired document even if a write removes only some, and their values can be inserted again", () => {
  store.run(
    "CREATEINDEXES",
    '{"key":{"d":1},"name":"d","expireAfterSeconds":0}',
    '{"key":{"u":1},"name":"u","unique":true}',
  );
  insert(
    ...Array.from({ length: 2500 }, (_, i) => `{"_id":${i},"u":${i},"d":{"$date":{"$numberLong":"1"}}}`),
  );

  // These documents had already expired when they were inserted. The next writes remove them.
  assert.equal(store.run("COUNT", "{}"), "0");
  assert.equal(insert('{"_id":2400,"u":2400,"k":1}'), "{n:1}");
  assert.equal(store.all(), "{_id:2400,u:2400,k:1}");
  insert('{"_id":"a","u":"a"}');
  insert('{"_id":"b","u":"b"}');
  const { length } = store.state().match(/\$date|numberLong/g) ?? [];
  assert.equal(length ?? 0, 0, "all documents are removed");
});

const seed = seedOfRun();

test(`indexes do not change the results of ranges and sorts (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  const [plain, indexed] = [new MdbUnderTest(), new MdbUnderTest()];
  indexed.run(
    "CREATEINDEXES",
    ...[
      '{"key":{"a":1},"name":"a"}',
      '{"key":{"b":1,"a":-1},"name":"ba"}',
      '{"key":{"l":1},"name":"l"}',
      '{"key":{"s":1},"name":"s","sparse":true}',
    ],
  );

  const both = (name: string, ...rest: readonly string[]) => {
    const answers = [plain, indexed].map((one) => one.run(name, ...rest));
    assert.equal(answers[1], answers[0], `${name} ${rest.join(" ")}`);
  };

  const value = () =>
    random.oneOf([
      "1",
      "2",
      "3",
      "4.5",
      "-1",
      '"x"',
      '"y"',
      "null",
      "true",
      '{"$date":{"$numberLong":"7"}}',
      '{"z":1}',
      '{"$numberDouble":"NaN"}',
    ]);

  for (let i = 0; i < amount(150, 1500); i++) {
    const l = random.chance(0.2) ? "[]" : `[${value()},${value()}]`;
    const s = random.chance(0.5) ? `,"s":${value()}` : "";
    both("INSERT", "1", `{"_id":${i},"a":${value()},"b":${random.below(3)},"l":${l}${s}}`);
  }

  const ranges = () => {
    const lower = random.chance(0.7) ? [`"${random.oneOf(["$gt", "$gte"])}":${value()}`] : [];
    const upper = random.chance(0.7) ? [`"${random.oneOf(["$lt", "$lte"])}":${value()}`] : [];
    return `{${[...lower, ...upper].join(",")}}`;
  };

  for (let i = 0; i < amount(100, 400); i++) {
    const field = random.oneOf(["a", "l", "s"]);
    const filter = random.oneOf([
      `{"${field}":${ranges()}}`,
      `{"b":${random.below(3)},"a":${ranges()}}`,
      `{"b":1}`,
      "{}",
    ]);
    const direction = random.oneOf([1, -1]);
    const sort = random.oneOf([`{"${field}":${direction}}`, `{"b":${direction},"a":${direction}}`, "{}"]);

    both(
      "FIND",
      `{"filter":${filter},"sort":${sort},"skip":${random.below(3)},"limit":${random.oneOf([0, 1, 5])}}`,
    );
    both("COUNT", `{"query":${filter}}`);
    if (i % 4 === 0)
      both(
        "UPDATE",
        "1",
        `{"q":${filter},"u":{"$set":{"${field}":${value()}}},"multi":${random.chance(0.3)}}`,
      );
    if (i % 7 === 0) both("FINDANDMODIFY", `{"query":${filter},"sort":${sort},"remove":true}`);
  }
});

test("EXPLAIN names the index, STATS counts documents and indexes, and RENAME renames a collection", () => {
  store.run("CREATEINDEXES", '{"key":{"a":1},"name":"a_1"}');
  insert('{"_id":1,"a":1}', '{"_id":2,"a":2}', '{"_id":3,"a":3}');

  assert.match(
    store.run("EXPLAIN", '{"filter":{"a":{"$gte":2}}}'),
    /IXSCAN.*indexName:"a_1".*documentsToExamine:2/,
  );
  assert.match(store.run("EXPLAIN", '{"filter":{"b":1}}'), /COLLSCAN.*documentsToExamine:3/);
  assert.match(store.run("STATS"), /count:3,.*nindexes:2/);

  const reply = store.reply("MDB.RENAME", "db", "c", "other", "d", "0");
  assert.equal(reply.kind, "status");
  assert.equal(store.all(), "");
  assert.match(store.run("RENAME", "other", "d", "0"), /^MONGO 26/);
  insert('{"_id":9}');
  assert.match(store.reply("MDB.RENAME", "other", "d", "db", "c", "0").kind, /error/);
  assert.equal(store.reply("MDB.RENAME", "other", "d", "db", "c", "1").kind, "status");
  assert.match(store.run("STATS"), /count:3,.*nindexes:2/);
});

test("different elements of an array may satisfy the two bounds of a range, or the conditions on two fields", () => {
  store.run("CREATEINDEXES", '{"key":{"l":1},"name":"l"}', '{"key":{"d.x":1,"d.y":1},"name":"d"}');
  insert('{"_id":1,"l":[10,0],"d":[{"x":1,"y":2},{"x":2,"y":3}]}');
  assert.match(store.run("FIND", '{"filter":{"l":{"$gt":3,"$lt":5}}}'), /_id:1/);
  assert.match(store.run("FIND", '{"filter":{"d.x":1,"d.y":{"$gt":2.5}}}'), /_id:1/);
});

test("STATS of an absent collection counts nothing", () => {
  assert.match(store.run("STATS"), /count:0,size:0,.*nindexes:0,.*indexSizes:\{\}/);
});

test("RENAME refuses absent, equal and existing names, each with MongoDB's number", () => {
  const rename = (...names: readonly string[]) => textOf(store.reply("MDB.RENAME", ...names));
  insert('{"_id":1}');
  store.reply("MDB.INSERT", "db", "d", "1", '{"_id":2}');
  assert.match(rename("db", "c", "db", "c", "0"), /^MONGO 20 /);
  assert.match(rename("db", "c", "db", "c", "1"), /^MONGO 20 /);
  assert.match(rename("db", "absent", "db", "e", "0"), /^MONGO 26 /);
  assert.match(rename("db", "c", "db", "d", "0"), /^MONGO 48 /);
  assert.match(rename("db", "c", "db", "d", "2"), /^MONGO 9 /);
});
