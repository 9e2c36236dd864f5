/** Compares changes to parts of long strings with an array of bytes. DBSYNC_SEED replays a run. */
import "../../../support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../../daemon/store/database.js";
import type { UndoRecord } from "../../../../daemon/store/keyspace/undo.js";
import { DRAFT_BYTES_MIN, StringDraft } from "../../../../daemon/store/values/string-draft.js";
import type { Reply } from "../../../../protocol/reply.js";
import { shown } from "../../../conformance/resp2-fold.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";

const seed = seedOfRun();
const ROUNDS = 8;
const STEPS = 250;
const CHECKPOINT = 50;

const unit = { at: 0, db: 0, id: "u" };
const bytesOf = (reply: Reply): string => (reply.kind === "bulk" ? reply.bytes : "?");

function isDraft(database: Database): boolean {
  return database.keyspaces[0]?.find("k")?.content instanceof StringDraft;
}

/** Returns a random change and the bytes after it. */
function change(random: SeededRandom, before: Buffer): { argv: string[]; after: Buffer } {
  const offset = random.below(before.length + (random.chance(0.1) ? 5000 : 1));
  const text = String(random.below(1000)).repeat(random.between(1, 30));
  const written = (at: number, bytes: Buffer) => {
    const after = Buffer.alloc(Math.max(before.length, at + bytes.length));
    before.copy(after);
    bytes.copy(after, at);
    return after;
  };

  switch (random.below(4)) {
    case 0:
      return { argv: ["APPEND", "k", text], after: Buffer.concat([before, Buffer.from(text)]) };
    case 1: {
      const bit = random.below(8);
      const byte = (before[offset] ?? 0) | (0x80 >> bit);
      return {
        argv: ["SETBIT", "k", String(8 * offset + bit), "1"],
        after: written(offset, Buffer.from([byte])),
      };
    }
    case 2: {
      const value = random.below(65_536);
      const argv = ["BITFIELD", "k", "SET", "u16", String(8 * offset), String(value)];
      return { argv, after: written(offset, Buffer.from([value >> 8, value & 0xff])) };
    }
    default:
      return { argv: ["SETRANGE", "k", String(offset), text], after: written(offset, Buffer.from(text)) };
  }
}

/** Asserts that a random part, read by a random command, has the expected bytes. */
function assertPart(run: (...argv: string[]) => Reply, random: SeededRandom, bytes: Buffer): void {
  const from = random.below(bytes.length);
  const to = from + random.below(40);
  assert.equal(
    bytesOf(run("GETRANGE", "k", String(from), String(to))),
    bytes.toString("latin1", from, to + 1),
  );
  assert.equal(shown(run("STRLEN", "k")), `:${bytes.length}`);
  assert.equal(shown(run("GETBIT", "k", String(8 * from + 7))), `:${bytes[from]! & 1}`);
  assert.equal(shown(run("BITFIELD", "k", "GET", "u8", String(8 * from))), `[:${bytes[from]}]`);
}

test(`a long string contains what was written into it, and changes are undone (seed ${seed})`, () => {
  for (let round = 0; round < ROUNDS; round++) {
    const random = new SeededRandom(seed, round);
    const database = new Database();
    let records: UndoRecord[] = [];
    const run = (...argv: string[]) => database.execute(argv, unit, records);
    let bytes: Buffer = Buffer.alloc(random.between(DRAFT_BYTES_MIN - 2000, 2 * DRAFT_BYTES_MIN), "abc");
    run("SET", "k", bytes.toString("latin1"));
    const checkpoints: { bytes: Buffer; records: UndoRecord[] }[] = [];
    for (let step = 0; step < STEPS; step++) {
      if (step % CHECKPOINT === 0) checkpoints.push({ bytes, records: (records = []) });
      const { argv, after } = change(random, bytes);
      run(...argv);
      bytes = after;
      assertPart(run, random, bytes);
      if (random.chance(0.02)) assert.equal(bytesOf(run("GET", "k")), bytes.toString("latin1"));
    }
    assert.equal(bytesOf(run("GET", "k")), bytes.toString("latin1"));
    for (const before of checkpoints.reverse()) {
      database.undo(before.records);
      if (random.chance(0.5)) assertPart((...argv) => database.execute(argv, unit), random, before.bytes);
      else assert.equal(bytesOf(database.execute(["GET", "k"], unit)), before.bytes.toString("latin1"));
    }
  }
});

test("a long string is not copied for each change, nor to read a part of it", () => {
  const database = new Database();
  const run = (...argv: string[]) => shown(database.execute(argv, unit));
  run("SETRANGE", "k", String(2 * DRAFT_BYTES_MIN), "x");
  run("SETBIT", "k", "7", "1");
  assert.ok(isDraft(database));

  run("SETRANGE", "k", "5", "hello");
  run("APPEND", "k", "y");
  run("BITFIELD", "k", "INCRBY", "i8", "0", "1");

  assert.equal(run("GETRANGE", "k", "5", "9"), '"hello"');
  assert.equal(run("GETRANGE", "k", "-2", "-1"), '"xy"');
  assert.equal(run("GETBIT", "k", "6"), ":1");
  assert.equal(run("STRLEN", "k"), `:${2 * DRAFT_BYTES_MIN + 2}`);
  assert.match(run("LPUSH", "k", "z"), /WRONGTYPE/);
  assert.equal(run("SETNX", "k", "z"), ":0");
  assert.equal(run("PEXPIREAT", "k", "1000000"), ":1");

  for (let i = 0; i < 3; i++) {
    run("SETBIT", "k", "0", String(i % 2));
    run("GET", "k");
    assert.ok(isDraft(database));
  }

  run("GET", "k");
  assert.ok(!isDraft(database), "after two reads the value is a string again");
});

test("a part that was read from a long string does not change with the string", () => {
  const database = new Database();
  const records: UndoRecord[] = [];
  const run = (...argv: string[]) => database.execute(argv, unit, records);

  run("SETRANGE", "k", String(DRAFT_BYTES_MIN), "x");
  run("SETRANGE", "k", "0", "before");
  const before = bytesOf(run("GET", "k"));
  run("COPY", "k", "copy");
  run("SETRANGE", "k", "0", "behind");

  const removal: UndoRecord[] = [];
  database.execute(["DEL", "k"], unit, removal);
  database.execute(["SET", "k", "other"], unit, removal);
  database.undo(removal);

  run("SETRANGE", "k", "0", "later!");
  assert.ok(bytesOf(run("GET", "k")).startsWith("later!"));
  assert.ok(before.startsWith("before"));
  assert.equal(bytesOf(run("GET", "copy")), before);
  database.undo(records);
  assert.equal(database.keyspaces[0]?.size, 0);
});

test("a long string to which a unit appends repeatedly becomes a draft, because reading part of a concatenated string would copy it", () => {
  const database = new Database();
  const records: UndoRecord[] = [];
  const long = "x".repeat(DRAFT_BYTES_MIN);
  database.execute(["SET", "k", long], unit);
  const append = ["APPEND", "k", "y"];
  database.execute(append, { ...unit, id: "before" });
  assert.ok(!isDraft(database), "units that append one after the other make no draft");
  const commands = [append, ["GETRANGE", "k", "0", "1"], append, append];
  database.executeMulti(commands, { ...unit, id: "v" }, records);
  assert.ok(isDraft(database));
  const end = ["GETRANGE", "k", String(DRAFT_BYTES_MIN - 1), "-1"];
  assert.equal(bytesOf(database.execute(end, unit)), "xyyyy");
  database.undo(records);
  assert.equal(bytesOf(database.execute(["GET", "k"], unit)), `${long}y`);
});
