/** Tests the bodies of decisions: what is parsed back, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedFrame } from "../../../protocol/errors.js";
import { writeBulk, writeCommand } from "../../../protocol/resp/resp-writer.js";
import {
  type Decision,
  isDecision,
  readDecision,
  readEntryBody,
  readEntryHead,
  writeDecision,
} from "../../../protocol/version-2/decision-body.js";
import { NO_KEY, outcomeAt, readBody, signedBytes } from "../../../protocol/version-2/envelope.js";
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

/** Returns the unit of an envelope with a number of commands. */
const unitWith = (commands: number, fields: object = {}) => {
  const sets = Array.from({ length: commands }, (_, index) =>
    writeCommand(["SET", `lock:${index}`, "x", "NX"]),
  );
  return {
    body: Buffer.from(writeBody({ ...header, ...fields }, sets), "latin1"),
    signature: Buffer.from("signature"),
  };
};

test("a decision has an outcome for each unit of its envelope, and no other number of them", () => {
  const outcomes = ["applied", "unmet", "applied"] as const;
  const decide = (count: number, unit: Decision["unit"]) =>
    writeDecision({ ...first, outcomes: Array(count).fill("applied"), unit });

  const bytes = writeDecision({ ...first, outcomes, unit: unitWith(3) });
  assert.ok(bytes.includes("$21\r\napplied,unmet,applied\r\n"));
  const { decided } = readEntryBody(bytes);
  assert.deepEqual(readDecision(bytes).outcomes, outcomes);
  assert.deepEqual(decided?.outcomes, outcomes);
  assert.deepEqual(
    [0, 1, 2].map((index) => decided && outcomeAt(decided, index)),
    outcomes,
  );

  for (const [commands, multi, right] of [
    [1, false, 1],
    [2, false, 2],
    [3, true, 1],
    [256, false, 256],
  ] as const)
    for (const count of [0, 1, 2, 3, 4, 255, 256, 257]) {
      const read = () => readEntryBody(decide(count, unitWith(commands, { multi })));
      const what = `${count} outcomes of ${commands} commands`;
      if (count === right) assert.equal(read().decided?.outcomes.length, right, what);
      else assert.throws(read, MalformedFrame, what);
    }

  assert.throws(() => readDecision(decide(257, unitWith(256))), MalformedFrame);
  assert.throws(() => readDecision(decide(2, null)), MalformedFrame, "a decision without an envelope");
  assert.throws(() => readEntryBody(decide(2, null)), MalformedFrame, "a decision without an envelope");
});

test("an envelope that is too much has this outcome alone, and one that is only placed is not unmet", () => {
  const readable = (outcomes: Decision["outcomes"], unit: Decision["unit"]): boolean => {
    const bytes = writeDecision({ ...first, outcomes, unit });
    try {
      return readEntryBody(bytes).decided?.outcomes.join() === outcomes.join();
    } catch (problem) {
      assert.ok(problem instanceof MalformedFrame);
      return false;
    }
  };
  const [decided, placed] = [{}, { decide: false }];
  assert.ok(readable(["too-much"], unitWith(1, decided)));
  assert.ok(readable(["too-much"], unitWith(3, { multi: true })));
  assert.ok(!readable(["applied", "too-much"], unitWith(2, decided)));
  assert.ok(!readable(["too-much", "too-much"], unitWith(2, decided)));
  for (const commands of [1, 3]) {
    assert.ok(readable(["applied"], unitWith(commands, placed)));
    assert.ok(readable(["too-much"], unitWith(commands, placed)));
    assert.ok(!readable(["unmet"], unitWith(commands, placed)));
  }
});

test("the outcomes of a decision are a list of known words", () => {
  const good = writeDecision({ ...first, outcomes: ["applied", "unmet"], unit: unitWith(2) });
  for (const wrong of [
    "applied,Unmet",
    "applied,",
    ",applied",
    "applied unmet",
    "applied,,unmet",
    "applied;unmet",
    "applied,unmet,",
    "applied, unmet",
    "applied,__proto__",
    "",
  ]) {
    const bytes = good.toString("latin1").replace("$13\r\napplied,unmet", writeBulk(wrong).slice(0, -2));
    assert.throws(() => readEntryBody(Buffer.from(bytes, "latin1")), MalformedFrame, wrong);
  }
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
