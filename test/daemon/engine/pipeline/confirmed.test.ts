/** Tests the answer to a client that waits for the final result of an envelope without an effect. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { denialOf, resultOf } from "../../../../daemon/engine/answers/result-writer.js";
import type { Recording } from "../../../../daemon/engine/pipeline/recording-interface.js";
import type { UnitAnswer } from "../../../../daemon/timeline/fold/fold.js";
import { error } from "../../../../protocol/reply.js";
import { double } from "../../../support/double.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { makeScene } from "../../program/scene.js";

const NOW = 1_790_000_000_000;

test("an error is final if its entry can be read, or if the command was denied", async () => {
  const failed: UnitAnswer = { reply: error("ERR no"), outcome: "applied", late: false };
  let isDenied = false;
  let isHeld = true;
  const options = { maxReplyBytes: 1000, readStatus: "" } as const;

  const recording = double<Recording>({
    seenTo: Number.NEGATIVE_INFINITY,
    state: "live",
    records: () => true,
    holds: () => isHeld && !isDenied,
    hasApplied: () => false,
    readStatus: "",
    firstAnswer: () => null,
    apply: ({ id }) =>
      isDenied ? denialOf(id, [error("NOPERM no")], options) : resultOf(id, [failed], options),
    confirm: () => Promise.resolve(true),
    stop() {},
  });

  const { pipeline, sign } = makeScene({
    clock: { now: NOW },
    pair: makeKeyPair(),
    parts: { recording, floor: { date: NOW - 1, pending: null } },
  });

  const outcome = async ({ body, signature } = sign([["INCR"]])) => {
    const answer = await pipeline.handleEnvelope(
      { kind: "command", body, signature, wait: { kind: "stable" } },
      1000,
    );
    return answer.kind === "result" ? "result" : `${answer.code} ${answer.effect}`;
  };

  assert.equal(await outcome(), "result");
  isHeld = false;
  assert.equal(await outcome(), "not-stable unknown", "the entry is damaged now");
  isDenied = true;
  const denied = sign([["INCR"]]);
  for (const which of ["first", "again"]) assert.equal(await outcome(denied), "result", which);
});
