/** Tests which calls request a decision of a list's members. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PendingCall } from "../../../client/calls/pending-call.js";
import { commandBytes } from "../../../client/shared/command-bytes.js";
import { ruleFor } from "../../../client/shared/policy.js";
import { requestsDecision } from "../../../client/version-2/decided-calls.js";

const condition = { db: 0, key: "k", writer: "" };

function requests(command: string, settings: object = {}, kind: "reads" | "writes" = "writes"): boolean {
  const call = { bytes: commandBytes(command), settings: { policy: "usual", envelope: null, ...settings } };
  return requestsDecision(call as unknown as PendingCall, kind);
}

test("commands that write only if a key is absent or present request a decision", () => {
  const conditional = [
    "SET k v NX",
    "set k v px 1000 xx",
    "SETNX k v",
    "hsetnx h f v",
    "MSETNX k v l w",
    "SET k v XX KEEPTTL",
  ];
  for (const command of conditional) assert.ok(requests(command), command);
  const plain = ["SET k v", "SET k v EX 10", "SET k NX", "SET k v NX GET", "SETEX k 1 v", "GET k", "INCR k"];
  for (const command of plain) assert.ok(!requests(command), command);
});

test("units with conditions request a decision, unless the caller has chosen another policy, or only reads", () => {
  const envelope = { if: [condition] };
  assert.ok(requests("SET k v", { envelope }));
  assert.ok(requests("SET k v", { envelope, policy: "majority" }));
  assert.ok(!requests("SET k v", { envelope, policy: "first" }));
  assert.ok(!requests("SET k v NX", { policy: 2 }));
  assert.ok(!requests("SET k v", { envelope: { ...envelope, only: "o".repeat(32) } }));
  assert.ok(!requests("GET k", { envelope }, "reads"));
});

test("a majority of the servers has to report a decision", () => {
  assert.equal(ruleFor("usual", false, true), "majority");
  assert.equal(ruleFor("usual", true, true), "outcome");
  assert.equal(ruleFor("usual", false, false), "first");
  assert.equal(ruleFor("first", true, true), "first");
});
