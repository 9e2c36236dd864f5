/** Tests messages between members: written messages are parsed unchanged, and other bytes are rejected. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedFrame } from "../../../protocol/errors.js";
import { FrameParser, writeFrame } from "../../../protocol/frame.js";
import { packedBytes, readEntries, writeEntries } from "../../../protocol/members/member-elements.js";
import {
  type OwnMessage,
  readMemberMessage,
  writeMemberMessage,
} from "../../../protocol/members/member-messages.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { writeHello } from "../../../protocol/version-2/messages-v2.js";
import { seed } from "../../support/seed.js";
import { SeededRandom } from "../../support/seeded-random.js";

const id = "\x00\xff".repeat(16);
const orderKey = { at: 2 ** 53 - 1, seq: 65535, id };
const totals = { ring: { count: 3, sum: id }, data: { count: 2 ** 40, sum: id } };

const NO_LIST = { body: Buffer.alloc(0), signature: Buffer.alloc(0) };
const messages: readonly OwnMessage[] = [
  { kind: "challenge", nonce: id },
  { kind: "proof", spki: "spki", signature: Buffer.from("signature"), mac: Buffer.alloc(0) },
  { kind: "proof", spki: "spki", signature: Buffer.from("signature"), mac: Buffer.alloc(32, 7) },
  { kind: "bye", code: "self", sentence: "It is this daemon itself." },
  {
    kind: "status",
    serial: 1,
    echo: 0,
    echoAge: 0,
    clock: 1_790_000_000_000,
    watermark: 0,
    pruned: 1_780_000_000_000,
    latest: 1_790_000_005_000,
    state: "catching-up",
    skewed: true,
    ...totals,
  },
  {
    kind: "about",
    software: "0.1.0",
    pagePort: 9464,
    isPageLocal: true,
    diskFree: 5,
    diskSize: 2 ** 40,
    clientAnswers: 12,
    clientRefusals: 3,
    clientConnections: 4,
    problems: [
      { code: "failed", member: "", text: "its disk has failed (EIO)" },
      { code: "memberAway", member: "db2:1111", text: "it cannot reach its member db2:1111" },
    ],
  },
  {
    ...{ kind: "about", software: "", pagePort: 0, isPageLocal: false, diskFree: 0, diskSize: 0 },
    ...{ clientAnswers: 0, clientRefusals: 0, clientConnections: 0, problems: [] },
  },
  {
    kind: "service",
    serial: 1_790_000_000_000,
    epoch: 3,
    named: id,
    seen: 1_790_000_000_500,
    address: { host: "redis1.example", port: 6379 },
    acceptsWrites: true,
    resp: { host: "2001:db8::1", port: 6380 },
    sentinel: { host: "", port: 65_535 },
  },
  {
    ...{ kind: "service", serial: 0, epoch: 0, named: null, seen: 0, address: null, acceptsWrites: false },
    ...{ resp: null, sentinel: null },
  },
  { kind: "offer", orderKeys: [orderKey, { at: 0, seq: 0, id }] },
  { kind: "want", orderKeys: [] },
  { kind: "push", number: 7, bytes: 4, isDeflated: true, entries: Buffer.from([1, 2, 3]) },
  { kind: "have", number: 0, orderKeys: [orderKey] },
  { kind: "reconcile", session: 1, step: Buffer.from([0, 255]) },
  { kind: "given", session: 1 },
  { kind: "report-request", at: 1_790_000_000_000 },
  { kind: "close-dates", at: 1_790_000_000_000 },
  { kind: "dates-closed", requested: 1_790_000_000_000, at: 1_790_000_000_005 },
  { kind: "report", at: 1_790_000_000_000, watermark: 5, ...totals },
  { kind: "state-sums", at: 1_790_000_000_000, shares: 2, sums: new Uint32Array([0, 7, 2 ** 32 - 1, 1]) },
  {
    kind: "state-keys",
    at: 1_790_000_000_000,
    salt: 1_790_000_000,
    isAnswer: true,
    ...totals,
    keys: [
      { db: 15, key: "\x00k", digest: { high: 2 ** 32 - 1, low: 1 } },
      { db: 0, key: "", digest: null },
    ],
  },
  { kind: "subscribers", number: 0, counts: Buffer.from([0, 0, 0, 0, 1, 0, 1, 110]) },
  { kind: "list", hash: "", isReporting: false, hasEarlyVote: false, ...NO_LIST },
  { kind: "list", hash: "", isReporting: true, hasEarlyVote: true, ...NO_LIST },
  {
    ...{ kind: "list", hash: id, isReporting: true, hasEarlyVote: false },
    ...{ body: Buffer.from("body"), signature: Buffer.from("s") },
  },
];

const payloadOf = (message: OwnMessage): Buffer => {
  const parser = new FrameParser(1 << 20, 2);
  const [payload] = parser.split(writeMemberMessage(message));
  assert.ok(payload !== undefined && !parser.isMidRequest);
  return payload;
};

test("each message is parsed as it was written", () => {
  for (const message of messages) assert.deepEqual(readMemberMessage(payloadOf(message)), message);
});

test("members and clients send the same hello", () => {
  const hello = {
    kind: "hello",
    versions: [2],
    daemon: id,
    cluster: id,
    clock: 5,
    state: "live",
    role: "daemon",
    members: null,
    knows: ["members-3"],
  } as const;
  assert.deepEqual(readMemberMessage(Buffer.from(writeHello(hello), "latin1")), hello);
});

test("a daemon's refusal of the hello ends the connection like its bye", () => {
  const refused = writeCommand(["refused", "", "other-protocol", "Install the same.", "1", "not-applied"]);
  const bye = { kind: "bye", code: "other-protocol", sentence: "Install the same." };
  assert.deepEqual(readMemberMessage(Buffer.from(refused, "latin1")), bye);
});

test("clients' messages and unknown messages are malformed", () => {
  const bad = [
    ["command", "body", "signature"],
    ["constructor"],
    ["offer"],
    ["offer", "x".repeat(41)],
    ["offer", `\x01${"\xff".repeat(41)}`],
    ["challenge", "short"],
    ["given", "01"],
    ["given", "-1"],
    ["given", "9007199254740992"],
    ["push", "1", "4", "2", ""],
    ["have", "1", "", ""],
    ["subscribers", "-1", ""],
    ["subscribers", "1"],
    ["report", "1", "2", "3", id, "4", "short"],
    ["proof", "x".repeat(5000), ""],
    ["bye", "x", "y".repeat(2000)],
    ...[
      ["0", "short", "0", "h", "1"],
      ["0", id, "0", "", "0"],
      ["0", "", "0", "h", "1"],
      ["0", id, "0", "h", "65536"],
      ["0", id, "0", "h\r\n", "1"],
      ["0", id, "0", "a b", "1"],
      ["0", id, "0", "x".repeat(254), "1"],
      ["-1", id, "0", "h", "1"],
      ["0", "", "0", "h", "0"],
    ].map((some) => ["service", "1", ...some, "1", "", "0", "", "0"]),
    ["list", "short", "0", "", ""],
    ["list", id, "0", "body", ""],
    ["list", id, "3", "", ""],
    ["list", id, "0", "x".repeat(300_000), "s"],
  ];
  for (const elements of bad) {
    assert.throws(
      () => readMemberMessage(Buffer.from(writeCommand(elements), "latin1")),
      MalformedFrame,
      elements[0],
    );
  }
});

const numbered = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);
const vote = { at: 1, bytes: 2, seal: id, spki: "spki", signature: "signature" };

for (const [what, max, make] of [
  ["order keys in an offer", 10_000, (n) => ({ kind: "offer", orderKeys: numbered(n, orderKey) })],
  ["order keys in a want", 10_000, (n) => ({ kind: "want", orderKeys: numbered(n, orderKey) })],
  ["order keys in a have", 10_000, (n) => ({ kind: "have", number: 1, orderKeys: numbered(n, orderKey) })],
  ["votes in cuts", 256, (n) => ({ kind: "cuts", votes: numbered(n, vote) })],
] as const satisfies readonly (readonly [string, number, (count: number) => OwnMessage])[])
  test(`a message with more than ${max} ${what} is malformed`, () => {
    assert.deepEqual(readMemberMessage(payloadOf(make(max))), make(max));
    assert.throws(() => readMemberMessage(payloadOf(make(max + 1))), MalformedFrame);
  });

test("a member's report has at most 32 bytes of its version, and 8 problems of 600 bytes", () => {
  const problem = { code: "failed", member: "", text: "x".repeat(1000) };
  const about = messages.find(({ kind }) => kind === "about");
  assert.ok(about?.kind === "about");
  const long = { ...about, software: "v".repeat(33), problems: numbered(9, problem) };

  const read = readMemberMessage(payloadOf(long));
  assert.ok(read.kind === "about");
  assert.equal(read.software, "v".repeat(32));
  assert.deepEqual(
    read.problems.map(({ text }) => text.length),
    numbered(8, 600 - "failed  ".length),
  );

  // Another program may write longer texts.
  const texts = (version: string, lines: readonly string[]) =>
    Buffer.from(
      writeCommand(["about", version, "0", "0", "0", "0", "0", "0", "0", lines.join("\n")]),
      "latin1",
    );
  const line = `failed  ${"x".repeat(592)}`;
  assert.deepEqual(readMemberMessage(texts("v".repeat(32), numbered(8, line))), {
    ...{ kind: "about", software: "v".repeat(32), pagePort: 0, isPageLocal: false, diskFree: 0, diskSize: 0 },
    ...{ clientAnswers: 0, clientRefusals: 0, clientConnections: 0 },
    problems: numbered(8, { code: "failed", member: "", text: "x".repeat(592) }),
  });

  for (const bytes of [texts("v".repeat(33), []), texts("", numbered(9, line))])
    assert.throws(() => readMemberMessage(bytes), MalformedFrame);
});

test("a member's report is malformed if one of its problems names no code or no member", () => {
  const about = messages.find(({ kind }) => kind === "about");
  assert.ok(about?.kind === "about");
  const payload = payloadOf({ ...about, problems: [{ code: "failed", member: "", text: "it failed" }] });
  const changed = (line: string) =>
    Buffer.from(payload.toString("latin1").replace("failed  it failed", line), "latin1");
  assert.deepEqual(readMemberMessage(changed("failed db2 failed")), {
    ...about,
    problems: [{ code: "failed", member: "db2", text: "failed" }],
  });
  for (const line of [" failed it failed", "it-failed-again!!"])
    assert.throws(() => readMemberMessage(changed(line)), MalformedFrame, line);
});

test("truncated or changed messages are malformed or are other messages, but throw nothing else", () => {
  const random = new SeededRandom(seed());
  for (const message of messages) {
    const payload = payloadOf(message);
    for (let end = 0; end < payload.length; end++) {
      assert.throws(() => readMemberMessage(payload.subarray(0, end)), MalformedFrame);
    }
    for (let i = 0; i < 300; i++) {
      const changed = Buffer.from(payload);
      changed[random.below(changed.length)] = random.below(256);
      try {
        readMemberMessage(changed);
      } catch (problem) {
        assert.ok(problem instanceof MalformedFrame, `${message.kind}: ${problem}`);
      }
    }
  }
});

test("a push contains its entries unchanged", () => {
  const entries = [
    { body: Buffer.from("body"), signature: Buffer.alloc(256, 7) },
    { body: Buffer.alloc(70_000, 1), signature: Buffer.alloc(64) },
  ];

  const bytes = writeEntries(entries);
  assert.equal(
    bytes.length,
    entries.reduce((sum, entry) => sum + packedBytes(entry), 0),
  );
  assert.deepEqual(readEntries(bytes), entries);
  assert.deepEqual(readEntries(Buffer.alloc(0)), []);

  const short = { body: Buffer.from("b"), signature: Buffer.alloc(0) };
  assert.equal(readEntries(writeEntries(numbered(512, short)))?.length, 512);
  assert.equal(readEntries(writeEntries(numbered(513, short))), null);
  for (let end = 1; end < bytes.length; end += 97) {
    if (end !== packedBytes(entries[0] as (typeof entries)[0]))
      assert.equal(readEntries(bytes.subarray(0, end)), null);
  }
});

test("the frame parser accepts the written frames", () => {
  const [first] = messages;
  const frame = writeMemberMessage(first as OwnMessage).toString("latin1");
  assert.equal(frame, writeFrame(writeCommand(["challenge", id]), 2));
});
