/** Tests the labels of commands in errors: name and first key, never a value. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  argumentProblem,
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

test("an invalid argument is reported with its type, and with what to pass instead", () => {
  const problem = (name: string, value: unknown): readonly string[] =>
    argumentProblem([name, "k", value], 2).split(
      /; arguments are text, finite numbers, bigints or bytes.*?\)/,
    );

  const ofFields = "; pass its names and values one by one: ...Object.entries(object).flat()";
  const ofOptions =
    '; pass what it contains one by one, as in Redis: "EX", 10; for options of the call (db, signal), use client.withOptions(options)';

  for (const name of ["HSET", "hset", "HMSET", "MSET", "mset", "MSETNX"])
    assert.deepEqual(problem(name, { a: 1 }), ["an object", ofFields], name);
  for (const name of ["SET", "set", "GET", "HGET", "HSETNX", "XHSET"])
    assert.deepEqual(problem(name, { EX: 1 }), ["an object", ofOptions], name);

  for (const [value, label, instead] of [
    [["a"], "a list", "; pass the elements of the list one by one: ...list"],
    [new Map(), "an object", "; pass its names and values one by one: ...[...map].flat()"],
    [new Date(0), "an object", "; pass date.toISOString() or date.getTime()"],
    [null, "null", '; pass "" for an empty value'],
    [undefined, "undefined", '; pass "" for an empty value'],
    [true, "true", "; pass String(value)"],
    [Number.NaN, "NaN", ""],
    [() => 1, "a function", ""],
  ] as const)
    assert.deepEqual(problem("HSET", value), [label, instead]);
  assert.match(argumentProblem([null, "k"], 0), /^null; /);
});
