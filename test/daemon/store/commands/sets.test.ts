/** Tests edge cases of sets. test/conformance compares their replies with Redis's. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { StoreUnderTest } from "./store-under-test.js";

let store: StoreUnderTest;
beforeEach(() => {
  store = new StoreUnderTest();
});

/** Returns two stores that have run the same commands with the same ids. */
function twin(...lines: readonly (readonly [line: string, id: string])[]): [StoreUnderTest, StoreUnderTest] {
  const stores: [StoreUnderTest, StoreUnderTest] = [new StoreUnderTest(), new StoreUnderTest()];
  for (const each of stores) for (const [line, id] of lines) each.run(line, id);
  return stores;
}

test("SPOP chooses by the unit's id alone, and leaves the same order", () => {
  const filling = ["SADD s a b c d e f g h i j k l m n o p", "1"] as const;
  const [one, other] = twin(filling, ["SPOP s", "2"], ["SPOP s 5", "3"], ["SADD s z", "4"]);
  assert.equal(one.state(), other.state());
  const choices = new Set(Array.from({ length: 30 }, (_, i) => twin(filling)[0].run("SPOP s", `id ${i}`)));
  assert.ok(choices.size > 5, "the choice depends on the id");
});

test("undo of SPOP restores the order of members and the expiry time", () => {
  store.run("SADD s a b c d e f g h i j k l m n o p");
  store.run("PEXPIREAT s 2000000");
  for (const line of ["SPOP s", "SPOP s 3", "SPOP s 16", "SPOP s 99", "SREM s a c p", "SADD s x y"]) {
    assert.ok(store.isUndone(line), line);
  }
  assert.ok(store.isUndone("SPOP s 15", "SADD s b", "SPOP s", "SPOP s", "SADD s a b c"));
});

test("SPOP returns nil for an absent key, and an empty set if a count was specified", () => {
  assert.equal(store.run("SPOP none"), "nil");
  assert.equal(store.run("SPOP none 1"), "[]");
  store.run("SADD s a");
  assert.equal(store.changes("SPOP s 0"), 0);
  assert.equal(store.reply("SPOP s 1").kind, "set");
  assert.equal(store.run("EXISTS s"), ":0");
});

test("SRANDMEMBER returns each member once, or with a negative count the requested number", () => {
  store.run("SADD s a b c");
  const membersOf = (line: string): string[] => store.run(line).slice(1, -1).split(" ");
  for (let i = 0; i < 20; i++) assert.equal(new Set(membersOf("SRANDMEMBER s 2")).size, 2);
  assert.equal(membersOf("SRANDMEMBER s 9").length, 3);
  assert.equal(membersOf("SRANDMEMBER s -50").length, 50);
  assert.equal(store.run("SRANDMEMBER none -5"), "[]");
  assert.match(store.run("SRANDMEMBER s -1000001"), /at most 300000 repetitions/);
});

test("SMOVE checks the destination's type only if the source exists", () => {
  store.run("SET string x");
  assert.equal(store.run("SMOVE none string a"), ":0");
  store.run("SADD s a");
  assert.match(store.run("SMOVE s string missing"), /WRONGTYPE/);
  assert.equal(store.changes("SMOVE s s a"), 0);
  assert.equal(store.run("SMOVE s s a"), ":1");
  assert.equal(store.changes("SMOVE s other missing"), 0);
  assert.ok(store.isUndone("SMOVE s other a"));
});

test("SINTERSTORE and similar commands may store into one of their sources", () => {
  store.run("SADD s a b c");
  store.run("SADD t b c d");
  assert.ok(store.isUndone("SINTERSTORE s s t"));
  assert.equal(store.run("SUNIONSTORE s s t"), ":4");
  assert.equal(store.run("SDIFFSTORE t s t"), ":1");
  assert.equal(store.run("SMEMBERS t"), '["a"]');
  assert.ok(store.isUndone("SDIFFSTORE t t s"));
  assert.equal(store.run("SDIFFSTORE t t s"), ":0");
  assert.equal(store.run("EXISTS t"), ":0");
});

test("a stored set shares nothing with its source", () => {
  store.run("SADD s a b");
  store.run("SUNIONSTORE t s");
  store.run("SADD t c");
  assert.equal(store.run("SCARD s"), ":2");
});

test("a stored set replaces any type and loses its expiry time; an empty result removes the key", () => {
  store.run("SADD s a");
  store.run("SET target x");
  store.run("PEXPIREAT target 2000000");
  assert.ok(store.isUndone("SUNIONSTORE target s"));
  assert.ok(store.isUndone("SINTERSTORE target none"));
  store.run("SUNIONSTORE target s");
  assert.equal(store.run("PTTL target"), ":-1");
  assert.equal(store.changes("SINTERSTORE absent none"), 0);
});

test("an expired source counts as absent and does not change; an expired destination is replaced", () => {
  store.run("SADD s a");
  store.run("SADD t b");
  store.run("PEXPIREAT s 1000500");
  store.run("PEXPIREAT t 1000500");
  store.at = 1_000_501;
  assert.ok(store.isUndone("SUNIONSTORE t s other"));
  assert.equal(store.run("SUNIONSTORE t s"), ":0");
  assert.equal(store.run("SADD t c"), ":1");
  assert.equal(store.run("SMEMBERS t"), '["c"]');
  assert.match(store.state(), /"s"/);
});

test("SINTER rejects another type even if an absent key decides the result", () => {
  store.run("SET string x");
  assert.match(store.run("SINTER none string"), /WRONGTYPE/);
  assert.match(store.run("SDIFF none string"), /WRONGTYPE/);
});

test("SINTERCARD parses its limit before it reads keys", () => {
  store.run("SET string x");
  assert.match(store.run("SINTERCARD 1 string LIMIT -1"), /LIMIT can't be negative/);
  assert.match(store.run("SINTERCARD 2 string"), /Number of keys can't be greater/);
  store.run("SADD s a b c");
  assert.equal(store.run("SINTERCARD 1 s LIMIT 2"), ":2");
  assert.equal(store.run("SINTERCARD 1 s LIMIT 0"), ":3");
});

test("adding existing members and removing absent ones change nothing", () => {
  store.run("SADD s a");
  for (const line of ["SADD s a a", "SREM s b", "SREM none a", "SMOVE none s a"]) {
    assert.equal(store.changes(line), 0, line);
  }
});

test("SSCAN finds all members that remain while others are added and removed", () => {
  for (let i = 0; i < 60; i++) store.run(`SADD s stay${i} go${i}`);
  const returned = new Set<string>();
  let cursor = "0";
  let round = 0;
  do {
    const [, next = "0", members = ""] =
      /^\["(\d+)" \[(.*)\]\]$/.exec(store.run(`SSCAN s ${cursor} COUNT 7`)) ?? [];
    for (const member of members.split(" ")) returned.add(JSON.parse(member) as string);
    store.run(`SREM s go${round} go${59 - round}`);
    store.run(`SADD s new${round}`);
    round++;
    cursor = next;
  } while (cursor !== "0");
  for (let i = 0; i < 60; i++) assert.ok(returned.has(`stay${i}`), `stay${i} was not found`);
});
