/** Tests collections as keys: the keys that commands may touch, how other commands treat collections, and undo. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { findCommand } from "../../../../../daemon/store/command-table.js";
import { touchesOf } from "../../../../../daemon/store/rows/key-spec.js";
import { MdbUnderTest, textOf } from "./mdb-under-test.js";

let store: MdbUnderTest;
beforeEach(() => {
  store = new MdbUnderTest();
});

const touched = (...argv: readonly string[]) =>
  touchesOf(findCommand(argv[0] as string)?.keys ?? [], argv).map(
    ({ key, access, needs, beginning }) => `${access} ${key ?? `${beginning}*`} ${needs ?? ""}`,
  );

test("commands touch their collection, and $lookup also touches the collection that it joins", () => {
  assert.deepEqual(touched("MDB.INSERT", "db", "c.d", "1", "{}"), ["write mongo:db.c.d W"]);
  assert.deepEqual(touched("MDB.UPDATE", "db", "c", "1", "{}"), ["write mongo:db.c RW"]);
  assert.deepEqual(touched("MDB.DELETE", "db", "c", "1", "{}"), ["write mongo:db.c RW"]);
  assert.deepEqual(touched("MDB.FINDANDMODIFY", "db", "c", "{}"), ["write mongo:db.c RW"]);
  assert.deepEqual(touched("MDB.FIND", "db", "c", "{}"), ["read mongo:db.c R"]);
  assert.deepEqual(touched("MDB.DROPDATABASE", "db"), ["write mongo:db.* "]);
  assert.deepEqual(touched("MDB.LISTCOLLECTIONS", "db", "{}"), ["read mongo:db.* "]);
  assert.deepEqual(touched("MDB.LISTDATABASES", "{}"), ["read mongo:* "]);

  const lookup = (name: string) =>
    `{"pipeline":[{"$match":{}},{"${name}":{"from":"d","localField":"a","foreignField":"b","as":"c"}}]}`;
  for (const name of ["$lookup", "$look\\u0075p"])
    assert.deepEqual(touched("MDB.AGGREGATE", "db", "c", lookup(name)), [
      "read mongo:db.c R",
      "read mongo:db.d R",
    ]);
  assert.deepEqual(touched("MDB.AGGREGATE", "db", "c", "$lookup"), ["read mongo:db.c R"]);
});

test("a collection can be copied, renamed and expired like any key; MDB commands reject other types", () => {
  const run = (...argv: readonly string[]) => textOf(store.reply(...argv));
  store.run("INSERT", "1", '{"_id":1}');
  store.run("CREATEINDEXES", '{"key":{"a":1},"name":"a","unique":true}');

  assert.equal(run("TYPE", "mongo:db.c"), "collection");
  assert.match(run("DUMP", "mongo:db.c"), /^ERR a collection has no form in Redis: use MDB.FIND/);
  assert.match(run("GET", "mongo:db.c"), /^WRONGTYPE/);

  assert.equal(run("COPY", "mongo:db.c", "mongo:db.d"), "1");
  assert.equal(run("RENAME", "mongo:db.c", "mongo:other.c"), "OK");
  store.reply("MDB.INSERT", "other", "c", "1", '{"_id":2,"a":1}');
  assert.match(textOf(store.reply("MDB.INSERT", "other", "c", "1", '{"_id":3,"a":1}')), /11000/);
  assert.equal(run("MDB.FIND", "db", "d", "{}"), "{_id:1}");
  assert.equal(run("MDB.INSERT", "db", "d", "1", '{"_id":3,"a":1}'), "{n:1}");

  run("SET", "mongo:db.s", "text");
  assert.match(run("MDB.FIND", "db", "s", "{}"), /^WRONGTYPE/);
  assert.ok(Number(run("MEMORY", "USAGE", "mongo:db.d")) > 200);

  run("PEXPIREAT", "mongo:db.d", String(store.at + 1));
  store.at += 10;
  assert.equal(run("MDB.FIND", "db", "d", "{}"), "");
});

test("a failed statement changes nothing, and undo restores everything, including indexes", () => {
  store.run("CREATEINDEXES", '{"key":{"a":1},"name":"a","unique":true}');
  store.run("INSERT", "1", '{"_id":1,"a":1}', '{"_id":2,"a":2}', '{"_id":3,"a":3}');
  const before = store.state();

  store.records = [];
  assert.match(store.run("UPDATE", "1", '{"q":{"a":{"$lt":3}},"u":{"$set":{"a":9}},"multi":true}'), /11000/);
  assert.equal(store.state(), before);

  assert.equal(store.run("UPDATE", "1", '{"q":{},"u":{"$inc":{"a":1}},"multi":true}'), "{n:3,nModified:3}");
  store.run("DELETE", "1", '{"q":{"_id":2},"limit":1}');
  store.run("INSERT", "1", '{"_id":2,"a":3}');
  store.run("CREATEINDEXES", '{"key":{"b":1},"name":"b"}');
  store.run("DROPINDEXES", '{"index":"a"}');

  store.database.undo(store.records);
  assert.equal(store.state(), before);
  assert.match(store.run("INSERT", "1", '{"_id":4,"a":3}'), /11000/);
  assert.equal(store.run("COUNT", '{"query":{"a":4}}'), "0");
  assert.equal(store.run("COUNT", '{"query":{"a":2}}'), "1");
});
