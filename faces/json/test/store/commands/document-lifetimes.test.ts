/** Tests expiring entries of documents, revisions, indexes, and errors for wrong options. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { StoreUnderTest } from "../../../../../test/daemon/store/commands/store-under-test.js";

let store: StoreUnderTest;
beforeEach(() => {
  store = new StoreUnderTest();
  store.run("DOC.CREATE d");
});

const same = (line: string, reply: string) => assert.equal(store.run(line), reply, line);

test("an entry disappears from all reads after its expiry time, and the remaining entries keep their keys", () => {
  store.run('DOC.INSERT d {"n":0}');
  store.run('DOC.INSERT d PX 100 {"n":1} {"n":2}');
  store.run('DOC.INSERT d {"n":3}');
  store.at += 100;
  same("DOC.COUNT d", ":4");
  store.at += 1;
  same("DOC.COUNT d", ":2");
  same("DOC.GET d", '["0" "{\\"n\\":0}" "3" "{\\"n\\":3}"]');
  same("DOC.GET d ID 1", "[]");
  same('DOC.COUNT d WHERE {"n":1}', ":0");
  same('DOC.COUNT d QUERY {"n":2}', ":0");
  same("DOC.GETALL", '["d" ["0" "{\\"n\\":0}" "3" "{\\"n\\":3}"]]');
  same('DOC.UPDATE d {"n":9} ID 1', '-"ERR Key:id provided does not exist in document."');
  same("DOC.DELETE d 2", '-"ERR Key:id provided does not exist in document."');
  same('DOC.INSERT d {"n":4}', '["4"]');
});

test("the first entry that has not expired defines the names, and an empty document accepts any", () => {
  store.run('DOC.INSERT d EXAT 1001 {"a":1}');
  same("DOC.GETKEYS d", '["0" ["a"]]');
  store.at += 2000;
  same("DOC.GETKEYS d", '-"ERR Key:id provided does not exist in document."');
  same('DOC.INSERT d {"b":1}', '["1"]');
});

test("an update keeps or changes the expiry time; PERSIST and an insert of the same key remove it", () => {
  store.run('DOC.INSERT d EX 10 KEYS k {"a":1} l {"a":1} m {"a":1}');
  store.run('DOC.UPDATE d {"a":2} ID k');
  store.run("DOC.UPDATE d {} ID l PERSIST");
  store.run('DOC.INSERT d KEYS m {"a":3}');
  same("DOC.GET d ID k DETAILS", `["k" ["{\\"a\\":2}" "${revision("k")}" :1010000]]`);
  store.run("DOC.UPDATE d {} ID k PX 20000");
  store.at += 15_000;
  same("DOC.COUNT d", ":3");
  store.at += 10_000;
  same("DOC.GET d FIELDS []", '["l" "{}" "m" "{}"]');
});

function revision(key: string): string {
  return /"([0-9a-f]{16})"/.exec(store.run(`DOC.GET d ID ${key} DETAILS`))?.[1] as string;
}

test("a write with a revision fails if the entry has changed, and reports the current revision", () => {
  store.run('DOC.INSERT d KEYS k {"a":1}');
  const first = revision("k");
  same(`DOC.UPDATE d {"a":2} ID k REVISION ${first}`, '["keys" ["a"] "changed" ["k" "{\\"a\\":2}"]]');
  const second = revision("k");
  assert.notEqual(second, first);
  const failure = `-"REVISION The entry k has revision ${second}, not ${first}: read it again, then change it."`;
  assert.equal(store.changes(`DOC.UPDATE d {"a":3} ID k REVISION ${first}`), 0);
  same(`DOC.UPDATE d {"a":3} ID k REVISION ${first}`, failure);
  same(`DOC.DELETE d k REVISION ${first}`, failure);
  same(
    `DOC.UPDATE d [{"a":1}] REVISION ${second}`,
    `-"ERR REVISION applies to one entry, but a list replaces all entries"`,
  );
  same(`DOC.DELETE d k REVISION ${second}`, '+"OK"');
});

test("a revision depends only on an entry's text, because clients store revisions", () => {
  store.run('DOC.INSERT d KEYS k {"a":1} l {"a":1}');
  assert.equal(revision("k"), revision("l"));
  assert.equal(revision("k"), "1bbea95ecd443c36");
});

test("indexes are listed by name, survive copies, EMPTY and lists, and are undone", () => {
  same("DOC.INDEX CREATE d b", ":1");
  same("DOC.INDEX CREATE d a", ":1");
  same("DOC.INDEX CREATE d a", ":0");
  same("DOC.INDEX LIST d", '["a" "b"]');

  store.run('DOC.INSERT d {"a":1} {"a":2}');
  store.run('DOC.UPDATE d [{"a":3}]');
  store.run("DOC.EMPTY d");
  store.run("COPY d e");
  same("DOC.INDEX LIST e", '["a" "b"]');
  same("DOC.INDEX DROP e a", ":1");
  same("DOC.INDEX DROP e a", ":0");
  same("DOC.INDEX LIST d", '["a" "b"]');

  assert.ok(store.isUndone("DOC.INDEX CREATE d c"));
  assert.ok(store.isUndone("DOC.INDEX DROP d a"));

  for (let n = 0; n < 14; n++) same(`DOC.INDEX CREATE d f${n}`, ":1");
  same(
    "DOC.INDEX CREATE d g",
    '-"ERR A document has at most 16 indexes: drop one that is not needed (DOC.INDEX LIST)"',
  );
  same("DOC.INDEX CREATE x a", '-"ERR Document provided does not exist."');
  same("DOC.INDEX NOPE d", "-\"ERR unknown subcommand 'NOPE'. There are CREATE, DROP, LIST.\"");
});

test("undo reverts every write with an expiry time and every removal of expired entries", () => {
  store.run('DOC.INSERT d PX 10 KEYS x {"a":1} 3 {"a":2}');
  store.run('DOC.INSERT d {"a":3} {"a":4}');
  for (const line of [
    'DOC.INSERT d EX 5 {"a":5}',
    "DOC.UPDATE d {} ID x PERSIST",
    'DOC.UPDATE d {"a":7} ID 4 PX 5',
    'DOC.INSERT d KEYS x {"a":9}',
    'DOC.UPDATE d [{"a":1}] EX 9',
    "DOC.DELETE d x",
    "DOC.EMPTY d",
  ])
    assert.ok(store.isUndone(line), line);
  store.at += 11;
  assert.ok(store.isUndone('DOC.INSERT d {"a":6}', "DOC.DELETE d 4", 'DOC.INSERT d KEYS x {"a":1}'));
  store.run('DOC.INSERT d {"a":6}');
  assert.equal(store.run("DOC.COUNT d"), ":3");
});

test("a document is plain again once undo has removed its keys, before undo restores its entries", () => {
  store.run('DOC.INSERT d {"a":0} {"a":1} {"a":2}');
  store.run("DOC.INDEX CREATE d a");
  store.run('DOC.COUNT d WHERE {"a":1}');
  assert.ok(store.isUndone("DOC.DELETE d 1", 'DOC.INSERT d KEYS x {"a":9}', "DOC.DELETE d 0"));
  assert.ok(store.isUndone("DOC.DELETE d 1", 'DOC.COUNT d WHERE {"a":2}', 'DOC.INSERT d EX 1 {"a":1}'));
  same('DOC.GET d WHERE {"a":1}', '["1" "{\\"a\\":1}"]');
});

test("errors for wrong options name the right options", () => {
  store.run('DOC.INSERT d {"a":1}');
  const wrong: readonly (readonly [line: string, pattern: RegExp])[] = [
    ['DOC.GET d WHERE {"a":{"$near":1}}', /WHERE: \$near is not supported by this server: use GEOSEARCH/],
    ['DOC.GET d WHERE {"$nor":[]}', /WHERE: \$nor must be a nonempty array/],
    ["DOC.GET d WHERE 5", /WHERE: an object is required/],
    ['DOC.GET d WHERE {"a":{"$in":1}}', /WHERE: \$in needs an array/],
    ['DOC.GET d WHERE {"a":{"$prefix":"b"}}', /unknown operator: \$prefix: use .*\$regex.*\^beginning/],
    ['DOC.GET d WHERE {"$or":{}}', /\$or must be a nonempty array/],
    [`DOC.GET d WHERE {"$or":[${'{"a":1},'.repeat(10_000)}{"a":1}]}`, /at most 10000 conditions/],
    [`DOC.GET d WHERE {"$and":[${"{},".repeat(10_000)}{}]}`, /at most 10000 conditions/],
    [`DOC.GET d FIELDS [${'"a",'.repeat(1000)}"a"]`, /FIELDS accepts at most 1000 names/],
    ["DOC.GET d LIMIT -1 5", /LIMIT requires two whole numbers/],
    ["DOC.GET d LIMIT 1", /syntax error/],
    ['DOC.GET d SORT {"a":1}', /SORT requires a name/],
    ['DOC.GET d FIELDS "a"', /FIELDS requires a list of names/],
    ["DOC.GET d ID 0 LIMIT 0 1", /ID names one entry/],
    ["DOC.GET d WHERE {} WHERE {}", /syntax error/],
    ["DOC.COUNT d LIMIT 0 1", /syntax error/],
    ["DOC.GET d WHERE {", /not JSON/],
    [`DOC.INSERT d {"a":[${"0,".repeat(1_000_000)}0]}`, /JSON with too many values/],
    ['DOC.INSERT d EX 0 {"a":1}', /invalid expire time in 'doc.insert' command/],
    ['DOC.INSERT d EX x {"a":1}', /not an integer/],
    ['DOC.UPDATE d {"a":2} EX 5 PX 5', /syntax error/],
  ];
  for (const [line, pattern] of wrong) {
    assert.match(store.run(line), pattern, line);
    assert.equal(store.changes(line), 0, line);
  }
});
