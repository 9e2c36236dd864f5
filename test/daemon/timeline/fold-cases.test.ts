/** Tests cases in which a plausible alternative to a rule of the fold is wrong. A model found each case. */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { shown } from "../../conformance/resp2-fold.js";
import { hasCode } from "../../support/installed-families.js";
import { AT, entry, key, pem, ROOT, Subject, unitOf } from "./support/fold-subject.js";

const subjects: Subject[] = [];

function newSubject(): Subject {
  const subject = new Subject();
  subjects.push(subject);
  return subject;
}

afterEach(() => {
  for (const { states } of subjects.splice(0)) assert.deepEqual(...states);
});

test("a late unit does not redo units of other keys", () => {
  const subject = newSubject();
  subject.merge(entry("b", 2, ["SET b 1"]), entry("c", 3, ["INCR c"]));
  const [answer] = subject.merge(entry("a", 1, ["SET a 1"]));
  assert.equal(subject.fold.redone, 0);
  assert.equal(answer?.late, false);
});

test("a late unit does not see later writes to a key that it reads", () => {
  const subject = newSubject();
  subject.merge(entry("a", 1, ["SET a old"]), entry("c", 3, ["SET a new"]));
  assert.deepEqual(subject.merge(entry("b", 2, ["COPY a b"])), [
    { reply: { kind: "integer", value: 1 }, outcome: "applied", late: true },
  ]);
  assert.equal(subject.ask("GET b"), '"old"');
  assert.equal(subject.ask("GET a"), '"new"');
  assert.equal(subject.fold.redone, 1);
});

test("a unit that only reads a key does not count as late because of later readers of the key", () => {
  const subject = newSubject();
  subject.merge(entry("a", 1, ["SET a 1"]), entry("c", 3, ["COPY a c"]), entry("d", 4, ["COPY a d"]));
  assert.equal(subject.merge(entry("b", 2, ["COPY a b"]))[0]?.late, false);
  assert.equal(subject.fold.redone, 0);
});

test("a unit that depends on a redone unit is redone too", () => {
  const subject = newSubject();
  subject.merge(
    entry("b", 2, ["COPY a b REPLACE"]),
    entry("c", 3, ["COPY b c REPLACE"]),
    entry("d", 4, ["SET d 1"]),
  );
  subject.merge(entry("a", 1, ["SET a 1"]));
  assert.equal(subject.ask("GET c"), '"1"');
  assert.equal(subject.fold.redone, 2);
});

test("a unit that failed touches the same keys as if it had succeeded", () => {
  const subject = newSubject();
  subject.merge(entry("b", 2, ["RENAME a b"]), entry("c", 3, ["GET b"]));
  assert.equal(subject.fold.redone, 0);
  subject.merge(entry("a", 1, ["SET a 1"]));
  assert.equal(subject.ask("GET b"), '"1"');
  assert.equal(subject.ask("GET a"), "nil");
});

test("a denied unit touches the same keys as if it had been permitted", () => {
  const subject = newSubject();
  const signer = { key: key(3) };
  subject.merge(entry("c", 3, ["SET a denied"], signer), entry("d", 4, ["APPEND a !"]));
  assert.equal(subject.ask("GET a"), '"!"');
  subject.merge(entry("b", 2, ["SET a earlier"]));
  subject.merge(entry("a", 1, [["KEY", "ADD", pem(3)]], { key: key(ROOT) }));
  assert.equal(subject.ask("GET a"), '"denied!"');
});

test("a late unit that touches complete databases redoes every later unit that touches these databases", () => {
  const subject = newSubject();
  const inOne = { db: 1 };
  subject.merge(
    entry("a", 1, ["SET a 1"]),
    entry("c", 3, ["APPEND a 2"]),
    entry("d", 4, ["SET d 1"], inOne),
    entry("e", 5, ["COPY a e DB 1"]),
    entry("f", 6, ["SET f 1"], { db: 2 }),
  );
  const [answer] = subject.merge(entry("b", 2, ["FLUSHDB"]));
  assert.deepEqual([answer?.late, subject.fold.redone], [true, 2]);
  assert.equal(subject.ask("GET a"), '"2"');
  subject.merge(entry("z", 7, ["SWAPDB 1 2"]));
  subject.merge(entry("g", 2, ["SET d 0"], inOne));
  assert.equal(subject.fold.redone, 4);
});

test("a late unit before a SWAPDB also redoes the units after the SWAPDB", () => {
  const subject = newSubject();
  subject.merge(entry("b", 2, ["SWAPDB 0 1"]), entry("c", 3, ["APPEND a !"], { db: 1 }));
  subject.merge(entry("a", 1, ["SET a 1"]));
  assert.equal(subject.fold.redone, 2);
  assert.equal(subject.ask("EXISTS a"), ":0");
});

test("a condition is evaluated again when a late write changes its key", () => {
  const subject = newSubject();
  const condition = { if: [{ db: 0, key: "a", writer: unitOf("a") }] };
  const [, met] = subject.merge(entry("a", 1, ["SET a 1"]), entry("c", 3, ["SET b met"], condition));
  assert.equal(met?.outcome, "applied");
  subject.merge(entry("b", 2, ["SET a 2"]));
  assert.equal(subject.ask("GET b"), "nil");
  assert.equal(subject.merge(entry("d", 4, ["SET b met"], condition))[0]?.outcome, "unmet");
});

test("a condition names one unit of an entry, and a unit that changes nothing does not count as a writer", () => {
  const subject = newSubject();
  subject.merge(entry("a", 1, ["SADD s 1", "SADD s 2"]), entry("b", 2, ["SADD s 2"]));
  const of = (writer: string) => ({ if: [{ db: 0, key: "s", writer }] });
  const outcomes = subject.merge(
    entry("c", 3, ["SET c 1"], of(unitOf("a", 0))),
    entry("d", 4, ["SET d 1"], of(unitOf("a", 1))),
    entry("e", 5, ["SET e 1"], of(unitOf("b"))),
  );
  assert.deepEqual(
    outcomes.map(({ outcome }) => outcome),
    ["unmet", "applied", "unmet"],
  );
});

test("an expired value is visible up to its last millisecond", () => {
  const subject = newSubject();
  subject.merge(entry("a", 1, ["SET k v PX 10"]));
  subject.merge(entry("b", 11, ["APPEND k !"]), entry("c", 12, ["APPEND k ?"]));
  assert.equal(subject.ask("GET k"), '"?"');
});

test("a key that was removed as expired exists again when the unit that removed it is undone", () => {
  const subject = newSubject();
  subject.merge(entry("a", 1, ["SET k v PX 10"]), entry("c", 20, ["APPEND k new"]));
  subject.merge(entry("b", 5, ["PERSIST k"]));
  assert.equal(subject.ask("GET k"), '"vnew"');
});

test("a key is dropped only when no entry can have a date at which it is visible", () => {
  const subject = newSubject();
  subject.merge(entry("a", 1, ["SET k v PX 10"]), entry("b", 30, ["SET other 1"]));
  subject.fold.cut(AT + 10);
  assert.equal(subject.fold.dropExpired(10), 0);
  subject.merge(entry("c", 11, ["COPY k copy"]));
  assert.equal(subject.ask("EXISTS copy", 11), ":1");
  subject.fold.cut(AT + 11);
  assert.equal(subject.fold.dropExpired(10), 2);
  assert.equal(subject.merge(entry("d", 12, ["COPY k copy"]))[0]?.late, false);
  subjects.length = 0;
});

test("a unit that ends in an unexpected error changes nothing", (t) => {
  const subject = newSubject();
  subject.merge(entry("a", 1, ["SET k v"]));
  const { database } = subject.fold;
  const run = database.executeMulti.bind(database);
  t.mock.method(database, "executeMulti", (...args: Parameters<typeof run>) => {
    run(...args);
    throw new RangeError("Invalid string length");
  });
  const [answer] = subject.merge(entry("b", 2, ["SET k w", "APPEND k x"], { multi: true }));
  assert.match(JSON.stringify(answer?.reply), /ERR internal/);
  t.mock.restoreAll();
  assert.equal(subject.ask("GET k"), '"v"');
  subjects.length = 0;
});

test("an entry at or before the cut is rejected", () => {
  const subject = newSubject();
  subject.fold.cut(AT + 5);
  assert.throws(() => subject.fold.merge([entry("a", 5, ["SET k v"])]), /after the cut/);
  assert.throws(() => subject.fold.replay(entry("a", 4, ["SET k v"])), /after later ones/);
});

test("a replayed entry cannot be undone, and later entries may have the same date", () => {
  const subject = newSubject();
  const entries = [entry("a", 1, ["SET k v"]), entry("b", 1, ["APPEND k w"])];
  for (const each of entries) subject.fold.replay(each);
  assert.deepEqual([subject.fold.cutAt, subject.fold.tailUnits, subject.fold.tailBytes], [AT + 1, 0, 0]);
  assert.equal(subject.ask("GET k"), '"vw"');
  subjects.length = 0;
});

test("the size of the tail includes old values as long as they can be restored", () => {
  const subject = newSubject();
  subject.merge(entry("a", 1, [["SET", "k", "x".repeat(100_000)]]));
  const before = subject.fold.tailBytes;
  subject.merge(entry("b", 2, ["DEL k"]));
  assert.ok(subject.fold.tailBytes > before + 100_000);
  subject.fold.cut(AT + 2);
  assert.equal(subject.fold.tailBytes, 0);
});

test("the size of the tail includes what streams, documents and tables have lost", () => {
  const long = "x".repeat(100_000);
  const cases: readonly (readonly [made: string[][], removed: string[]])[] = [
    [[["XADD", "s", "1-1", "f", long]], ["XDEL", "s", "1-1"]],
    [[["XADD", "t", "1-1", "f", long]], ["XTRIM", "t", "MAXLEN", "0"]],
    [
      [
        ["DOC.CREATE", "d"],
        ["DOC.INSERT", "d", "KEYS", "10", `{"a":"${long}"}`],
      ],
      ["DOC.DELETE", "d", "10"],
    ],
    [
      [
        ["SQL", "", "create database d"],
        ["SQL", "d", "create table t (k number, s text)"],
        ["SQL", "d", `insert into t (k, s) values (1, '${long}')`],
      ],
      ["SQL", "d", "delete from t"],
    ],
  ];
  for (const [made, removed] of cases) {
    if (!hasCode(removed[0] as string)) continue;
    const subject = newSubject();
    for (const [index, argv] of made.entries()) subject.merge(entry("a", 1 + index, [argv]));
    const before = subject.fold.tailBytes;
    subject.merge(entry("b", 9, [removed]));
    assert.ok(subject.fold.tailBytes > before + 100_000, removed.join(" "));
  }
});

test("a command signed for another user has no effect unless its signer's key is a daemon's key at that position", () => {
  const subject = newSubject();
  const daemon = { key: key(3), as: "ada" };
  const add = (word: string) => [[word, "ADD", pem(3)]];
  subject.merge(entry("c", 3, add("CLUSTER"), { key: key(ROOT) }));

  const [applied] = subject.merge(entry("d", 4, ["SET a daemon"], daemon));
  const [denied] = subject.merge(entry("e", 5, ["SET a client"], { as: "ada" }));
  const [multi] = subject.merge(entry("f", 6, ["SET a 1", "SET a 2"], { as: "ada", multi: true }));
  assert.deepEqual([applied?.outcome, denied?.outcome, multi?.outcome], ["applied", "denied", "denied"]);
  assert.match(
    denied?.reply.kind === "error" ? denied.reply.text : "",
    /^NOPERM only daemons' keys may sign/,
  );

  const units = [1, 2];
  const lines = ["SET a 1", "SET a 2", "SET a 3"];
  const [byClient] = subject.merge(entry("g", 7, lines, { units }));
  assert.equal(byClient?.outcome, "denied");
  const byDaemon = subject.merge(
    entry("h", 8, ["SET b 1", "APPEND b 2", "APPEND b 3"], { key: key(3), units }),
  );
  assert.deepEqual(
    byDaemon.map(({ reply }) => shown(reply)),
    ['+"OK"', "[:2 :3]"],
  );
  assert.equal(subject.ask("GET a"), '"daemon"');

  // An entry arrives late that adds the same key earlier, as a client's.
  subject.merge(entry("b", 2, add("KEY"), { key: key(ROOT) }));
  assert.equal(subject.ask("GET a"), "nil");
});
