/** Tests edge cases of sorted sets. test/conformance compares their replies with Redis's. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { StoreUnderTest } from "../store-under-test.js";

let store: StoreUnderTest;
beforeEach(() => {
  store = new StoreUnderTest();
});

/** Returns the complete content of a sorted set as text. */
const contents = (key: string) => store.run(`ZRANGE ${key} 0 -1 WITHSCORES`);

test("undo reverts every write, including the key's expiry time", () => {
  store.run("ZADD z 1 a 2 b 3 c 4 d");
  store.run("ZADD y 5 a 6 x");
  store.run("PEXPIREAT z 2000000");
  for (const line of [
    ...[
      "ZADD z 9 a",
      "ZADD z 9 new",
      "ZADD z CH GT 9 a 0 b",
      "ZINCRBY z 1 a",
      "ZREM z a b",
      "ZREM z a b c d",
    ],
    ...["ZPOPMIN z", "ZPOPMAX z 2", "ZPOPMIN z 9", "ZMPOP 2 none z MAX COUNT 3"],
    ...["ZREMRANGEBYRANK z 1 2", "ZREMRANGEBYSCORE z -inf +inf", "ZREMRANGEBYLEX z - +"],
    ...["ZRANGESTORE z z 0 1", "ZUNIONSTORE z 2 z y", "ZINTERSTORE z 2 z y", "ZDIFFSTORE z 1 none"],
  ]) {
    assert.ok(store.isUndone(line), line);
  }
  assert.ok(store.isUndone("ZREM z a", "ZADD z 7 a 8 e", "ZPOPMAX z 9", "ZADD z 1 q"));
});

test("commands without an effect leave no record", () => {
  store.run("ZADD z 1 a 0 zero");
  for (const line of [
    ...["ZADD z 1 a", "ZADD z NX 5 a", "ZADD z XX 5 b", "ZADD none XX 5 b", "ZADD z GT 0 a", "ZADD z LT 2 a"],
    ...["ZADD z -0 zero", "ZADD z INCR 0 a", "ZINCRBY z 0 a", "ZREM z b", "ZREMRANGEBYRANK z 5 9"],
    ...["ZPOPMIN z 0", "ZPOPMIN none", "ZMPOP 1 none MIN", "ZRANGESTORE none absent 0 -1"],
    ...["ZUNIONSTORE none 1 absent", "ZADD none x a", "ZADD z INCR nan a"],
  ]) {
    assert.equal(store.changes(line), 0, line);
  }
});

test("ZADD rejects an invalid score before it adds any member", () => {
  assert.match(store.run("ZADD z 1 a x b"), /not a valid float/);
  assert.equal(store.run("EXISTS z"), ":0");
});

test("ZADD parses scores as C does, but not beyond the range of doubles", () => {
  for (const score of ["1e400", "-1e400", "1e-400", "nan", "0x", "1e", "."]) {
    assert.match(store.run(`ZADD z ${score} m`), /not a valid float/, score);
  }
  store.run("ZADD z 0x10 hex -inf low .5 half 1e-310 tiny 0e5 zero");
  assert.equal(contents("z"), '["low" ,-Infinity "zero" ,0 "tiny" ,1e-310 "half" ,0.5 "hex" ,16]');
});

test("a range by score accepts more forms of numbers than ZADD", () => {
  store.run("ZADD z 0 a 1 b inf c");
  assert.equal(store.run("ZCOUNT z -1e400 1e400"), ":3");
  assert.equal(store.run("ZCOUNT z ( 1"), ":1");
  assert.equal(store.run("ZCOUNT z (0 (inf"), ":1");
  assert.match(store.run("ZCOUNT z nan 1"), /min or max is not a float/);
});

test("ZADD INCR returns the sum, or nil if an option forbids the change", () => {
  assert.equal(store.run("ZADD z INCR 1.5 a"), ",1.5");
  assert.equal(store.run("ZADD z NX INCR 1 a"), "nil");
  assert.equal(store.run("ZADD z GT INCR -1 a"), "nil");
  assert.equal(store.run("ZADD z XX INCR 1 b"), "nil");
  assert.equal(store.run("ZINCRBY z inf a"), ",Infinity");
  assert.match(store.run("ZINCRBY z -inf a"), /resulting score is not a number/);
  assert.equal(store.run("ZSCORE z a"), ",Infinity");
});

test("a member named twice in one ZADD receives the last score and counts once as added", () => {
  assert.equal(store.run("ZADD z CH 1 a 2 a 2 a"), ":2");
  assert.equal(store.run("ZSCORE z a"), ",2");
});

test("members with equal scores are in the order of their bytes", () => {
  store.run("ZADD z 0 b 0 \xff 0 a 0 B 0 ab");
  assert.equal(store.run("ZRANGE z 0 -1"), '["B" "a" "ab" "b" "ÿ"]');
  assert.equal(store.run("ZRANGE z (b [a BYLEX REV LIMIT 0 5"), '["ab" "a"]');
  assert.equal(store.run("ZREVRANGEBYLEX z + - LIMIT 1 2"), '["b" "ab"]');
  assert.equal(store.run("ZLEXCOUNT z [a (b"), ":2");
  assert.equal(store.run("ZLEXCOUNT z + -"), ":0");
});

test("a range by name over different scores follows from the contents alone, whatever their history", () => {
  const direct = new StoreUnderTest();
  const roundabout = new StoreUnderTest();
  for (let i = 0; i < 300; i++) direct.run(`ZADD z ${i % 7} m${(i * 37) % 300}`);
  for (let i = 0; i < 900; i++) roundabout.run(`ZADD z ${-i} m${i}`);
  for (let i = 299; i >= 0; i--) roundabout.run(`ZADD z ${i % 7} m${(i * 37) % 300}`);
  for (let i = 300; i < 900; i++) roundabout.run(`ZREM z m${i}`);
  assert.equal(direct.run("ZRANGE z 0 -1 WITHSCORES"), roundabout.run("ZRANGE z 0 -1 WITHSCORES"));
  for (const line of ["ZREMRANGEBYLEX z [m1 [m2", "ZREMRANGEBYLEX z (m4 +", "ZREMRANGEBYLEX z - (m9"]) {
    assert.equal(direct.run(line), roundabout.run(line), line);
  }
  assert.equal(direct.run("ZRANGE z 0 -1 WITHSCORES"), roundabout.run("ZRANGE z 0 -1 WITHSCORES"));
});

test("a negative offset finds nothing, and a negative limit finds everything", () => {
  store.run("ZADD z 1 a 2 b 3 c");
  assert.equal(store.run("ZRANGEBYSCORE z -inf +inf LIMIT -1 5"), "[]");
  assert.equal(store.run("ZRANGEBYSCORE z -inf +inf LIMIT 1 -7"), '["b" "c"]');
  assert.equal(store.run("ZREVRANGEBYSCORE z +inf -inf LIMIT 1 1"), '["b"]');
  assert.equal(store.run("ZREVRANGE z 0 0 LIMIT 2 -1"), '["c"]');
  assert.match(store.run("ZRANGE z 0 -1 LIMIT 0 1"), /LIMIT is only supported/);
});

test("ZRANGESTORE may store into its source, and a stored set shares nothing with it", () => {
  store.run("ZADD z 1 a 2 b 3 c");
  assert.equal(store.run("ZRANGESTORE z z 1 2 REV"), ":2");
  assert.equal(contents("z"), '["a" ,1 "b" ,2]');
  store.run("ZUNIONSTORE y 1 z");
  store.run("ZADD y 9 a");
  assert.equal(store.run("ZSCORE z a"), ",1");
});

test("a union gives the members of sets a score of 1, and adds opposite infinities to 0", () => {
  store.run("SADD s a b");
  store.run("ZADD z inf a 2 c");
  store.run("ZADD y -inf a");
  assert.equal(store.run("ZUNION 3 s z y WITHSCORES"), '["a" ,0 "b" ,1 "c" ,2]');
  assert.equal(store.run("ZUNION 2 z s WEIGHTS 0 -1 WITHSCORES"), '["a" ,-1 "b" ,-1 "c" ,0]');
  assert.equal(store.run("ZINTER 2 s z AGGREGATE MIN WITHSCORES"), '["a" ,1]');
  assert.equal(store.run("ZDIFF 2 z s"), '["c"]');
});

test("ZUNIONSTORE and ZINTERCARD report a wrong type before an invalid option", () => {
  store.run("SET string x");
  assert.match(store.run("ZUNIONSTORE z 1 string WRONG"), /WRONGTYPE/);
  assert.match(store.run("ZINTERCARD 1 string LIMIT -1"), /WRONGTYPE/);
  assert.match(
    store.run("ZUNIONSTORE z 0 string"),
    /at least 1 input key is needed for 'zunionstore' command/,
  );
});

test("ZMPOP pops from the first existing key, and fails if a key of another type comes first", () => {
  store.run("ZADD z 1 a 2 b");
  store.run("SET string x");
  assert.equal(store.run("ZMPOP 2 none z MAX"), '["z" [["b" ,2]]]');
  assert.equal(store.run("ZMPOP 2 z string MIN"), '["z" [["a" ,1]]]');
  assert.match(store.run("ZMPOP 2 string z MIN"), /WRONGTYPE/);
  assert.equal(store.run("ZMPOP 1 z MIN"), "nil-array");
});

test("ZRANDMEMBER returns members once each, or with a negative count the requested number", () => {
  store.run("ZADD z 1 a 2 b 3 c");
  assert.equal(store.run("ZRANDMEMBER z", "id"), store.run("ZRANDMEMBER z", "id"));
  assert.equal(store.run("ZRANDMEMBER z 5 WITHSCORES"), '["a" ,1 "b" ,2 "c" ,3]');
  assert.equal(store.run("ZRANDMEMBER z -7").split(" ").length, 7);
  assert.equal(store.run("ZRANDMEMBER none -7"), "[]");
  assert.match(store.run("ZRANDMEMBER z 1 SCORES"), /syntax error/);
});

test("an expired key is empty for reads, and new for writes", () => {
  store.run("ZADD z 1 a");
  store.run("PEXPIREAT z 1000500");
  store.at = 1_000_501;
  assert.equal(store.run("ZCARD z"), ":0");
  assert.equal(store.run("ZUNIONSTORE y 1 z"), ":0");
  assert.ok(store.isUndone("ZADD z 2 b"));
  store.run("ZADD z 2 b");
  assert.equal(contents("z"), '["b" ,2]');
  assert.equal(store.run("PTTL z"), ":-1");
});

test("ZSCAN finds all members that remain while others are added, removed and change scores", () => {
  for (let i = 0; i < 60; i++) store.run(`ZADD z ${i} stay${i} ${i} go${i}`);
  const returned = new Set<string>();
  let cursor = "0";
  let round = 0;
  do {
    const [, next = "0", page = ""] =
      /^\["(\d+)" \[(.*)\]\]$/.exec(store.run(`ZSCAN z ${cursor} COUNT 7`)) ?? [];
    for (const text of page.split(" ")) returned.add(JSON.parse(text) as string);
    store.run(`ZREM z go${round} go${59 - round}`);
    store.run(`ZADD z ${-round} new${round} ${1000 - round} stay${round}`);
    round++;
    cursor = next;
  } while (cursor !== "0");
  for (let i = 0; i < 60; i++) assert.ok(returned.has(`stay${i}`), `stay${i} was not found`);
});
