/** Tests units of version 2 on the database: several commands in one unit, conditions, and last writers. */
import "../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../daemon/store/canonical-state.js";
import { Database } from "../../../daemon/store/database.js";
import type { UndoRecord } from "../../../daemon/store/keyspace/undo.js";
import { FoldedUnit } from "../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { NO_CHOICES } from "../../../protocol/version-2/envelope.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import { shown } from "../../conformance/resp2-fold.js";
import { bytesInUse } from "../../support/garbage.js";

const AT = 1_790_000_000_000;

class Subject {
  readonly database = new Database();
  #units = 0;

  unit(at = AT) {
    return { at, db: 0, id: unitId("i".repeat(32), this.#units++) };
  }

  /** Runs a line as a unit. @returns the unit's id */
  run(line: string, at = AT): ByteString {
    const unit = this.unit(at);
    this.database.execute(line.split(" "), unit);
    return unit.id;
  }

  /** Runs lines as one unit and returns the reply as text. */
  multi(lines: readonly string[], records: UndoRecord[] | null = null): string {
    const commands = lines.map((line) => line.split(" "));
    return shown(this.database.executeMulti(commands, this.unit(), records));
  }

  holds(key: string, writer: ByteString, at = AT): boolean {
    return this.database.holds([{ db: 0, key, writer }], at);
  }
}

test("several commands run as one unit, which becomes the writer of all their keys", () => {
  const subject = new Subject();
  assert.equal(subject.multi(["SET a 1", "INCR a", "RPUSH b x", "GET a"]), '[+"OK" :2 :1 "2"]');
  const writers = shown(subject.database.execute(["WRITERS", "a", "b"], subject.unit()));
  const [id] = [unitId("i".repeat(32), 0)];
  assert.equal(
    writers,
    shown({ kind: "array", items: [id, id].map((bytes) => ({ kind: "bulk", bytes: bytes! })) }),
  );
});

test("a run-time error appears at its position in the reply, and the remaining commands run", () => {
  const subject = new Subject();
  assert.match(
    subject.multi(["SET a x", "INCR a", "SET b 1"]),
    /^\[\+"OK" -"ERR value is not an integer.*" \+"OK"\]$/,
  );
});

test("an unknown command or a wrong number of arguments prevents all commands from running", () => {
  const subject = new Subject();
  assert.match(subject.multi(["SET a 1", "NONSENSE"]), /^-"ERR unknown command/);
  assert.match(subject.multi(["SET a 1", "GET"]), /^-"ERR wrong number of arguments/);
  assert.deepEqual(canonicalState(subject.database), []);
});

test("a unit of several commands is undone as one", () => {
  const subject = new Subject();
  subject.run("SET a 1");
  const before = canonicalState(subject.database);
  const records: UndoRecord[] = [];
  subject.multi(["INCR a", "DEL a", "RPUSH a x y", "LPOP a", "SADD s 1 2 3", "SPOP s"], records);
  assert.notDeepEqual(canonicalState(subject.database), before);
  subject.database.undo(records);
  assert.deepEqual(canonicalState(subject.database), before);
});

test("random choices differ between the commands of a unit, and are the same on every daemon", () => {
  const members = Array.from({ length: 1000 }, (_, i) => i).join(" ");
  const choices = () => {
    const subject = new Subject();
    subject.run(`SADD s ${members}`);
    return subject.multi(Array(8).fill("SRANDMEMBER s"));
  };
  assert.equal(choices(), choices());
  assert.ok(new Set(choices().match(/"\d+"/g)).size > 4);
});

test("WRITERS names the unit that changed a key last", () => {
  const subject = new Subject();
  const first = subject.run("SET a 1");
  subject.run("GET a");
  subject.run("SETNX a 2");
  const reply = subject.database.execute(["WRITERS", "a", "absent"], subject.unit());
  assert.deepEqual(reply, { kind: "array", items: [first, ""].map((bytes) => ({ kind: "bulk", bytes })) });
});

test("a condition holds as long as its key has not changed since", () => {
  const subject = new Subject();
  const first = subject.run("SET a 1");
  assert.ok(subject.holds("a", first));
  assert.ok(!subject.holds("a", ""));
  assert.ok(!subject.holds("a", unitId("o".repeat(32), 0)));
  const second = subject.run("APPEND a 1");
  assert.ok(!subject.holds("a", first));
  assert.ok(subject.holds("a", second));
});

test("a condition without a unit holds for a key that is absent or has expired", () => {
  const subject = new Subject();
  assert.ok(subject.holds("a", ""));
  const set = subject.run("SET a 1 PX 100");
  assert.ok(subject.holds("a", set, AT + 100));
  assert.ok(!subject.holds("a", set, AT + 101));
  assert.ok(subject.holds("a", "", AT + 101));
});

test("all conditions must hold, each in its database", () => {
  const { database } = new Subject();
  const id = unitId("x".repeat(32), 7);
  database.execute(["SET", "a", "1"], { at: AT, db: 3, id });
  const inThree = { db: 3, key: "a", writer: id };
  assert.ok(database.holds([inThree, { db: 0, key: "a", writer: "" }], AT));
  assert.ok(!database.holds([inThree, { db: 0, key: "a", writer: id }], AT));
  assert.ok(database.holds([{ db: 99, key: "a", writer: "" }], AT));
  assert.ok(!database.holds([{ db: 99, key: "a", writer: id }], AT));
});

test("a unit of an envelope is a key's writer under its complete id, and undo restores the previous writer", () => {
  const { database } = new Subject();
  const folded = (index: number) =>
    new FoldedUnit("e".repeat(32), { at: AT, seq: 0, db: 0, ...NO_CHOICES }, index);
  const apply = (line: string, index: number): UndoRecord[] => {
    const records: UndoRecord[] = [];
    database.execute(line.split(" "), folded(index), records);
    return records;
  };
  const writer = () => database.writerOf(0, "a", AT);

  apply("SET a 1", 5);
  assert.equal(writer(), unitId("e".repeat(32), 5));

  const before = canonicalState(database);
  for (const line of ["SET a 2", "INCR a", "PEXPIREAT a 1790000000001", "DEL a"]) {
    const records = apply(line, 6);
    if (line !== "DEL a") assert.equal(writer(), unitId("e".repeat(32), 6), line);
    database.undo(records);
    assert.deepEqual(canonicalState(database), before, line);
  }

  database.execute(["SET", "a", "3"], { at: AT, db: 0, id: "whole" });
  assert.equal(writer(), "whole");
  database.executeMulti([["SET", "a", "4"]], folded(7));
  assert.equal(writer(), unitId("e".repeat(32), 7));
});

test("the id of a unit takes no additional memory for each key and each undo record", () => {
  const { database } = new Subject();
  const keys = Array.from({ length: 20_000 }, (_, i) => `key:${i}`);
  const envelope = { at: AT, seq: 0, db: 0, ...NO_CHOICES };
  const records: UndoRecord[] = [];
  const set = (id: ByteString) => {
    for (const [i, key] of keys.entries())
      database.execute(["SET", key, "v"], new FoldedUnit(id, envelope, i % 4096), records);
  };
  set("1".repeat(32));
  set("2".repeat(32));
  records.length = 0;
  const before = bytesInUse();
  set("3".repeat(32));
  const each = (bytesInUse() - before) / keys.length;
  assert.ok(each < 115, `${each} bytes for each record`);
});
