/** Tests the labels of commands in errors: name and first key, never a value. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  callLabel,
  commandLabel,
  type LabelledCall,
  replyLabel,
} from "../../../client/shared/command-labels.js";

for (const [command, label] of [
  ["SET greeting hello", "SET greeting"],
  [" incr  visits ", "incr visits"],
  [["SET", "a b", "secret"], 'SET "a b"'],
  [["SET", "", "secret"], 'SET ""'],
  [["SET", 7, "secret"], "SET 7"],
  [["SET", Buffer.from("b\u001b"), "secret"], 'SET "b\\u001b"'],
  [["SET", "k".repeat(100), "secret"], `SET ${"k".repeat(60)}…`],
  ["PING secret", "PING"],
  [["AUTH", "secret"], "AUTH"],
  [["AUTHH", "secret"], "AUTHH"],
  ["AUTH\nsecret", "AUTH…"],
  [["AUTH secret"], "AUTH…"],
  [[Buffer.from("AUTH\nsecret")], "AUTH…"],
  [["EVAL", "return 'secret'", 0], "EVAL"],
  [["ACL", "SETUSER", "ada", ">secret"], "ACL"],
  [["CONFIG", "SET", "requirepass", "secret"], "CONFIG"],
  ["GET", "GET"],
  ["", ""],
  [[], ""],
  [null, ""],
  [[null, "secret"], ""],
] as const)
  test(`the label of ${JSON.stringify(command)} is ${label === "" ? "empty" : label}`, () => {
    assert.equal(commandLabel(command as string), label);
  });

test("the label of several commands names the first one, and that of a reply names its command", () => {
  const inputs = ["SET a 1", ["INCR", "b"], "GET c"];
  const call: LabelledCall = { inputs, bytes: ["", "", ""] };
  assert.equal(callLabel(call), "SET a and 2 more");
  assert.equal(replyLabel(call, 1), "INCR b");
  const one: LabelledCall = { inputs: ["EXISTS", "a", "b"], bytes: "…" };
  assert.deepEqual([callLabel(one), replyLabel(one, 1)], ["EXISTS a", "EXISTS a"]);
});
