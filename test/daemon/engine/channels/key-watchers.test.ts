/** Tests that all stored prefixes of a text are found, with few look-ups. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PrefixMap } from "../../../../daemon/engine/channels/key-watchers.js";

const TEXT = "abcabcabc";
const found = (beginnings: PrefixMap<string>, text = TEXT) => [...beginnings.matching(text)].sort();

test("all prefixes of a text are found, including the empty one and the text itself, and no others", () => {
  const beginnings = new PrefixMap<string>();
  const prefixes = ["", "a", "abc", "abcab", TEXT];
  for (const one of [...prefixes, "b", "abd", `${TEXT}a`, "\xff"]) beginnings.set(one, one);
  assert.deepEqual(found(beginnings), prefixes);
  assert.deepEqual(found(beginnings, "\xff\x80"), ["", "\xff"]);
  beginnings.delete("abc");
  beginnings.delete("abc");
  assert.deepEqual(found(beginnings), ["", "a", "abcab", TEXT]);
  beginnings.set("abc", "another");
  assert.deepEqual(found(beginnings), ["", "a", "abcab", TEXT, "another"]);
  for (const one of [...prefixes, "b", "abd", `${TEXT}a`, "\xff"]) beginnings.delete(one);
  assert.deepEqual([beginnings.size, found(beginnings)], [0, []]);
});

test("the number of look-ups depends on the number of lengths or the length of the text, not on the number of prefixes", () => {
  const same = new PrefixMap<string>();
  for (let number = 0; number < 1000; number++) same.set(`other${number + 1000}`, "");
  assert.deepEqual([...same.lengthsUpTo(100)], [9]);
  const different = new PrefixMap<string>();
  for (let length = 1; length <= 1000; length++) different.set("x".repeat(length), "");
  assert.equal([...different.lengthsUpTo(TEXT.length)].length, TEXT.length + 1);
});
