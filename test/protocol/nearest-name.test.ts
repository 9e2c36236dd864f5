/** Tests the suggestion of the name that the user probably meant. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { didYouMean, nearestName } from "../../protocol/nearest-name.js";

const NAMES = ["servers", "key", "passphrase", "timeout", "max-connections", "sign-key", "db", "data"];

for (const [typed, meant] of [
  ["server", "servers"],
  ["serevrs", "servers"],
  ["Servers", "servers"],
  ["signkey", "sign-key"],
  ["sign_key", "sign-key"],
  ["maxConections", "max-connections"],
  ["timout", "timeout"],
  ["pass", null],
  ["host", null],
  ["k", null],
  ["", null],
  ["date", "data"],
] as const)
  test(`${typed || "nothing"} is similar to ${meant ?? "no name"}`, () => {
    assert.equal(nearestName(typed, NAMES), meant);
  });

test("nearestName suggests the nearer of two names, or the first of two equally near names", () => {
  assert.equal(nearestName("policx", ["polite", "policy"]), "policy");
  assert.equal(nearestName("abcx", ["abcd", "abce"]), "abcd");
});

test("a near name is suggested in a question, and without a near name there is no text", () => {
  assert.equal(didYouMean("kye", NAMES), "did you mean key? ");
  assert.equal(didYouMean("nothing near", NAMES), "");
});
