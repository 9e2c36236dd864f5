/** Tests edge cases of HyperLogLogs. test/conformance compares their replies with Redis's. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { murmurHash64A } from "../../../../../daemon/store/values/tables/murmur-hash.js";
import { StoreUnderTest } from "../../../../../test/daemon/store/commands/store-under-test.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { Sketch } from "../../../store/values/hyperloglog.js";

const seed = seedOfRun();
let store: StoreUnderTest;
beforeEach(() => {
  store = new StoreUnderTest();
});

const elements = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `element-${from + i}`).join(" ");

test("PFADD that raises no register does not count as a change", () => {
  store.run("PFADD p a b c");
  assert.equal(store.changes("PFADD p b a"), 0);
  assert.equal(store.changes("PFADD p"), 0);
  assert.equal(store.run("PFADD p d"), ":1");
});

test("PFCOUNT changes nothing", () => {
  store.run(`PFADD p ${elements(0, 100)}`);
  const before = store.state();
  assert.equal(store.changes("PFCOUNT p"), 0);
  assert.equal(store.changes("PFCOUNT p p"), 0);
  assert.equal(store.state(), before);
});

test("a sketch becomes dense when it would exceed 3000 bytes, and undo restores the sparse sketch", () => {
  store.run("PEXPIREAT p 2000000");
  let added = 0;
  while (store.run("STRLEN p") !== ":12304") {
    assert.ok(added < 3000, "the sketch never becomes dense");
    assert.ok(Number(store.run("STRLEN p").slice(1)) <= 3000);
    const next = `PFADD p ${elements(added, added + 10)}`;
    assert.ok(store.isUndone(next));
    store.run(next);
    added += 10;
  }
  assert.ok(added > 500);
  assert.ok(store.isUndone(`PFADD p ${elements(added, added + 10)}`));
});

test("estimates of about 100,000 elements are within 3 % of the truth", () => {
  for (let from = 0; from < 100_000; from += 5000) store.run(`PFADD p ${elements(from, from + 5000)}`);
  const count = Number(store.run("PFCOUNT p").slice(1));
  assert.ok(Math.abs(count - 100_000) < 3000, String(count));
});

test("PFMERGE counts each element once, and keeps the expiry time of its destination", () => {
  store.run(`PFADD a ${elements(0, 300)}`);
  store.run(`PFADD b ${elements(200, 500)}`);
  store.run("PEXPIREAT a 2000000");
  const together = store.run("PFCOUNT a b");
  store.run("PFMERGE a b absent");
  assert.equal(store.run("PFCOUNT a"), together);
  assert.equal(store.run("PEXPIRETIME a"), ":2000000");
});

test("a string that is not a sketch, or a damaged sketch, is an error and does not change", () => {
  store.run("SET s HYLL");
  store.run("PFADD p a b");
  // The lengths of the runs no longer add up to the number of registers.
  store.run("SETRANGE p 16 \x00");
  const before = store.state();
  assert.match(store.run("PFADD s a"), /WRONGTYPE Key is not a valid HyperLogLog/);
  assert.match(store.run("PFCOUNT p p"), /INVALIDOBJ/);
  assert.match(store.run(`PFADD p ${elements(0, 200)}`), /INVALIDOBJ/);
  assert.match(store.run("PFMERGE q p"), /INVALIDOBJ/);
  assert.equal(store.state(), before);
});

test("the estimate for registers that no element can produce equals Redis's", () => {
  const ff = "\xff";
  for (const [registers, count] of [
    [ff.repeat(12288), "-9223372036854775808"],
    ["\xcf\x3c\xf3".repeat(4096), "1549082005"],
    [`${ff.repeat(12285)}\xcf\x3c\xf3`, "6345039891046"],
    [ff.repeat(12276) + "\0".repeat(12), "12090396"],
    ["\xaa".repeat(12288), "51978566788454384"],
    [`${ff.repeat(12285)}\x85\x5c\x85`, "6196233449"],
    ["\x34\x4d\xd3".repeat(4096), "-9223372036854775808"],
    ["\x2c\xcb\xb2".repeat(4096), "207914267153817536"],
  ] as const) {
    const sketch = Sketch.of(`HYLL${"\0".repeat(11)}\x80${registers}`);
    assert.equal(String(BigInt.asIntN(64, sketch?.estimate() ?? 0n)), count);
  }
});

test("hashes equal those of MurmurHash64A", () => {
  const hex = ({ hi, lo }: { hi: number; lo: number }) =>
    hi.toString(16).padStart(8, "0") + lo.toString(16).padStart(8, "0");

  const reference = (bytes: string, seedOfHash: number): string => {
    const m = 0xc6a4a7935bd1e995n;
    const cut = (value: bigint) => BigInt.asUintN(64, value);
    const word = (from: number) =>
      [...bytes.slice(from, from + 8)].reduce(
        (sum, c, i) => sum | (BigInt(c.charCodeAt(0)) << BigInt(8 * i)),
        0n,
      );

    let h = BigInt(seedOfHash) ^ cut(BigInt(bytes.length) * m);
    let at = 0;
    for (; at + 8 <= bytes.length; at += 8) {
      let k = cut(word(at) * m);
      k = cut((k ^ (k >> 47n)) * m);
      h = cut((h ^ k) * m);
    }

    if (at < bytes.length) h = cut((h ^ word(at)) * m);
    h = cut((h ^ (h >> 47n)) * m);
    return (h ^ (h >> 47n)).toString(16).padStart(16, "0");
  };

  const random = new SeededRandom(seed, 0);
  for (let length = 0; length < 100; length++) {
    let bytes = "";
    for (let i = 0; i < length; i++) bytes += String.fromCharCode(random.below(256));
    assert.equal(
      hex(murmurHash64A(bytes, 0xadc83b19)),
      reference(bytes, 0xadc83b19),
      `seed ${seed}, ${length}`,
    );
  }
});

test(`a sparse sketch has the same registers as a dense sketch (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 1);
  for (let run = 0; run < 20; run++) {
    const sparse = Sketch.empty();
    const dense = Sketch.empty();
    dense.makeDense();
    // The registers are close together, so that runs are split and joined.
    const width = random.oneOf([8, 100, 3000, 16384]);
    for (let i = 0; i < 700; i++) {
      const register = random.below(width);
      const value = random.between(1, random.oneOf([2, 4, 32, 40]));
      assert.equal(sparse.raise(register, value), dense.raise(register, value));
    }
    assert.deepEqual(sparse.registers, dense.registers);
  }
});

test("elements added one by one to a dense sketch yield the bytes of elements added together", () => {
  const [from, to] = [3000, 3000 + amount(120, 300)];
  // The last register, which is in a single byte, and a register that is already raised.
  const last = Array.from({ length: 100_000 }, (_, i) => `last-${i}`).find(
    (element) => (murmurHash64A(element, 0xadc83b19).lo & 16_383) === 16_383,
  );

  for (const key of ["p", "q"]) {
    store.run(`PFADD ${key} ${elements(0, from)}`);
    assert.equal(store.run(`STRLEN ${key}`), ":12304");
    // A cached estimate, as Redis stores it.
    for (let at = 8; at < 16; at++) store.run(`SETBIT ${key} ${8 * at} 0`);
  }

  for (const element of [...elements(from, to).split(" "), last]) {
    const isUndone = store.isUndone(`PFADD p ${element}`);
    assert.equal(store.run(`PFADD p ${element}`), isUndone ? ":1" : ":0", element);
  }

  assert.equal(store.run("PFADD p element-1"), ":0");
  assert.equal(store.changes("PFADD p element-1"), 0);
  store.run(`PFADD q ${elements(from, to)} ${last}`);
  assert.equal(store.run("GET p"), store.run("GET q"));
});
