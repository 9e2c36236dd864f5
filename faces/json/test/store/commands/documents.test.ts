/** Tests edge cases of documents. faces/json/test replays the original's recorded conversations. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { canonicalState } from "../../../../../daemon/store/canonical-state.js";
import { Database } from "../../../../../daemon/store/database.js";
import type { UndoRecord } from "../../../../../daemon/store/keyspace/undo.js";
import { shown } from "../../../../../test/conformance/resp2-fold.js";
import { StoreUnderTest } from "../../../../../test/daemon/store/commands/store-under-test.js";
import { double } from "../../../../../test/support/double.js";
import { numbering } from "../../../store/commands/document-inserts.js";
import type { Document } from "../../../store/values/document.js";

let store: StoreUnderTest;
beforeEach(() => {
  store = new StoreUnderTest();
});

const same = (line: string, reply: string) => assert.equal(store.run(line), reply, line);

test("entries keep their order, the order of their members, and numbers as written", () => {
  store.run("DOC.CREATE d");
  store.run(
    'DOC.INSERT d {"b":1.50,"10":2,"9":-0,"__proto__":1e2} {"__proto__":[],"9":1,"10":{},"b":"\xc3\xa9"}',
  );
  same("DOC.GET d ID 0", '["0" "{\\"b\\":1.50,\\"10\\":2,\\"9\\":-0,\\"__proto__\\":1e2}"]');
  same('DOC.INSERT d {"b":"\xe9"}', '-"ERR not UTF-8"');
  same("DOC.GETKEYS d", '["0" ["b" "10" "9" "__proto__"]]');
});

test("keys that a client chooses are plain names, whatever they look like", () => {
  store.run("DOC.CREATE d");
  same("DOC.INSERT d KEYS 10 1 __proto__ 2", '-"ERR Data must be provided in array."');
  same(
    'DOC.INSERT d KEYS 10 {"v":1} 9 {"v":2} __proto__ {"v":3} 007 {"v":4}',
    '["10" "9" "__proto__" "007"]',
  );
  same('DOC.INSERT d {"v":5}', '["11"]');
  same("DOC.GET d ID __proto__", '["__proto__" "{\\"v\\":3}"]');
  same("DOC.GET d ID constructor", "[]");
  same('DOC.INSERT d KEYS 007 {"v":6}', '["007"]');
  same("DOC.DELETE d 007", '+"OK"');
  same("DOC.COUNT d", ":4");
});

test("an insert adds all entries or none", () => {
  store.run("DOC.CREATE d");
  store.run('DOC.INSERT d {"a":1}');
  assert.equal(store.changes('DOC.INSERT d {"a":2} {"b":3}'), 0);
  same('DOC.INSERT d {"a":2} {"b":3}', '-"ERR The required keys for this document are: a, received: b."');
  same('DOC.INSERT d {"a":2} {}', '-"ERR The required keys for this document are: a, received: ."');
  same('DOC.INSERT d {"a":2} {', '-"ERR not JSON"');
  same("DOC.COUNT d", ":1");
});

test("numbering ends with an error before a number would be used twice", () => {
  store.run("DOC.CREATE d");
  store.run('DOC.INSERT d KEYS 999999999999998 {"v":1}');
  assert.equal(store.changes('DOC.INSERT d {"v":2} {"v":3}'), 0);
  same(
    'DOC.INSERT d COUNT {"v":2} {"v":3}',
    `-"ERR No number is left after the document's highest one (999999999999999 at most): insert entries with keys"`,
  );
  same('DOC.INSERT d {"v":2}', '["999999999999999"]');
  same('DOC.INSERT d KEYS k {"v":4}', '["k"]');
});

test("with NOCHECK entries need not have the same members", () => {
  store.run("DOC.CREATE d");
  same('DOC.INSERT d NOCHECK KEYS a {"x":1,"y":1} b {"x":2} c [] d 5', '["a" "b" "c" "d"]');
  same('DOC.INSERT d {"x":3}', '-"ERR The required keys for this document are: x, y, received: x."');
  same('DOC.UPDATE d {"y":2} ID b', '["keys" ["x" "y"] "changed" ["b" "{\\"y\\":2}"]]');
  same('DOC.GET d QUERY {"y":2}', '["b" "{\\"x\\":2,\\"y\\":2}"]');
  same('DOC.INSERT d EX 5 NOCHECK NOCHECK {"x":1}', '-"ERR syntax error"');
});

test("without a timeline the next entry receives the number of a removed entry, while names stay", () => {
  store.run("DOC.CREATE d");
  store.run('DOC.INSERT d {"n":0} {"n":1} {"n":2}');
  store.run("DOC.DELETE d 1");
  same("DOC.GET d", '["0" "{\\"n\\":0}" "1" "{\\"n\\":2}"]');
  store.run('DOC.INSERT d KEYS x {"n":3} 7 {"n":4}');
  store.run("DOC.DELETE d 0");
  same("DOC.GET d", '["0" "{\\"n\\":2}" "x" "{\\"n\\":3}" "1" "{\\"n\\":4}"]');
});

test("documents are listed in the order of creation", () => {
  for (const name of ["b", "a", "c"]) store.run(`DOC.CREATE ${name}`);
  store.run("DOC.DROP b");
  store.run("DOC.CREATE b");
  store.run("SET s 1");
  same("DOC.LIST", '["a" "c" "b"]');
  store.run("RENAME c z");
  same("DOC.LIST", '["a" "z" "b"]');
  same("DOC.CREATE s", '-"WRONGTYPE Operation against a key holding the wrong kind of value"');
  same("TYPE a", '+"document"');
  same("OBJECT ENCODING a", '"document"');
});

test("documents with the same date and id are listed by the number of their unit", () => {
  const database = new Database();
  const unit = { at: 1_790_000_000_000, db: 0, id: "shared" };
  for (const [name, step] of [
    ["c", 9],
    ["b", 0xffff],
    ["a", 0x10000],
  ] as const)
    database.execute(["DOC.CREATE", name], { ...unit, step });
  assert.equal(shown(database.execute(["DOC.LIST"], unit)), '["c" "b" "a"]');
});

test("DUMP rejects a document, for which Redis has no form", () => {
  store.run("DOC.CREATE d");
  same("DUMP d", '-"ERR a document has no form in Redis: use DOC.GET"');
});

test("undo reverts every write, including the key's expiry time, the entries' order and the next number", () => {
  store.run("DOC.CREATE d");
  store.run('DOC.INSERT d {"a":1} {"a":2} {"a":3}');
  store.run("PEXPIREAT d 2000000");
  store.run("DOC.CREATE k");
  store.run('DOC.INSERT k KEYS x {"a":1} 5 {"a":2} y {"a":3}');

  for (const line of [
    ...["DOC.CREATE new", "DOC.DROP d", "DOC.EMPTY d", "DOC.DELETE d 1", "DOC.DELETE k x", "DOC.DELETE k 5"],
    ...[
      'DOC.INSERT d {"a":4}',
      'DOC.INSERT k {"a":4} {"a":5}',
      'DOC.INSERT d KEYS 1 {"a":9} z {"a":10} 50 {"a":11}',
    ],
    ...[
      'DOC.UPDATE d {"a":9} ID 1',
      'DOC.UPDATE d [{"b":1}]',
      'DOC.UPDATE k {"a":"x"} ID y',
      "COPY k new",
      "RENAME k d",
    ],
  ])
    assert.ok(store.isUndone(line), line);
  assert.ok(
    store.isUndone('DOC.INSERT k {"a":4}', "DOC.DELETE k 6", 'DOC.UPDATE k {"a":1} ID y', "DOC.EMPTY k"),
  );

  store.run("DOC.EMPTY d");
  assert.equal(store.changes("DOC.EMPTY d"), 0);
  assert.equal(store.run("PEXPIRETIME d"), ":2000000");
});

test("a query finds what it would find by parsing every entry", () => {
  store.run("DOC.CREATE q");
  const values = [
    "1",
    '"1"',
    "1.0",
    "true",
    '"a"',
    '"A"',
    '"a\\"v\\":1"',
    "null",
    '{"v":1}',
    "[1]",
    '"\xc3\xa9"',
    "0",
    '""',
  ];
  store.run(`DOC.INSERT q ${values.map((value) => `{"v":${value},"w":"\\"v\\":1"}`).join(" ")}`);

  const ids = (query: string) =>
    [...store.run(`DOC.GET q QUERY ${query}`).matchAll(/"(\d+)" "\{/g)].map(([, id]) => Number(id));

  assert.deepEqual(ids('{"v":1}'), [0, 1, 2, 3]);
  assert.deepEqual(ids('{"v":"a"}'), [3, 4]);
  assert.deepEqual(ids('{"v":{"v":"1"}}'), [3, 8]);
  assert.deepEqual(ids('{"v":"\xc3\xa9","w":true}'), [3, 10]);
  assert.deepEqual(ids('{"v":1,"x":1}'), []);
  assert.deepEqual(ids('{"v":1,"w":null}'), []);
  assert.deepEqual(ids("{}"), []);
  same('DOC.COUNT q QUERY {"v":false}', ":2");

  store.run("DOC.CREATE empty");
  const empty = ["0", '""', "false", "[]", "{}", "null", '"0"'].map((value) => `{"v":${value}}`);
  store.run(`DOC.INSERT empty ${empty.join(" ")}`);
  same('DOC.COUNT empty QUERY {"v":null}', ":5");
  same('DOC.COUNT empty QUERY {"v":false}', ":6");
  same('DOC.COUNT empty WHERE {"v":null}', ":1");
});

/** A fold as in a daemon: units have numbers and long ids, and may be inserted before earlier ones. */
class Folded {
  readonly database = new Database();

  run(
    line: string,
    { at = 1_790_000_000_000, seq = 0, id = "e", index = 0 } = {},
    records: UndoRecord[] | null = null,
  ) {
    const name = `${id.padEnd(32, "\x00")}\0\0\0${String.fromCharCode(index)}`;
    return shown(this.database.execute(line.split(" "), { at, seq, db: 0, id: name }, records));
  }
}

test("with a timeline a number follows from the unit, so late arrivals do not change it", () => {
  const late = { at: 1_790_000_000_000, id: "late" };
  const early = { at: 1_790_000_000_005, id: "early" };
  const replies = [new Folded(), new Folded()].map((folded, order) => {
    folded.run("DOC.CREATE d", { at: 1_789_000_000_000 });
    if (order === 1) folded.run('DOC.INSERT d {"a":1} {"a":2}', late);
    return folded.run('DOC.INSERT d {"a":3}', early);
  });
  assert.equal(replies[0], replies[1]);
  assert.match(replies[0] as string, /^\["\d{19}"\]$/);
});

test("numbers of units with the same date differ, within an envelope and across envelopes", () => {
  const folded = new Folded();
  folded.run("DOC.CREATE d");
  for (let index = 0; index < 100; index++) {
    folded.run('DOC.INSERT d {"a":1} {"a":2} {"a":3}', { index });
    folded.run('DOC.INSERT d {"a":1}', { index, id: "f" });
  }
  assert.equal(folded.run("DOC.COUNT d"), ":400");
});

test("the number after the last number of a date belongs to the next date", () => {
  const at = 1_790_000_000_000;
  const dateOf = (key: string) => Number(BigInt(key) >> 21n);
  const full = double<Document>({ get: (key) => (dateOf(key) === at ? "{}" : undefined) });
  const next = numbering(full, { at, seq: 0, db: 0, id: "\x01".repeat(36) });
  assert.equal(dateOf(next()), at + 1);
});

test("with a timeline the remaining entries keep their ids when an entry is removed", () => {
  const folded = new Folded();
  folded.run("DOC.CREATE d");
  folded.run('DOC.INSERT d KEYS 0 {"a":0} 1 {"a":1} 2 {"a":2}');
  folded.run("DOC.DELETE d 1");
  assert.equal(folded.run("DOC.GET d"), '["0" "{\\"a\\":0}" "2" "{\\"a\\":2}"]');
});

test("with a timeline DOC.INSERT COUNT assigns the next number, whatever other ids exist", () => {
  const folded = new Folded();
  const records: UndoRecord[] = [];
  folded.run("DOC.CREATE d");
  assert.equal(folded.run('DOC.INSERT d COUNT {"a":0} {"a":1}'), '["0" "1"]');
  assert.match(folded.run('DOC.INSERT d {"a":2}'), /^\["\d{19}"\]$/);
  const before = canonicalState(folded.database);
  folded.run("DOC.DELETE d 1", {}, records);
  assert.equal(folded.run('DOC.INSERT d count {"a":3}', {}, records), '["2"]');
  folded.database.undo(records);
  assert.deepEqual(canonicalState(folded.database), before);
  assert.equal(folded.run('DOC.INSERT d COUNT {"a":4}'), '["2"]');
  folded.run("DOC.EMPTY d");
  assert.equal(folded.run('DOC.INSERT d COUNT {"a":5}'), '["0"]');
});

test("undo restores thousands of removed entries in their order", () => {
  const folded = new Folded();
  folded.run("DOC.CREATE d");
  for (let n = 0; n < 2000; n++) folded.run(`DOC.INSERT d KEYS k${n} {"n":${n}}`);

  const before = canonicalState(folded.database);
  const records: UndoRecord[] = [];
  for (let n = 0; n < 2000; n++) if (n % 7 !== 3) folded.run(`DOC.DELETE d k${(n * 17) % 2000}`, {}, records);
  folded.run('DOC.INSERT d KEYS last {"n":1}', {}, records);

  assert.match(folded.run("DOC.GETKEYS d"), /^\["k\d+" \["n"\]\]$/);
  const keys = folded
    .run("DOC.GET d")
    .match(/k\d+/g)
    ?.map((key) => Number(key.slice(1)));
  assert.deepEqual(
    keys,
    keys?.toSorted((a, b) => a - b),
  );

  folded.database.undo(records);
  assert.deepEqual(canonicalState(folded.database), before);
});

test("a reply shows the state at one moment, whatever changes before it is written", () => {
  for (const key of ["", "KEYS x "]) {
    store = new StoreUnderTest();
    store.run("DOC.CREATE d");
    store.run(`DOC.INSERT d ${key}{"a":1} ${key === "" ? "" : "y "}{"a":2}`);
    const [first, second] = key === "" ? ["0", "1"] : ["x", "y"];
    const replies = ["DOC.GET d", 'DOC.GET d QUERY {"a":1}', "DOC.GETALL"].map((line) => store.reply(line));
    store.run(`DOC.UPDATE d {"a":9} ID ${first}`);
    store.run(`DOC.DELETE d ${second}`);
    store.run('DOC.INSERT d {"a":5}');
    const [all, one, documents] = replies.map(shown);
    assert.equal(all, `["${first}" "{\\"a\\":1}" "${second}" "{\\"a\\":2}"]`);
    assert.equal(one, `["${first}" "{\\"a\\":1}"]`);
    assert.equal(documents, `["d" ${all}]`);
  }
});

test("DOC.LIST returns the documents that exist at one moment, the oldest first", () => {
  for (const name of ["c", "a", "b"]) store.run(`DOC.CREATE ${name}`);
  store.run("SET x 1");
  const before = store.reply("DOC.LIST");
  store.run("DOC.DROP a");
  store.run("DOC.CREATE d");
  store.run("DOC.CREATE a");
  assert.equal(shown(before), '["c" "a" "b"]');
  same("DOC.LIST", '["c" "b" "d" "a"]');
});

test("entries are found, counted and sorted as they were at the time of the request", () => {
  store.run("DOC.CREATE d");
  store.run('DOC.INSERT d {"a":3} {"a":1} {"a":2}');

  const lines = [
    'DOC.GET d WHERE {"a":{"$gt":1}}',
    'DOC.COUNT d WHERE {"a":{"$gt":1}}',
    'DOC.GET d SORT "a" LIMIT 1 1',
  ];
  const expected = lines.map((line) => store.run(line));
  const replies = lines.map((line) => store.reply(line));

  store.run('DOC.UPDATE d {"a":0} ID 0');
  store.run("DOC.DELETE d 1");
  assert.deepEqual(replies.map(shown), expected);
  assert.notDeepEqual(
    lines.map((line) => store.run(line)),
    expected,
  );
});
