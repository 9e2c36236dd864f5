/** Tests edge cases of lists. test/conformance compares their replies with Redis's. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { findCommand } from "../../../../../daemon/store/command-table.js";
import { touchesOf } from "../../../../../daemon/store/rows/key-spec.js";
import { skipUnlessFull } from "../../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../support/seeded-random.js";
import { StoreUnderTest } from "../store-under-test.js";

const seed = seedOfRun();
let store: StoreUnderTest;
beforeEach(() => {
  store = new StoreUnderTest();
});

const shownList = (elements: readonly string[]) => `[${elements.map((e) => JSON.stringify(e)).join(" ")}]`;

test("LPOP and RPOP of an absent list return nil, and with a count a nil array", () => {
  assert.equal(store.run("LPOP none"), "nil");
  assert.equal(store.run("LPOP none 1"), "nil-array");
  assert.equal(store.run("RPOP none 0"), "nil-array");
  store.run("RPUSH l a");
  assert.equal(store.run("RPOP l 0"), "[]");
});

test("LPOP checks its count before the key", () => {
  store.run("SET s x");
  assert.equal(store.run("LPOP s -1"), '-"ERR value is out of range, must be positive"');
  assert.equal(store.run("LPOP s x"), '-"ERR value is out of range, must be positive"');
  assert.equal(store.run("LPOP s 1 2"), `-"ERR wrong number of arguments for 'lpop' command"`);
  assert.match(store.run("LPOP s 0"), /WRONGTYPE/);
});

test("popping all elements removes the key; undo restores it with its expiry time", () => {
  store.run("RPUSH l a b c d e f g");
  store.run("PEXPIREAT l 2000000");
  for (const line of ["LPOP l 7", "RPOP l 99", "LPOP l 2", "RPOP l 5", "LMPOP 1 l RIGHT COUNT 7"]) {
    assert.ok(store.isUndone(line), line);
  }
  assert.ok(store.isUndone(...Array.from({ length: 7 }, () => "RPOP l"), "RPUSH l z"));
  assert.equal(store.run("RPOP l 7"), '["g" "f" "e" "d" "c" "b" "a"]');
  assert.equal(store.run("EXISTS l"), ":0");
});

test("a list of several hundred thousand elements can be split and joined again", {
  skip: skipUnlessFull,
}, () => {
  for (let line = 0; line < 4; line++)
    store.run(`RPUSH l x ${Array.from({ length: 50_000 }, (_, i) => i).join(" ")} x`);
  assert.ok(store.isUndone("LREM l 0 x"), "undo of LREM restores the elements in between");
  assert.ok(store.isUndone("LTRIM l 150000 -1"), "LTRIM");
  assert.ok(store.isUndone("RPOP l 180000"), "RPOP");
  assert.equal(store.run("LREM l 0 x"), ":8");
  assert.equal(store.run("LLEN l"), ":200000");
});

test("LMOVE within a list of one element keeps the key and its expiry time, and does not count as a change", () => {
  store.run("RPUSH l a");
  store.run("PEXPIREAT l 2000000");
  assert.equal(store.run("LMOVE l l LEFT RIGHT"), '"a"');
  assert.equal(store.changes("LMOVE l l LEFT RIGHT"), 0);
  assert.equal(store.changes("RPOPLPUSH l l"), 0);
  assert.equal(store.run("PEXPIRETIME l"), ":2000000");
});

test("LMOVE from and to the same end of a list does not count as a change", () => {
  store.run("RPUSH l a b");
  assert.equal(store.run("LMOVE l l RIGHT RIGHT"), '"b"');
  assert.equal(store.changes("LMOVE l l LEFT LEFT"), 0);
  assert.equal(store.run("RPOPLPUSH l l"), '"b"');
  assert.equal(store.run("LRANGE l 0 -1"), '["b" "a"]');
});

test("LMOVE of the last element removes the source, and undo restores both lists", () => {
  store.run("RPUSH source a");
  store.run("PEXPIREAT source 2000000");
  store.run("RPUSH target b");
  assert.ok(store.isUndone("LMOVE source target RIGHT LEFT"));
  assert.ok(store.isUndone("LMOVE source new LEFT LEFT", "RPUSH source z", "LMOVE new source LEFT LEFT"));
  store.run("LMOVE source target RIGHT LEFT");
  assert.equal(store.run("EXISTS source"), ":0");
  assert.equal(store.run("LRANGE target 0 -1"), '["a" "b"]');
});

test("LMOVE to a key of another type changes nothing; for an absent source the type is not checked", () => {
  store.run("SET s x");
  store.run("RPUSH l a");
  assert.match(store.run("LMOVE l s LEFT LEFT"), /WRONGTYPE/);
  assert.equal(store.run("LLEN l"), ":1");
  assert.equal(store.run("RPOPLPUSH none s"), "nil");
  assert.equal(store.run("LMOVE none s LEFT MIDDLE"), '-"ERR syntax error"');
});

test("LMOVE may write both of its keys", () => {
  const touched = touchesOf(findCommand("LMOVE")!.keys, ["LMOVE", "a", "b", "LEFT", "LEFT"]);
  assert.deepEqual(
    touched.map(({ key, access }) => [key, access]),
    [
      ["a", "write"],
      ["b", "write"],
    ],
  );
});

test("LMPOP pops from the first existing list and stops at a key of another type", () => {
  store.run("RPUSH l a b c");
  store.run("SET s x");
  assert.equal(store.run("LMPOP 3 none l s LEFT"), '["l" ["a"]]');
  assert.match(store.run("LMPOP 3 none s l LEFT"), /WRONGTYPE/);
  assert.equal(store.run("LMPOP 1 l RIGHT count 9"), '["l" ["c" "b"]]');
  assert.equal(store.run("LMPOP 1 l RIGHT"), "nil-array");
});

test("LMPOP may write every key that it names, even if the number of keys is wrong", () => {
  const keysOf = (line: string) =>
    touchesOf(findCommand("LMPOP")!.keys, line.split(" ")).map(({ key }) => key);
  assert.deepEqual(keysOf("LMPOP 2 a b LEFT"), ["a", "b"]);
  assert.deepEqual(keysOf("LMPOP 9223372036854775807 a LEFT"), ["a", "LEFT"]);
  assert.deepEqual(keysOf("LMPOP x a LEFT"), []);
});

test("LTRIM, LSET and LREM without an effect do not count as changes", () => {
  store.run("RPUSH l a b c");
  assert.equal(store.changes("LTRIM l 0 -1"), 0);
  assert.equal(store.changes("LTRIM l -99 99"), 0);
  assert.equal(store.changes("LSET l -1 c"), 0);
  assert.equal(store.changes("LREM l 0 z"), 0);
  assert.equal(store.changes("LINSERT l BEFORE z y"), 0);
  assert.equal(store.changes("LPUSHX none a"), 0);
});

test("LTRIM to a range outside the list removes it", () => {
  for (const range of ["5 9", "2 1", "-1 -2", "0 -9"]) {
    store.run("RPUSH l a b c");
    assert.equal(store.run(`LTRIM l ${range}`), '+"OK"');
    assert.equal(store.run("EXISTS l"), ":0", range);
  }
});

test("LREM removes from the side that the sign of its count selects", () => {
  store.run("RPUSH l a x b x c x");
  assert.ok(store.isUndone("LREM l -2 x"));
  assert.equal(store.run("LREM l -2 x"), ":2");
  assert.equal(store.run("LRANGE l 0 -1"), '["a" "x" "b" "c"]');
  assert.equal(store.run("LREM l 5 x"), ":1");
  store.run("RPUSH all x x x");
  assert.ok(store.isUndone("LREM all 0 x"));
  store.run("LREM all 0 x");
  assert.equal(store.run("EXISTS all"), ":0");
});

test("LPOS skips matches by RANK, and checks only MAXLEN elements", () => {
  store.run("RPUSH l a b c a b c a");
  assert.equal(store.run("LPOS l a RANK 2"), ":3");
  assert.equal(store.run("LPOS l a RANK -1"), ":6");
  assert.equal(store.run("LPOS l a COUNT 0"), "[:0 :3 :6]");
  assert.equal(store.run("LPOS l a COUNT 2 RANK -2"), "[:3 :0]");
  assert.equal(store.run("LPOS l a COUNT 0 MAXLEN 4 RANK -1"), "[:6 :3]");
  assert.equal(store.run("LPOS l c MAXLEN 2"), "nil");
  assert.equal(store.run("LPOS none a COUNT 1"), "[]");
  assert.match(store.run("LPOS l a RANK 0"), /RANK can't be zero/);
  assert.match(store.run("LPOS l a RANK -9223372036854775808"), /^-"ERR value is out of range/);
});

test("LINDEX and LSET parse their index only if there is a list", () => {
  assert.equal(store.run("LINDEX none x"), "nil");
  assert.equal(store.run("LSET none x v"), '-"ERR no such key"');
  store.run("RPUSH l a");
  assert.match(store.run("LINDEX l x"), /not an integer/);
  assert.equal(store.run("LSET l 1 v"), '-"ERR index out of range"');
});

test("an expired list is absent for LPUSHX, and RPUSH creates a new one", () => {
  store.run("RPUSH l a");
  store.run("PEXPIREAT l 2000000");
  store.at = 2_000_001;
  assert.ok(store.isUndone("LPUSHX l b"), "the expired list is removed, and undo restores it");
  assert.equal(store.run("LPUSHX l b"), ":0");
  assert.equal(store.run("RPUSH l c"), ":1");
  assert.equal(store.run("PTTL l"), ":-1");
});

/** Returns a random command on list `l`, and applies it to a plain array. */
function step(random: SeededRandom, model: string[]): string {
  const element = random.oneOf(["a", "b", "c", "d"]);
  const count = random.below(model.length + 2);
  switch (random.below(8)) {
    case 0:
      model.unshift(element);
      return `LPUSH l ${element}`;
    case 1:
    case 2:
      model.push(element, "x");
      return `RPUSH l ${element} x`;
    case 3:
      model.splice(0, count);
      return `LPOP l ${count}`;
    case 4:
      model.splice(Math.max(0, model.length - count));
      return `RPOP l ${count}`;
    case 5: {
      const retained = model.slice(count, -1);
      model.splice(0, model.length, ...retained);
      return `LTRIM l ${count} -2`;
    }
    case 6: {
      const index = model.indexOf(element);
      if (index >= 0) model.splice(index + 1, 0, "y");
      return `LINSERT l AFTER ${element} y`;
    }
    default: {
      for (let remaining = 2; remaining > 0 && model.includes(element); remaining--)
        model.splice(model.lastIndexOf(element), 1);
      return `LREM l -2 ${element}`;
    }
  }
}

test("lists behave like an array, and undo reverts all commands", () => {
  const random = new SeededRandom(seed);
  for (let round = 0; round < 100; round++) {
    store.run("DEL l");
    const initial = Array.from({ length: random.between(1, 40) }, () => random.oneOf(["a", "b", "c", "d"]));
    store.run(`RPUSH l ${initial.join(" ")}`);
    const model = [...initial];
    const lines = Array.from({ length: 20 }, () => step(random, model));
    const hint = `DBSYNC_SEED=${seed}: ${lines.join(", ")}`;
    // Another write changes the state even if the commands cancel each other out.
    assert.ok(store.isUndone(...lines, "SET trace 1"), hint);
    for (const line of lines) store.run(line);
    assert.equal(store.run("LRANGE l 0 -1"), shownList(model), hint);
  }
});

test("a range that begins after the end is empty without a walk", () => {
  for (const size of [3, 1000]) {
    const store = new StoreUnderTest();
    store.run(`RPUSH l ${Array.from({ length: size }, (_, i) => i).join(" ")}`);
    for (const start of [size, size + 1, "4294967296", "9223372036854775807"])
      for (const end of ["-1", "0", "9223372036854775807", "-9223372036854775808"])
        assert.equal(store.run(`LRANGE l ${start} ${end}`), "[]", `${start} ${end} of ${size}`);
    assert.equal(store.run("LTRIM l 9007199254740991 -1"), '+"OK"');
    assert.equal(store.run("EXISTS l"), ":0");
  }
});
