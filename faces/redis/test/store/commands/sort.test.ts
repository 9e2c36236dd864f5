/** Tests edge cases of SORT. test/conformance compares its replies with Redis's. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { findCommand } from "../../../../../daemon/store/command-table.js";
import { Database } from "../../../../../daemon/store/database.js";
import { touchesOf } from "../../../../../daemon/store/rows/key-spec.js";
import { STRING_BYTES_MAX } from "../../../../../daemon/store/values/value.js";
import { shown } from "../../../../../test/conformance/resp2-fold.js";
import { StoreUnderTest } from "../../../../../test/daemon/store/commands/store-under-test.js";
import { sortedInstead } from "../../../store/commands/sort.js";

let store: StoreUnderTest;
beforeEach(() => {
  store = new StoreUnderTest();
});

/** Returns the keys that a line may touch: `*` is the complete database, `!` marks keys that it may write. */
function touched(line: string): string[] {
  const argv = line.split(" ");
  return touchesOf(findCommand(argv[0]!)!.keys, argv).map(
    ({ key, access }) => `${access === "write" ? "!" : ""}${key ?? "*"}`,
  );
}

test("SORT orders equal numbers by the elements' bytes, and keeps the order of equal texts", () => {
  store.run("RPUSH l c a b");
  assert.equal(store.run("SORT l BY weight:*"), '["a" "b" "c"]');
  assert.equal(store.run("SORT l BY weight:* DESC"), '["c" "b" "a"]');
  assert.equal(store.run("SORT l BY weight:* ALPHA"), '["c" "a" "b"]');
  assert.equal(store.run("SORT l BY weight:* ALPHA DESC"), '["c" "a" "b"]');
  store.run("SET weight:a x");
  assert.equal(store.run("SORT l BY weight:* ALPHA"), '["c" "b" "a"]');
});

test("SORT reads weights from and returns fields of hashes", () => {
  store.run("SADD s 1 2 3");
  for (const [id, age] of ["30", "10", "20"].entries())
    store.run(`HSET user:${id + 1} age ${age} name n${age}`);
  assert.equal(store.run("SORT s BY user:*->age GET # GET user:*->name"), '["2" "n10" "3" "n20" "1" "n30"]');
  assert.equal(store.run("SORT s BY user:*->age GET user:*->none LIMIT 0 1"), "[nil]");
  assert.equal(store.run("SORT s BY user:*->age GET user:*"), "[nil nil nil]");
});

test("SORT stores an empty string for an absent value, and stores only lists", () => {
  store.run("SADD s 1 2");
  store.run("SET w:2 x");
  store.run("PEXPIREAT s 2000000");
  assert.equal(store.run("SORT s GET w:* STORE s"), ":2");
  assert.equal(store.run("LRANGE s 0 -1"), '["" "x"]');
  assert.equal(store.run("PTTL s"), ":-1");
});

test("SORT with an empty result removes its destination, and is undone", () => {
  store.run("RPUSH l 1 2");
  store.run("SET target x");
  store.run("PEXPIREAT target 2000000");
  assert.ok(store.isUndone("SORT none STORE target"));
  assert.ok(store.isUndone("SORT l STORE target"));
  assert.ok(store.isUndone("SORT l DESC STORE l"));
  assert.equal(store.changes("SORT none STORE other"), 0);
});

test("SORT that fails changes nothing", () => {
  store.run("RPUSH l a 1");
  assert.match(store.run("SORT l STORE target"), /can't be converted into double/);
  assert.equal(store.changes("SORT l STORE target"), 0);
  assert.equal(store.run("EXISTS target"), ":0");
});

test("SORT BY nosort stores the members of a set in the order of their bytes", () => {
  store.run("SADD s c a b");
  store.run("SORT s BY nosort STORE l");
  assert.equal(store.run("LRANGE l 0 -1"), '["a" "b" "c"]');
});

test("SORT touches the complete database only if a pattern names keys", () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    "SORT l": ["l"],
    "SORT l BY nosort GET # LIMIT 0 1": ["l"],
    "SORT l BY w:*": ["l", "*"],
    "SORT l GET w:* STORE a STORE b": ["l", "!b", "*"],
    "SORT l LIMIT BY w:* STORE a": ["l", "!a"],
    "SORT l STORE": ["l"],
    "SORT_RO l GET w:* STORE a": ["l", "*"],
  };
  for (const [line, keys] of Object.entries(cases)) assert.deepEqual(touched(line), keys, line);
});

test("SORT finds nothing at keys that would exceed the length of a string", () => {
  const database = new Database();
  const run = (...argv: string[]) => shown(database.execute(argv, { at: 0, db: 0, id: "" }));
  run("RPUSH", "l", "x".repeat(STRING_BYTES_MAX - 4));
  assert.equal(run("SORT", "l", "BY", "weight:*", "GET", "value:*->field"), "[nil]");
});

test("a SORT in the order of a set is replaced by one that orders by bytes, and keeps each other argument", () => {
  for (const [line, replacement] of [
    ["SORT s BY nosort", "SORT s ALPHA"],
    ["SORT_RO s BY nosort DESC", "SORT_RO s DESC ALPHA"],
    ["SORT s ASC BY nosort GET # LIMIT 0 2 STORE t", "SORT s ASC GET # LIMIT 0 2 STORE t ALPHA"],
    ["SORT s unknown BY nosort", "SORT s unknown ALPHA"],
    ["SORT s BY w:*", null],
    ["SORT s", null],
    ["ZRANGE s BY nosort", null],
  ] as const) {
    const argv = line.split(" ");
    assert.equal(sortedInstead(argv[0] ?? "", argv)?.join(" ") ?? null, replacement, line);
  }
});
