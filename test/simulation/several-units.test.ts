/** Tests which outcomes of several units of one envelope disagree with each other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { writeCommand } from "../../protocol/resp/resp-writer.js";
import { readEntryBody, writeDecision } from "../../protocol/version-2/decision-body.js";
import type { DecidedOutcome } from "../../protocol/version-2/envelope.js";
import { writeBody } from "../../protocol/version-2/envelope-body.js";
import { disagreements } from "./several-units.js";

const WRITER = "w".repeat(36);
const ABSENT = "";

/** A unit: its command, its outcome, and the writer that it requires of its key. */
type Decided = readonly [line: string, outcome: DecidedOutcome, writer?: string];

/** Returns how many outcomes of an envelope with some units are wrong. */
function wrong(...units: readonly Decided[]): number {
  const commands = units.map(([line]) => line.split(" "));
  const ifs = new Map(
    units.flatMap(([, , writer], index) =>
      writer === undefined ? [] : [[index, [{ db: 0, key: commands[index]?.[1] ?? "", writer }]] as const],
    ),
  );
  const header = { key: "k".repeat(32), cluster: "c".repeat(32), at: 1, seq: 0, nonce: "n".repeat(16) };
  const fields = { ...header, decide: true, ifs: ifs.size === 0 ? null : ifs };
  const body = Buffer.from(writeBody(fields, commands.map(writeCommand)), "latin1");
  const outcomes = units.map(([, outcome]) => outcome);
  const unit = { body, signature: Buffer.alloc(0) };
  const place = { slot: 1, index: 0, count: 1, previous: null, at: 2, seq: 0 };
  const decision = writeDecision({ ...place, outcomes, unit });
  const envelope = readEntryBody(decision);
  return disagreements({ id: "i".repeat(32), body: decision, signature: unit.signature, envelope }).length;
}

test("outcomes that no state before the envelope explains are reported", () => {
  assert.equal(wrong(["SET k a NX", "applied"], ["SET k b NX", "applied"]), 1);
  assert.equal(wrong(["SET k a NX", "unmet"], ["SETNX k b", "applied"]), 1, "the key was there");
  assert.equal(wrong(["SET k a XX", "unmet"], ["SET k b NX", "unmet"]), 1, "the key was absent");
  assert.equal(wrong(["SET k a", "applied", WRITER], ["SET k b", "applied", WRITER]), 1);
  assert.equal(wrong(["INCR n", "applied"], ["SET n b", "applied", ABSENT]), 1);
  assert.equal(wrong(["DEL k", "applied"], ["SET k b", "unmet", ABSENT]), 1);
  assert.equal(wrong(["HSETNX h f0 a", "applied"], ["HSETNX h f0 b", "applied"]), 1);
  assert.equal(wrong(["INCR n", "unmet"], ["INCR n", "unmet"]), 2, "these have no conditions");
});

test("outcomes that a state before the envelope explains are not reported", () => {
  assert.equal(wrong(["SET k a NX", "applied"], ["SET k b NX", "unmet"], ["SET k c XX", "applied"]), 0);
  assert.equal(wrong(["SET k a NX", "unmet"], ["DEL k", "applied"], ["SETNX k b", "applied"]), 0);
  assert.equal(wrong(["SET k a", "unmet", WRITER], ["SET k b NX", "applied"]), 0, "the key was absent");
  assert.equal(wrong(["SET k a", "unmet", WRITER], ["SET k b NX", "unmet"]), 0, "another unit wrote the key");
  assert.equal(wrong(["SET k a", "applied", WRITER], ["SET k b", "unmet", WRITER]), 0);
  assert.equal(wrong(["HSETNX h f0 a", "applied"], ["HSETNX h f1 b", "unmet"]), 0, "another field");
  assert.equal(wrong(["DEL h", "applied"], ["HSETNX h f1 b", "applied"]), 0);
  assert.equal(wrong(["SET k a NX", "applied"], ["SET l b NX", "applied"]), 0, "another key");
});
