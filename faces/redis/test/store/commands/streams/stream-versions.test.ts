/**
 * Tests that the version of a stream also differs after changes of its consumer groups, which do not change the key's
 * last writer.
 */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Database } from "../../../../../../daemon/store/database.js";
import type { UndoRecord } from "../../../../../../daemon/store/keyspace/undo.js";
import { EnvelopeUnit, type Unit } from "../../../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../../../protocol/byte-string.js";
import { UNIT_ID_BYTES } from "../../../../../../protocol/version-2/envelope.js";
import { unitId } from "../../../../../../protocol/version-2/unit-names.js";
import { EPOCH } from "../../../../../../test/daemon/store/random-unit.js";

let database: Database;
let units: number;
beforeEach(() => {
  database = new Database();
  units = 0;
});

const envelopeId = (number: number) => String(number).padStart(32, "e");
const NO_UNIT = "\0".repeat(UNIT_ID_BYTES);

/** Runs a command as the only unit of an envelope. @returns the unit's id */
function run(line: string, records: UndoRecord[] | null = null): ByteString {
  const id = envelopeId(units++);
  const header = { at: EPOCH + units, db: 0, key: "", as: null, if: null };
  assert.notEqual(
    database.execute(line.split(" "), new EnvelopeUnit(id, header, 0, true), records).kind,
    "error",
    line,
  );
  return unitId(id, 0);
}

const versionOf = (key: ByteString, db = 0) => database.versionOf(db, key, EPOCH + units);
const holds = (key: ByteString, writer: ByteString) =>
  database.holds([{ db: 0, key, writer }], EPOCH + units);

/** Fills a stream. @returns the last writers of the key and of its groups */
function fill(): readonly [writer: ByteString, groups: ByteString] {
  let writer = "";
  for (const id of [1, 2, 3, 4, 5]) writer = run(`XADD s ${id}-0 f v`);
  run("XGROUP CREATE s g 0");
  run("XREADGROUP GROUP g c COUNT 2 STREAMS s >");
  return [writer, run("XREADGROUP GROUP g d COUNT 1 STREAMS s >")];
}

test("the version of a key is its last writer, and of a stream also the last writer of its groups", () => {
  assert.equal(versionOf("k"), "");
  const set = run("SET k v");
  assert.equal(versionOf("k"), set);
  assert.equal(versionOf("k", 99), "");
  const expires = run(`PEXPIREAT k ${EPOCH + 1000}`);
  assert.equal(versionOf("k"), expires);
  assert.equal(database.versionOf(0, "k", EPOCH + 1001), "");

  const added = run("XADD s 1-0 f v");
  assert.equal(versionOf("s"), added + NO_UNIT);
  const created = run("XGROUP CREATE s g 0");
  assert.equal(versionOf("s"), added + created);
  const addedLater = run("XADD s 2-0 f v");
  assert.equal(versionOf("s"), addedLater + created);
  const made = run("XGROUP CREATE made g 0 MKSTREAM");
  assert.equal(versionOf("made"), made + made);
});

test("each change of groups changes the version, and only that, and is undone exactly", () => {
  const [writer, groups] = fill();
  for (const line of [
    ...[
      "XGROUP CREATE s h $",
      "XGROUP DESTROY s g",
      "XGROUP SETID s g 2",
      "XGROUP SETID s g 3 ENTRIESREAD 1",
    ],
    ...["XGROUP CREATECONSUMER s g e", "XGROUP DELCONSUMER s g c", "XACK s g 1-0", "XCLAIM s g d 0 1-0"],
    ...["XREADGROUP GROUP g c STREAMS s >", "XREADGROUP GROUP g c NOACK STREAMS s >"],
    ...["XREADGROUP GROUP g c STREAMS s 0", "XAUTOCLAIM s g d 0 0 COUNT 1", "XCLAIM s g c 0 9-0 LASTID 4-0"],
    // XINFO STREAM FULL returns the date at which the consumer was last seen.
    "XREADGROUP GROUP g c STREAMS s 9-0",
  ]) {
    const records: UndoRecord[] = [];
    const id = run(line, records);
    assert.equal(versionOf("s"), writer + id, line);
    assert.equal(database.writerOf(0, "s", EPOCH + units), writer, line);
    database.undo(records);
    assert.equal(versionOf("s"), writer + groups, line);
  }
});

test("commands that change no group leave the version as it is", () => {
  const [writer, groups] = fill();
  for (const line of [
    ...["XACK s g 9-0", "XACK s none 1-0", "XGROUP CREATECONSUMER s g c", "XGROUP DELCONSUMER s g nobody"],
    ...["XGROUP DESTROY s none", "XCLAIM s g e 0 9-0", "XAUTOCLAIM s g e 99999 0", "XPENDING s g"],
    ...["XINFO STREAM s FULL", "XINFO CONSUMERS s g", "XLEN s"],
  ]) {
    run(line);
    assert.equal(versionOf("s"), writer + groups, line);
  }
});

test("a stream keeps the last writer of its groups under another name, and a copy has none", () => {
  const [, groups] = fill();
  const renamed = run("RENAME s t");
  assert.equal(versionOf("t"), renamed + groups);
  const copied = run("COPY t copy");
  assert.equal(versionOf("copy"), copied + NO_UNIT);
  const moved = run("MOVE t 1");
  assert.equal(versionOf("t", 1), moved + groups);

  const dump = database.execute(["DUMP", "copy"], { at: EPOCH, db: 0, id: "" });
  assert.ok(dump.kind === "bulk");
  database.execute(["RESTORE", "restored", "0", dump.bytes], {
    at: EPOCH,
    db: 0,
    id: "r".repeat(UNIT_ID_BYTES),
  });
  assert.equal(versionOf("restored"), "r".repeat(UNIT_ID_BYTES) + NO_UNIT);

  const destroyed = run("XGROUP DESTROY copy g");
  assert.equal(versionOf("copy"), copied + destroyed);
});

test("a unit of several commands is the writer of the groups that it changes, in each of its streams", () => {
  fill();
  const added = run("XADD other 1-0 f v");
  run("XGROUP CREATE other g 0");

  const before = [versionOf("s"), versionOf("other")];
  const unit: Unit = { at: EPOCH + units, db: 0, id: unitId(envelopeId(999), 0) };
  const records: UndoRecord[] = [];
  const commands = [
    ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "other", "s", ">", ">", "0"],
    ["XACK", "s", "g", "1-0"],
    ["XACK", "other", "g", "1-0"],
    ["RENAME", "other", "renamed"],
    ["XACK", "s", "g", "2-0"],
  ];

  database.executeMulti(commands, unit, records);
  assert.ok(versionOf("s").endsWith(unit.id));
  assert.equal(versionOf("renamed"), unit.id + unit.id);
  assert.notEqual(versionOf("renamed"), added + unit.id);

  database.undo(records);
  assert.deepEqual([versionOf("s"), versionOf("other"), versionOf("renamed")], [...before, ""]);
});

test("a condition names the last writer of a key, or the version of a stream", () => {
  const [writer, groups] = fill();
  assert.ok(holds("s", writer));
  assert.ok(holds("s", writer + groups));
  assert.ok(!holds("s", writer + NO_UNIT));
  assert.ok(!holds("s", groups));
  const acknowledged = run("XACK s g 1-0");
  assert.ok(holds("s", writer));
  assert.ok(!holds("s", writer + groups));
  assert.ok(holds("s", writer + acknowledged));
  run("DEL s");
  assert.ok(holds("s", ""));
  assert.ok(!holds("s", writer + acknowledged));

  const set = run("SET k v");
  assert.ok(holds("k", set));
  assert.ok(!holds("k", set + NO_UNIT));
});
