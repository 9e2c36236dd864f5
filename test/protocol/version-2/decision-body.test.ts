/** Tests the bodies of decisions: what is parsed back, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedFrame } from "../../../protocol/errors.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import {
  type Decision,
  isDecision,
  readDecision,
  readEntryBody,
  readEntryHead,
  writeDecision,
} from "../../../protocol/version-2/decision-body.js";
import { NO_KEY, readBody, signedBytes } from "../../../protocol/version-2/envelope.js";
import { writeBody } from "../../../protocol/version-2/envelope-body.js";

const header = {
  key: "k".repeat(32),
  cluster: "c".repeat(32),
  at: 1_790_000_000_000,
  seq: 3,
  nonce: "n".repeat(16),
  decide: true,
};
const body = Buffer.from(writeBody(header, [writeCommand(["SET", "lock", "x", "NX"])]), "latin1");
const unit = { body, signature: Buffer.from("signature") };
const first: Decision = {
  slot: 1,
  index: 0,
  count: 1,
  previous: null,
  at: header.at + 7,
  seq: 0,
  outcomes: ["applied"],
  unit,
};
const previous = { at: header.at, seq: 1, id: "i".repeat(32) };

test("a decision is parsed back, and is the client's envelope at another position", () => {
  for (const decision of [
    first,
    { ...first, slot: 2, index: 1, count: 64, previous, outcomes: ["unmet"] as const },
  ]) {
    const bytes = writeDecision(decision);
    assert.ok(isDecision(bytes));
    assert.deepEqual(readDecision(bytes), decision);
    const { slot, at, seq, outcomes } = decision;
    const decided = { slot, outcomes, signed: { at: header.at, seq: header.seq } };
    assert.deepEqual(readEntryBody(bytes), { ...readBody(body), at, seq, decided });
    assert.deepEqual(readEntryHead(bytes), { key: header.key, at, seq });
  }
});

test("a decision without a unit has a position, no signer, and a command that no table contains", () => {
  const bytes = writeDecision({ ...first, outcomes: ["unmet"], unit: null });
  assert.equal(readDecision(bytes).unit, null);
  const { key, at, commands, decided } = readEntryBody(bytes);
  assert.deepEqual({ key, at, commands }, { key: NO_KEY, at: first.at, commands: [["DECISION"]] });
  assert.deepEqual(decided, { slot: 1, outcomes: ["unmet"], signed: null });
});

test("an envelope is no decision, and a client's parser refuses a decision", () => {
  assert.ok(!isDecision(body));
  assert.deepEqual(readEntryBody(body), readBody(body));
  assert.deepEqual(readEntryHead(body), { key: header.key, at: header.at, seq: header.seq });
  assert.throws(() => readBody(writeDecision(first)), MalformedFrame);
  assert.notDeepEqual(signedBytes(writeDecision(first)), signedBytes(body));
});

test("malformed decisions are refused", () => {
  const good = writeDecision(first).toString("latin1");
  const changes: [string, string][] = [
    ["$1\r\n1\r\n$1\r\n0", "$1\r\n0\r\n$1\r\n0"],
    ["$1\r\n1\r\n$1\r\n0", "$1\r\n2\r\n$1\r\n0"],
    ["$1\r\n0\r\n$1\r\n1", "$1\r\n1\r\n$1\r\n1"],
    ["$1\r\n0\r\n$1\r\n1", "$1\r\n1\r\n$1\r\n2"],
    ["$1\r\n0\r\n$1\r\n1", "$1\r\n0\r\n$2\r\n65"],
    ["$7\r\napplied", "$7\r\nperhaps"],
    ["*10", "*9"],
  ];
  for (const [from, to] of changes) {
    assert.ok(good.includes(from));
    assert.throws(() => readDecision(Buffer.from(good.replace(from, to), "latin1")), MalformedFrame);
  }
  assert.throws(() => readDecision(Buffer.from(`${good}x`, "latin1")), MalformedFrame);
});
