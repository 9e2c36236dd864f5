/** Tests edge cases of bitmaps. test/conformance compares their replies with Redis's. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { findCommand } from "../../../../../../daemon/store/command-table.js";
import { touchesOf } from "../../../../../../daemon/store/rows/key-spec.js";
import { StoreUnderTest } from "../../../../../../test/daemon/store/commands/store-under-test.js";
import { bytesInUse } from "../../../../../../test/support/garbage.js";
import { SeededRandom, seedOfRun } from "../../../../../../test/support/seeded-random.js";

const seed = seedOfRun();
let store: StoreUnderTest;
beforeEach(() => {
  store = new StoreUnderTest();
});

test("SETBIT changes nothing if the bit already has the value and the string does not become longer", () => {
  store.run("SETBIT b 7 1");
  assert.equal(store.changes("SETBIT b 7 1"), 0);
  assert.equal(store.changes("SETBIT b 3 0"), 0);
  assert.notEqual(store.changes("SETBIT b 8 0"), 0);
  assert.equal(store.run("STRLEN b"), ":2");
});

test("SETBIT and BITFIELD keep the expiry time, but BITOP removes the expiry time of its destination", () => {
  store.run("SETBIT b 7 1");
  store.run("PEXPIREAT b 2000000");
  store.run("SETBIT b 100 1");
  store.run("BITFIELD b SET u8 0 200 INCRBY i5 #3 1");
  assert.equal(store.run("PEXPIRETIME b"), ":2000000");
  store.run("BITOP NOT b b");
  assert.equal(store.run("PEXPIRETIME b"), ":-1");
});

test("BITFIELD extends the string even if its fields do not fit", () => {
  assert.equal(store.run("BITFIELD b OVERFLOW FAIL INCRBY u2 100 4"), "[nil]");
  assert.equal(store.run("STRLEN b"), ":13");
  assert.equal(store.changes("BITFIELD b OVERFLOW FAIL INCRBY u2 100 4"), 0);
});

test("BITFIELD with an invalid operation after valid operations changes nothing", () => {
  assert.match(store.run("BITFIELD b SET u8 0 200 SET u64 0 1"), /Invalid bitfield type/);
  assert.match(store.run("BITFIELD b SET u8 0 200 SET u8 -1 1"), /bit offset/);
  assert.equal(store.run("EXISTS b"), ":0");
});

test("BITFIELD counts as a write unless all its operations are GET", () => {
  const access = (line: string) =>
    touchesOf(findCommand("BITFIELD")!.keys, `BITFIELD k ${line}`.split(" ")).map((touch) => touch.access);
  assert.deepEqual(access("GET u8 0 overflow sat get i5 #1"), ["read"]);
  assert.deepEqual(access("GET u8 0 SET u8 0 1"), ["write"]);
  assert.deepEqual(access("GET u8 0 nonsense"), ["write"]);
  assert.deepEqual(access("GET u8"), ["write"]);
});

test("undo restores the bytes and the length of a string whose bits were set", () => {
  store.run("SET b abc");
  assert.ok(store.isUndone("SETBIT b 1000 1"));
  assert.ok(store.isUndone("SETBIT b 9 0", "BITFIELD b SET i64 5 -3 SET u63 300 7", "SETBIT b 9 1"));
  assert.ok(store.isUndone("BITFIELD b SET u8 400 0"));
  assert.equal(store.run("GET b"), '"abc"');
});

test(`bits, fields and counts match those of an array of bits (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 0);
  const bits: number[] = new Array(1000).fill(0);
  store.run("SETBIT b 999 0");
  for (let round = 0; round < 500; round++) {
    const width = random.between(1, 63);
    const start = random.below(1000 - width);
    const value = random.below(2 ** 31) % 2 ** width;
    store.run(`BITFIELD b SET u${width} ${start} ${value}`);
    for (let i = 0; i < width; i++) bits[start + i] = Math.floor(value / 2 ** (width - 1 - i)) % 2;
    const [from, to] = [random.below(1000), random.below(1000)].sort((a, b) => a - b) as [number, number];
    const part = bits.slice(from, to + 1);
    const ones = part.filter((bit) => bit === 1).length;
    assert.equal(store.run(`BITCOUNT b ${from} ${to} BIT`), `:${ones}`);
    const first = part.indexOf(1);
    assert.equal(store.run(`BITPOS b 1 ${from} ${to} BIT`), `:${first < 0 ? -1 : first + from}`);
    assert.equal(store.run(`GETBIT b ${from}`), `:${bits[from]}`);
  }
});

test("BITFIELD accepts as many operations as a command can have arguments", () => {
  const gets = "GET u8 0 ".repeat(300_000).trim();
  const reply = store.reply(`BITFIELD b SET u8 0 7 ${gets}`);
  assert.ok(reply.kind === "array" && reply.items.length === 300_001);
  assert.deepEqual(reply.items.at(-1), { kind: "integer", value: 7 });
});

test("an undo record of a few bytes does not keep a complete long string alive", () => {
  const length = 4 * 1024 * 1024;
  store.run(`SETRANGE b ${length} x`);
  const before = bytesInUse();
  for (let i = 0; i < 30; i++) store.run(`SETRANGE b ${i * 100} ${"y".repeat(20)}`);
  assert.ok(bytesInUse() - before < 3 * length, `${bytesInUse() - before} bytes`);
});

test("BITPOS returns -1 for an empty part, and the end of the string only for a zero in a string of ones", () => {
  store.run("BITFIELD ones SET u16 0 65535");
  store.run("SETBIT zeros 15 0");
  for (const [line, position] of [
    ["BITPOS ones 0", 16],
    ["BITPOS ones 0 1", 16],
    ["BITPOS ones 0 0 -1", -1],
    ["BITPOS ones 0 2", -1],
    ["BITPOS ones 1 1 0", -1],
    ["BITPOS ones 1", 0],
    ["BITPOS zeros 1", -1],
    ["BITPOS zeros 1 1", -1],
    ["BITPOS zeros 0 1", 8],
    ["BITPOS absent 0", 0],
    ["BITPOS absent 1", -1],
  ] as const)
    assert.equal(store.run(line), `:${position}`, line);
});
