/** Tests the codes that MongoDB's drivers receive for errors of the daemon itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { refused, replyOf } from "../../../../daemon/engine/answers/request.js";
import { failureOf } from "../../messages/failure-codes.js";

const CODES = {
  "too-much": [146, "ExceededMemoryLimit"],
  "working-memory": [146, "ExceededMemoryLimit"],
  "working-memory-busy": [50, "MaxTimeMSExpired"],
  "clock-off": [8, "UnknownError"],
  // Drivers repeat a write only for other codes, and for labels, which no answer has.
  undecided: [8, "UnknownError"],
  "cannot-decide": [8, "UnknownError"],
} as const;

for (const [refusal, [code, codeName]] of Object.entries(CODES) as [keyof typeof CODES, [number, string]][])
  test(`${refusal} has the code ${code}`, () => {
    const reply = replyOf(refused(refusal, ""));
    assert.ok(reply.kind === "error");
    const failure = failureOf(reply);
    assert.deepEqual([failure.code, failure.codeName], [code, codeName]);
  });
