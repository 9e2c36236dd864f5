/** Tests edge cases of commands on any type. test/conformance compares their replies with Redis's. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Reply } from "../../../../protocol/reply.js";
import { itemsOf } from "../../../conformance/resp2-fold.js";
import { hasCode } from "../../../support/installed-families.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { StoreUnderTest } from "./store-under-test.js";

const seed = seedOfRun();

let store: StoreUnderTest;
beforeEach(() => {
  store = new StoreUnderTest();
});

const textOf = (reply: Reply | undefined): string => (reply?.kind === "bulk" ? reply.bytes : "");

/** Runs a scan to its end. `between` runs after each page. */
function scanned(options: string, between: () => void = () => {}): string[] {
  const names: string[] = [];
  let cursor = "0";
  do {
    const [next, keys] = itemsOf(store.reply(`SCAN ${cursor} ${options}`));
    names.push(...itemsOf(keys).map(textOf));
    between();
    cursor = textOf(next);
  } while (cursor !== "0");
  return names;
}

test(`SCAN finds all keys that remain while others are added, removed, expired and renamed (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 1);
  for (let i = 0; i < 200; i++) store.run(`MSET stay:${i} v go:${i} v`);
  const scannedKeys = scanned("COUNT 7", () => {
    for (let i = random.below(8); i > 0; i--) store.run(`DEL go:${random.below(200)}`);
    for (let i = random.below(4); i > 0; i--)
      store.run(`SET new:${random.below(200)} v PX ${random.between(1, 50)}`);
    store.run(`RENAME go:${random.below(200)} moved:${random.below(200)}`);
    store.at += random.below(20);
  });
  const names = new Set(scannedKeys);
  for (let i = 0; i < 200; i++) assert.ok(names.has(`stay:${i}`), `stay:${i} was not found`);
  assert.ok([...names].every((name) => /^(stay|go|new|moved):\d+$/.test(name)));
});

test("SCAN of an unchanged database finds each key once", () => {
  for (let i = 0; i < 100; i++) store.run(`SET k${i} v`);
  for (const count of [1, 7, 100, 1000]) {
    const names = scanned(`COUNT ${count}`);
    assert.equal(names.length, 100);
    assert.equal(new Set(names).size, 100);
  }
});

test("a cursor that another process issued begins the scan again", () => {
  for (let i = 0; i < 100; i++) store.run(`SET k${i} v`);
  const first = store.run("SCAN 0 COUNT 10");
  assert.equal(store.run("SCAN 5 COUNT 10"), first);
  const cursor = BigInt(/^\["(\d+)"/.exec(first)?.[1] as string);
  assert.notEqual(store.run(`SCAN ${cursor} COUNT 10`), first);
  // The same position, issued by another process.
  const other = cursor ^ (1n << 40n);
  assert.equal(store.run(`SCAN ${other} COUNT 10`), first);
  assert.ok(cursor < 2n ** 52n, "languages that have only doubles parse the cursor exactly");
});

test("SCAN filters by pattern and type, and omits expired keys", () => {
  store.run("MSET a1 v a2 v b1 v");
  store.run("RPUSH a3 v");
  store.run("PEXPIREAT a2 1000500");
  assert.deepEqual(scanned("MATCH a* TYPE string").sort(), ["a1", "a2"]);
  assert.deepEqual(scanned("TYPE LIST"), ["a3"]);
  assert.deepEqual(scanned("TYPE nonsense"), []);
  store.at = 1_000_501;
  assert.deepEqual(scanned("MATCH a*").sort(), ["a1", "a3"]);
});

test("a copy shares nothing with its source, and has its expiry time", { skip: !hasCode("DUMP") }, () => {
  for (const line of ["SET string v", "RPUSH list a", "SADD set a", "HSET hash f v", "ZADD zset 1 a"])
    store.run(line);
  const more = ["APPEND string v", "RPUSH list b", "SADD set b", "HSET hash g v", "ZADD zset 2 b"];
  for (const [i, type] of ["string", "list", "set", "hash", "zset"].entries()) {
    store.run(`PEXPIREAT ${type} 2000000`);
    assert.equal(store.run(`COPY ${type} copy:${type}`), ":1");
    const before = store.run(`DUMP copy:${type}`);
    store.run(more[i]!);
    assert.equal(store.run(`DUMP copy:${type}`), before);
    assert.equal(store.run(`PEXPIRETIME copy:${type}`), ":2000000");
  }
});

test("undo reverts MOVE, COPY to another database, SWAPDB and RENAME", () => {
  store.run("RPUSH l a b");
  store.run("PEXPIREAT l 2000000");
  store.run("SET s v");
  for (const line of ["MOVE l 1", "COPY l l DB 1", "SWAPDB 0 1", "RENAME l s", "RENAMENX l t", "UNLINK l s"])
    assert.ok(store.isUndone(line), line);
});

test("RENAMENX of a key to itself, and MOVE to an existing key, change nothing", () => {
  store.run("SET a v");
  store.run("COPY a a DB 1");
  for (const line of ["RENAMENX a a", "RENAME a a", "MOVE a 1", "COPY a a DB 1", "PERSIST a", "TOUCH a"])
    assert.equal(store.changes(line), 0, line);
});

test("RANDOMKEY follows from the unit's id, and never returns an expired key", () => {
  for (let i = 0; i < 50; i++) store.run(`SET k${i} v PX ${i === 0 ? 100_000 : 10}`);
  assert.equal(store.run("RANDOMKEY", "one"), store.run("RANDOMKEY", "one"));
  assert.ok(new Set(Array.from({ length: 50 }, (_, i) => store.run("RANDOMKEY", `id ${i}`))).size > 5);
  store.at += 11;
  for (let i = 0; i < 20; i++) assert.equal(store.run("RANDOMKEY", `id ${i}`), '"k0"');
});

test("EXPIRE, PEXPIRE, EXPIREAT and PEXPIREAT require a key and a time, and accept a condition", () => {
  store.run("SET k v");
  for (const name of ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"]) {
    assert.match(store.run(`${name} k`), /wrong number of arguments/);
    assert.equal(store.run(`${name} k 2000000000000`), ":1", name);
    assert.equal(store.run(`${name} k 2000000000000 NX`), ":0", name);
  }
});

test("PEXPIRETIME reports the latest 64-bit time exactly", () => {
  store.run("SET k v PXAT 9223372036854775807");
  assert.equal(store.run("PEXPIRETIME k"), ":9223372036854775807");
  assert.ok(BigInt(store.run("PTTL k").slice(1)) < 2n ** 63n);
});
