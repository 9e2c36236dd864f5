/** Tests edge cases of hashes. test/conformance compares their replies with Redis's. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Reply } from "../../../../protocol/reply.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { StoreUnderTest } from "./store-under-test.js";

const seed = seedOfRun();
let store: StoreUnderTest;
beforeEach(() => {
  store = new StoreUnderTest();
});

/** Returns the bytes of an array's elements. */
function elements(reply: Reply | undefined): string[] {
  assert.ok(reply !== undefined && "items" in reply);
  return reply.items.map((item) => (item.kind === "bulk" ? item.bytes : item.kind));
}

test("HSET returns the number of new fields", () => {
  assert.equal(store.run("HSET h a 1 b 2 a 3"), ":2");
  assert.equal(store.run("HSET h a 1 c 4"), ":1");
  assert.equal(store.run("HGETALL h"), '["a" "1" "b" "2" "c" "4"]');
});

test("HSET with a field that has no value changes nothing", () => {
  assert.equal(store.run("HSET h a 1 b"), `-"ERR wrong number of arguments for 'hset' command"`);
  assert.equal(store.run("HMSET h a 1 b"), `-"ERR wrong number of arguments for 'hmset' command"`);
  assert.equal(store.run("EXISTS h"), ":0");
});

test("HSET, HMSET and HINCRBY that leave a value unchanged do not count as changes", () => {
  store.run("HSET h a 1 b 2");
  assert.equal(store.changes("HSET h a 1"), 0);
  assert.equal(store.changes("HMSET h b 2 a 1"), 0);
  assert.equal(store.changes("HINCRBY h a 0"), 0);
  assert.equal(store.changes("HINCRBYFLOAT h a 0"), 0);
  assert.equal(store.changes("HDEL h z"), 0);
  assert.equal(store.changes("HSETNX h a 5"), 0);
});

test("HINCRBYFLOAT by 0 still writes the number in its usual form", () => {
  store.run("HSET h a 1.50");
  assert.equal(store.run("HINCRBYFLOAT h a 0"), '"1.5"');
  assert.equal(store.run("HGET h a"), '"1.5"');
});

test("HDEL of the last field removes the key with its expiry time", () => {
  store.run("HSET h a 1 b 2");
  store.run("PEXPIREAT h 2000000");
  assert.equal(store.run("HDEL h a b a"), ":2");
  store.run("HSET h c 3");
  assert.equal(store.run("PTTL h"), ":-1");
});

test("undo of HDEL restores the order of the fields", () => {
  store.run("HSET h a 1 b 2 c 3 d 4 e 5");
  store.run("PEXPIREAT h 2000000");
  assert.ok(store.isUndone("HDEL h b"));
  assert.ok(store.isUndone("HDEL h e a"));
  assert.ok(store.isUndone("HDEL h a b c d e", "HSET h b 9 f 6"));
  assert.equal(store.run("HKEYS h"), '["a" "b" "c" "d" "e"]');
});

test("HINCRBY checks the increment before the type, and the type before the value", () => {
  store.run("SET s x");
  store.run("HSET h text abc top 9223372036854775807");
  const notInteger = '-"ERR value is not an integer or out of range"';
  assert.equal(store.run("HINCRBY s f x"), notInteger);
  assert.match(store.run("HINCRBY s f 1"), /WRONGTYPE/);
  assert.equal(store.run("HINCRBY h text x"), notInteger);
  assert.equal(store.run("HINCRBY h text 1"), '-"ERR hash value is not an integer"');
  assert.equal(store.run("HINCRBY h top 1"), '-"ERR increment or decrement would overflow"');
  assert.equal(store.run("HINCRBY h top -1"), ":9223372036854775806");
});

test("HINCRBYFLOAT and INCRBYFLOAT read at most 5119 bytes of a number, like Redis", () => {
  const longest = `0.${"1".repeat(5_117)}`;
  const tooLong = `${longest}1`;
  assert.equal(store.run(`HINCRBYFLOAT h f ${longest}`), '"0.11111111111111111"');
  assert.equal(store.run(`HINCRBYFLOAT h f ${tooLong}`), '-"ERR value is not a valid float"');
  store.run(`HSET h long ${tooLong}`);
  assert.equal(store.run("HINCRBYFLOAT h long 1"), '-"ERR hash value is not a float"');
  store.run(`SET s ${tooLong}`);
  assert.equal(store.run("INCRBYFLOAT s 1"), '-"ERR value is not a valid float"');
});

test("HINCRBYFLOAT distinguishes an invalid increment, an invalid value and an infinite sum", () => {
  store.run("HSET h text abc endless inf");
  assert.equal(store.run("HINCRBYFLOAT none f x"), '-"ERR value is not a valid float"');
  assert.equal(store.run("HINCRBYFLOAT none f inf"), '-"ERR value is NaN or Infinity"');
  assert.equal(store.run("EXISTS none"), ":0");
  assert.equal(store.run("HINCRBYFLOAT h text 1"), '-"ERR hash value is not a float"');
  assert.equal(store.run("HINCRBYFLOAT h endless 1"), '-"ERR increment would produce NaN or Infinity"');
  assert.equal(store.run("HINCRBYFLOAT h new 0.1"), '"0.1"');
  assert.equal(store.run("HINCRBYFLOAT h new 0.2"), '"0.3"');
});

test("HRANDFIELD chooses by the unit's id alone", () => {
  for (let i = 0; i < 40; i++) store.run(`HSET h field-${i} ${i}`);
  assert.equal(store.run("HRANDFIELD h 5", "one"), store.run("HRANDFIELD h 5", "one"));
  const first = new Set(Array.from({ length: 50 }, (_, i) => store.run("HRANDFIELD h", `id ${i}`)));
  assert.ok(first.size > 10, "fifty units choose only a few different fields");
});

test("HRANDFIELD repeats fields if its count is negative, and otherwise returns each field once", () => {
  store.run("HSET h a 1 b 2 c 3");
  assert.deepEqual(elements(store.reply("HRANDFIELD h 9")).sort(), ["a", "b", "c"]);
  assert.equal(new Set(elements(store.reply("HRANDFIELD h 2"))).size, 2);
  assert.equal(elements(store.reply("HRANDFIELD h -20")).length, 20);
  const pairs = elements(store.reply("HRANDFIELD h -20 WITHVALUES"));
  for (let i = 0; i < pairs.length; i += 2)
    assert.equal(store.run(`HGET h ${pairs[i]}`), `"${pairs[i + 1]}"`);
});

test("HRANDFIELD rejects a number of repetitions that would use all memory", () => {
  store.run("HSET h a 1");
  assert.match(store.run("HRANDFIELD h -9223372036854775807"), /^-"ERR value is out of range/);
  assert.equal(store.run("HRANDFIELD h -4611686018427387904 WITHVALUES"), '-"ERR value is out of range"');
  assert.equal(store.run("HRANDFIELD h 4611686018427387903 WITHVALUES"), '["a" "1"]');
});

test("HSCAN returns every field that exists throughout, whatever is removed and added meanwhile", () => {
  const random = new SeededRandom(seed);
  for (let round = 0; round < 50; round++) {
    store.run("DEL h");
    for (let i = 0; i < 60; i++) store.run(`HSET h keep-${i} v drop-${i} v`);
    const returned = new Set<string>();
    let cursor = "0";
    do {
      const reply = store.reply(`HSCAN h ${cursor} COUNT ${random.between(1, 15)}`);
      assert.ok("items" in reply);
      cursor = elements(reply)[0]!;
      for (const item of elements(reply.items[1])) returned.add(item);
      for (let i = random.below(10); i > 0; i--) store.run(`HDEL h drop-${random.below(60)}`);
      if (random.chance(0.3)) store.run(`HSET h drop-${random.below(60)} v`);
    } while (cursor !== "0");
    for (let i = 0; i < 60; i++)
      assert.ok(returned.has(`keep-${i}`), `keep-${i} is missing; DBSYNC_SEED=${seed}`);
  }
});

test("HSCAN does not parse its options if there is no hash", () => {
  assert.equal(store.run("HSCAN none 0 COUNT nonsense"), '["0" []]');
  assert.equal(store.run("HSCAN none nonsense"), '-"ERR invalid cursor"');
});

test("HMGET of an absent key returns nil for each field", () => {
  assert.equal(store.run("HMGET none a b"), "[nil nil]");
});

test("HGETALL returns a map in the order of the fields", () => {
  store.run("HSET h b 1 a 2");
  assert.deepEqual(store.reply("HGETALL h").kind, "map");
  assert.deepEqual(store.reply("HGETALL none"), { kind: "map", items: [] });
});

test("an expired hash is absent for reads, and a write creates a new one", () => {
  store.run("HSET h a 1");
  store.run("PEXPIREAT h 2000000");
  store.at = 2_000_000;
  assert.equal(store.run("HGET h a"), '"1"');
  store.at = 2_000_001;
  assert.equal(store.run("HLEN h"), ":0");
  assert.ok(store.isUndone("HSETNX h a 2"), "undo restores the expired hash");
  assert.equal(store.run("HINCRBY h a 5"), ":5");
  assert.equal(store.run("PTTL h"), ":-1");
});
