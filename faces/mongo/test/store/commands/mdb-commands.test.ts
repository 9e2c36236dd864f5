/** Replies of MDB commands: writes, reads, errors with MongoDB's numbers. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { collections } from "../../../store/commands/mdb-commands.js";
import { MdbUnderTest, textOf } from "./mdb-under-test.js";

let store: MdbUnderTest;
beforeEach(() => {
  store = new MdbUnderTest();
});

const same = (name: string, args: readonly string[], answer: string) =>
  assert.equal(store.run(name, ...args), answer, `${name} ${args.join(" ")}`);
const insert = (...documents: readonly string[]) => store.run("INSERT", "1", ...documents);

test("FIND returns documents in the order of insertion, with _id first", () => {
  assert.equal(insert('{"b":1,"_id":2}', '{"_id":1}'), "{n:2}");
  assert.equal(store.all(), "{_id:2,b:1} {_id:1}");
  same("COUNT", ["{}"], "2");
  same("FIND", ['{"sort":{"_id":1},"limit":1}'], "{_id:1}");
  same("FIND", ['{"filter":{"b":{"$exists":false}}}'], "{_id:1}");
});

test("INSERT reports a duplicate _id by its index, and only an ordered insert stops there", () => {
  insert('{"_id":1}');
  const failure =
    '{index:0,code:11000,errmsg:"E11000 duplicate key error collection: db.c index: _id_ dup key: { _id: 1 }",keyPattern:{_id:1},keyValue:{_id:{"$numberDouble":"1.0"}}}';
  assert.equal(store.run("INSERT", "1", '{"_id":1.0}', '{"_id":2}'), `{n:0,writeErrors:[${failure}]}`);
  assert.match(
    store.run("INSERT", "0", '{"_id":1}', '{"_id":2}', '{"_id":2}'),
    /^\{n:1,writeErrors:\[\{index:0.*index:2/,
  );
  assert.match(store.run("INSERT", "1", '{"a":1}'), /code:53/);
  assert.match(store.run("INSERT", "1", '{"_id":[1]}'), /code:53/);
});

test("updates report how many documents they found and changed, and change all or none", () => {
  insert('{"_id":1,"a":1}', '{"_id":2,"a":"x"}', '{"_id":3}');
  same("UPDATE", ["1", '{"q":{"_id":1},"u":{"$set":{"a":1}}}'], "{n:1,nModified:0}");
  same("UPDATE", ["1", '{"q":{},"u":{"$set":{"b":{"c":[]}}},"multi":true}'], "{n:3,nModified:3}");
  assert.match(
    store.run("UPDATE", "1", '{"q":{},"u":{"$inc":{"a":1}},"multi":true}'),
    /n:0,nModified:0,writeErrors:\[\{index:0,code:14/,
  );
  assert.equal(store.all(), '{_id:1,a:1,b:{c:[]}} {_id:2,a:"x",b:{c:[]}} {_id:3,b:{c:[]}}');

  same("UPDATE", ["1", '{"q":{"a":"x"},"u":{"z":1}}'], "{n:1,nModified:1}");
  assert.equal(store.run("FIND", '{"filter":{"_id":2}}'), "{_id:2,z:1}");

  assert.match(store.run("UPDATE", "1", '{"q":{"_id":1},"u":{"$set":{"_id":7}}}'), /code:66/);
  assert.match(store.run("UPDATE", "1", '{"q":{"_id":1},"u":{"_id":7}}'), /code:66/);
  assert.match(store.run("UPDATE", "1", '{"q":{},"u":{"a":1},"multi":true}'), /code:9/);
  assert.match(store.run("UPDATE", "1", '{"q":{},"u":{"$set":{"a":1,"a.b":1}}}'), /code:40/);
  assert.match(store.run("UPDATE", "1", '{"q":{},"u":{"$set":{"a.b":1}}}'), /code:28/);
  assert.match(store.run("UPDATE", "1", '{"q":{},"u":{"$set":{"a.$":1}}}'), /code:2,/);
  assert.match(store.run("UPDATE", "1", '{"q":{},"u":{"$bit":{"a":1}}}'), /code:/);
  assert.match(store.run("UPDATE", "1", '{"q":{},"u":{},"collation":{}}'), /^MONGO 40415 Location40415/);
});

test("each update operator has the effect that its name suggests", () => {
  const updated = (before: string, update: string) => {
    store.run("DELETE", "1", '{"q":{},"limit":0}');
    insert(before);
    const answer = store.run("UPDATE", "1", `{"q":{},"u":${update}}`);
    return answer.includes("code") ? answer : store.all();
  };

  const long = '{"$numberLong":"9223372036854775807"}';
  const table: readonly (readonly [string, string, string | RegExp])[] = [
    ['{"_id":1}', '{"$set":{"b":1,"a":2,"c.d.e":3}}', "{_id:1,a:2,b:1,c:{d:{e:3}}}"],
    ['{"_id":1,"a":[1]}', '{"$set":{"a.3":2}}', "{_id:1,a:[1,null,null,2]}"],
    ['{"_id":1,"a":[1,2],"b":1}', '{"$unset":{"a.0":1,"b":1,"x.y":1}}', "{_id:1,a:[null,2]}"],
    ['{"_id":1,"a":2147483647}', '{"$inc":{"a":1,"b":2}}', '{_id:1,a:{"$numberLong":"2147483648"},b:2}'],
    [`{"_id":1,"a":${long}}`, '{"$inc":{"a":1}}', /code:2,/],
    ['{"_id":1,"a":1}', '{"$inc":{"a":0.5}}', '{_id:1,a:{"$numberDouble":"1.5"}}'],
    ['{"_id":1,"a":1}', '{"$inc":{"a":{"$numberDecimal":"0.10"}}}', '{_id:1,a:{"$numberDecimal":"1.10"}}'],
    [
      '{"_id":1,"a":{"$numberDecimal":"1"}}',
      '{"$inc":{"a":0.1}}',
      '{_id:1,a:{"$numberDecimal":"1.100000000000000"}}',
    ],
    ['{"_id":1,"a":3}', '{"$mul":{"a":2,"b":5.5}}', '{_id:1,a:6,b:{"$numberDouble":"0.0"}}'],
    ['{"_id":1,"a":3,"b":3}', '{"$min":{"a":2,"c":1},"$max":{"b":2}}', "{_id:1,a:2,b:3,c:1}"],
    ['{"_id":1,"a":3,"b":{"c":4}}', '{"$rename":{"a":"z","b.c":"d"}}', "{_id:1,b:{},d:4,z:3}"],
    [
      '{"_id":1}',
      '{"$currentDate":{"a":true,"b":{"$type":"timestamp"}}}',
      '{_id:1,a:{"$date":{"$numberLong":"1000000"}},b:{"$timestamp":{t:1000,i:1}}}',
    ],
    [
      '{"_id":1,"a":[3,1]}',
      '{"$push":{"a":{"$each":[2,0],"$sort":1,"$slice":3},"b":{"c":1}}}',
      "{_id:1,a:[0,1,2],b:[{c:1}]}",
    ],
    ['{"_id":1,"a":[3,1]}', '{"$push":{"a":{"$each":[9],"$position":-1}}}', "{_id:1,a:[3,9,1]}"],
    ['{"_id":1,"a":1}', '{"$push":{"a":1}}', /code:2,/],
    ['{"_id":1,"a":[1]}', '{"$addToSet":{"a":{"$each":[1.0,2,2]}}}', "{_id:1,a:[1,2]}"],
    [
      '{"_id":1,"a":[1,2,3],"b":[{"c":1,"d":2},{"c":2}]}',
      '{"$pull":{"a":{"$gte":2},"b":{"c":1}}}',
      "{_id:1,a:[1],b:[{c:2}]}",
    ],
    ['{"_id":1,"a":[1,2,3,2]}', '{"$pullAll":{"a":[2,3]}}', "{_id:1,a:[1]}"],
    ['{"_id":1}', '{"$push":{"a":2}}', "{_id:1,a:[2]}"],
    ['{"_id":1}', '{"$addToSet":{"a":2}}', "{_id:1,a:[2]}"],
    ['{"_id":1}', '{"$pull":{"a":2}}', "{_id:1}"],
    ['{"_id":1}', '{"$pullAll":{"a":[2]}}', "{_id:1}"],
    ['{"_id":1}', '{"$pop":{"a":1}}', "{_id:1}"],
    ['{"_id":1,"a":[1,2,3]}', '{"$pop":{"a":-1}}', "{_id:1,a:[2,3]}"],
    ['{"_id":1}', '{"$setOnInsert":{"a":1}}', "{_id:1}"],
    ['{"_id":1}', '{"$set":{}}', "{_id:1}"],
  ];

  for (const [before, update, after] of table) {
    const is = updated(before, update);
    if (typeof after === "string") assert.equal(is, after, `${before} ${update}`);
    else assert.match(is, after, `${before} ${update}`);
  }
});

test("an upsert creates a document from the filter and the update", () => {
  const upsert = (q: string, u: string) =>
    store.run("UPDATE", "1", `{"q":${q},"u":${u},"upsert":true,"upsertId":"new"}`);
  assert.equal(
    upsert('{"a.b":1,"c":{"$gt":1}}', '{"$set":{"d":1},"$setOnInsert":{"e":2}}'),
    '{n:1,nModified:0,upserted:[{index:0,_id:"new"}]}',
  );
  assert.equal(store.all(), '{_id:"new",a:{b:1},d:1,e:2}');
  assert.equal(upsert('{"_id":5}', '{"x":1}'), "{n:1,nModified:0,upserted:[{index:0,_id:5}]}");
  assert.equal(upsert('{"_id":5}', '{"x":1}'), "{n:1,nModified:0}");
  assert.match(store.run("UPDATE", "1", '{"q":{"y":1},"u":{},"upsert":true}'), /code:2,/);
});

test("deletes and findAndModify affect one document or all", () => {
  insert('{"_id":1,"a":1}', '{"_id":2,"a":1}', '{"_id":3,"a":2}');
  same(
    "FINDANDMODIFY",
    ['{"query":{"a":1},"sort":{"_id":-1},"update":{"$inc":{"a":5}},"new":true,"fields":{"a":1,"_id":0}}'],
    "{value:{a:6},lastErrorObject:{n:1,updatedExisting:true}}",
  );
  same(
    "FINDANDMODIFY",
    ['{"query":{"a":9},"update":{"$inc":{"a":5}}}'],
    "{value:null,lastErrorObject:{n:0,updatedExisting:false}}",
  );
  same(
    "FINDANDMODIFY",
    ['{"query":{"a":9},"update":{"$set":{"b":5}},"upsert":true,"upsertId":7,"new":true}'],
    "{value:{_id:7,a:9,b:5},lastErrorObject:{n:1,updatedExisting:false,upserted:7}}",
  );
  same(
    "FINDANDMODIFY",
    ['{"query":{"_id":7},"remove":true}'],
    "{value:{_id:7,a:9,b:5},lastErrorObject:{n:1}}",
  );

  same("DELETE", ["1", '{"q":{},"limit":1}'], "{n:1}");
  same("DELETE", ["1", '{"q":{"a":6},"limit":0}', '{"q":{},"limit":0}'], "{n:2}");
  assert.equal(store.all(), "");
  assert.equal(store.reply("TYPE", "mongo:db.c").kind, "status");
});

test("unique indexes reject duplicates, for every element of an array, and are listed and dropped", () => {
  insert('{"_id":1,"a":[1,2]}', '{"_id":2,"a":3}', '{"_id":3}');
  same(
    "CREATEINDEXES",
    ['{"key":{"a":1},"name":"a_1","unique":true}'],
    "{numIndexesBefore:1,numIndexesAfter:2,createdCollectionAutomatically:false}",
  );
  same("LISTINDEXES", ["{}"], '{v:2,key:{_id:1},name:"_id_"} {v:2,key:{a:1},name:"a_1",unique:true}');

  assert.match(insert('{"_id":4,"a":2}'), /11000.*keyPattern:\{a:1\},keyValue:\{a:2\}/);
  assert.match(insert('{"_id":4}'), /dup key: \{ a: null \}/);
  assert.match(store.run("UPDATE", "1", '{"q":{"_id":2},"u":{"$set":{"a":1}}}'), /code:11000/);
  same("UPDATE", ["1", '{"q":{},"u":{"$inc":{"b":1}},"multi":true}'], "{n:3,nModified:3}");

  assert.match(
    store.run("CREATEINDEXES", '{"key":{"b":1},"name":"b_1","unique":true}'),
    /^MONGO 11000 DuplicateKey/,
  );
  assert.match(store.run("CREATEINDEXES", '{"key":{"a":1},"name":"other"}'), /^MONGO 85/);
  assert.match(store.run("CREATEINDEXES", '{"key":{"b":1},"name":"a_1"}'), /^MONGO 86/);
  assert.match(store.run("CREATEINDEXES", '{"key":{"b":"text"},"name":"t"}'), /^MONGO 67/);
  assert.match(
    store.run("CREATEINDEXES", '{"key":{"b":1},"name":"t","partialFilterExpression":{}}'),
    /^MONGO 40415/,
  );

  assert.match(store.run("DROPINDEXES", '{"index":"_id_"}'), /^MONGO 72/);
  assert.match(store.run("DROPINDEXES", '{"index":"x"}'), /^MONGO 27 IndexNotFound/);
  same("DROPINDEXES", ['{"index":"a_1"}'], "{nIndexesWas:2}");
  assert.equal(insert('{"_id":4,"a":2}'), "{n:1}");
});

test("an index of several fields permits only one array in a document", () => {
  store.run(
    "CREATEINDEXES",
    '{"key":{"a.b":1,"a.c":1},"name":"i","unique":true}',
    '{"key":{"x":1,"y":1},"name":"j"}',
  );
  assert.equal(insert('{"_id":1,"a":[{"b":1,"c":1},{"b":2,"c":2}]}'), "{n:1}");
  assert.equal(insert('{"_id":2,"a":[{"b":1,"c":2}]}'), "{n:1}");
  assert.match(insert('{"_id":3,"a":{"b":2,"c":2}}'), /11000/);
  assert.match(insert('{"_id":4,"x":[1],"y":[2]}'), /code:171/);
});

test("collections and databases are listed and dropped", () => {
  insert('{"_id":1}');
  same("CREATE", [], "MONGO 48 NamespaceExists Collection db.c already exists.");
  store.reply("MDB.CREATE", "db", "d.e");
  store.reply("MDB.INSERT", "other", "c", "1", '{"_id":1}');

  const names = (...argv: readonly string[]) => {
    const reply = store.reply(...argv);
    assert.equal(reply.kind, "array", JSON.stringify(reply));
    return reply.kind === "array"
      ? reply.items.map((one) => (one.kind === "bulk" ? JSON.parse(one.bytes).name : ""))
      : [];
  };

  assert.deepEqual(names("MDB.LISTCOLLECTIONS", "db", "{}"), ["c", "d.e"]);
  assert.deepEqual(names("MDB.LISTCOLLECTIONS", "db", '{"filter":{"name":"c"},"nameOnly":true}'), ["c"]);
  assert.deepEqual(names("MDB.LISTDATABASES", "{}"), ["db", "other"]);

  store.reply("MDB.DROP", "db", "d.e");
  store.reply("MDB.DROPDATABASE", "other");
  assert.deepEqual(names("MDB.LISTDATABASES", "{}"), ["db"]);
  assert.match(store.run("LISTINDEXES"), /_id_/);

  for (const [database, name] of [
    ["", "c"],
    ["a.b", "c"],
    ["d", ""],
    ["d", "a$"],
    ["d", "system.x"],
  ] as const)
    assert.match(String((store.reply("MDB.CREATE", database, name) as { text?: string }).text), /^MONGO 73 /);
});

test("each command refuses fewer arguments than it needs and, unless it accepts many, more", () => {
  const calls: readonly (readonly [least: string, isMany?: "many"])[] = [
    ['INSERT db c 1 {"_id":1}', "many"],
    ['UPDATE db c 1 {"q":{},"u":{"a":1}}', "many"],
    ['DELETE db c 1 {"q":{},"limit":1}', "many"],
    ['FINDANDMODIFY db c {"query":{},"remove":true}'],
    ["FIND db c {}"],
    ["COUNT db c {}"],
    ['DISTINCT db c {"key":"a"}'],
    ['AGGREGATE db c {"pipeline":[]}'],
    ["CREATE db new"],
    ['CREATEINDEXES db c {"key":{"a":1},"name":"a"}', "many"],
    ['DROPINDEXES db c {"index":"a"}'],
    ["LISTINDEXES db c", "many"],
    ["LISTCOLLECTIONS db {}"],
    ["LISTDATABASES {}"],
    ["STATS db", "many"],
    ["EXPLAIN db c {}"],
    ["RENAME db c db d 0"],
    ["DROP db d"],
    ["DROPDATABASE db"],
  ];

  const reply = (argv: readonly string[]) => store.reply(...argv);
  const refusal = /^ERR wrong number of arguments /;
  for (const [call, isMany] of calls) {
    const argv = `MDB.${call}`.split(" ");
    const least = reply(argv);
    assert.notEqual(least.kind, "error", `${call}: ${least.kind === "error" ? least.text : ""}`);
    assert.match(textOf(reply(argv.slice(0, -1))), refusal, call);
    if (isMany === undefined) assert.match(textOf(reply([...argv, "{}"])), refusal, call);
  }

  const named = calls.map(([call]) => `MDB.${call.split(" ")[0]}`);
  assert.deepEqual(named.sort(), collections.map(({ name }) => name).sort());
});
