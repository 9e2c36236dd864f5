/**
 * Tests a member that has proved its identity and then sends invalid messages, written by hand from
 * docs/protocol-v2.md.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { EntrySpreading } from "../../../../daemon/cluster/peers/exchange/entry-spreading.js";
import type { ClusterState } from "../../../../daemon/cluster/peers/shared/cluster-state.js";
import type {
  MemberSocket,
  MemberSocketHandlers,
} from "../../../../daemon/cluster/peers/shared/member-socket.js";
import { PEERING_LIMITS } from "../../../../daemon/cluster/peers/shared/peering-limits.js";
import { Channels } from "../../../../daemon/engine/channels/channels.js";
import { ITEMS_MAX } from "../../../../daemon/timeline/compare/reconcile-message.js";
import type { Timeline } from "../../../../daemon/timeline/timeline.js";
import { CLOSE_REASONS } from "../../../../protocol/figures/close-reasons.js";

import { FrameParser, writeFrame } from "../../../../protocol/frame.js";
import { writeEntries } from "../../../../protocol/members/member-elements.js";
import {
  type MemberMessage,
  type OwnMessage,
  readMemberMessage,
  writeMemberMessage,
} from "../../../../protocol/members/member-messages.js";
import { memberKnows, writeHello } from "../../../../protocol/version-2/messages-v2.js";
import { signatureOf } from "../../../simulation/signatures.js";
import { double } from "../../../support/double.js";
import { CLUSTER, EPOCH, entryOf, keyOf } from "./entries.js";
import { entriesOf, type Node, type NodeOptions, World } from "./support.js";

const NONCE = "n".repeat(32);
const NOTHING = { count: 0, sum: "\0".repeat(32) };
const me = keyOf("me");

/** The opener's side of a connection. */
class Hand implements MemberSocket {
  readonly binding = null;
  readonly remote = "203.0.113.9:5";
  readonly received: MemberMessage[] = [];
  isClosed = false;
  readonly #node: Node;
  readonly #owner: MemberSocketHandlers;
  readonly #parser = new FrameParser(1 << 20, 2);

  constructor(node: Node) {
    this.#node = node;
    const hello = { kind: "hello", versions: [2], daemon: me.id, cluster: CLUSTER, clock: EPOCH } as const;
    this.#owner = node.peering.accept(this, {
      ...hello,
      state: "live",
      role: "daemon",
      members: null,
      knows: memberKnows(),
    });
  }

  write(bytes: Buffer): void {
    this.received.push(...this.#parser.split(bytes).map(readMemberMessage));
  }

  close(): void {
    this.isClosed = true;
  }

  unsent = 0;

  unsentBytes(): number {
    return this.unsent;
  }

  send(message: OwnMessage | Buffer): void {
    this.#owner.received(Buffer.isBuffer(message) ? message : writeMemberMessage(message));
  }

  /** Follows the documented handshake. */
  prove(): void {
    const challenge = this.received.find(({ kind }) => kind === "challenge") as { nonce: string };
    const names = CLUSTER + me.id + this.#node.key.id + NONCE + challenge.nonce;
    this.send({ kind: "challenge", nonce: NONCE });
    const signature = signatureOf(me.spki, Buffer.from(`dbsync2\0members-3\0${names}\x01`, "latin1"));
    this.send({ kind: "proof", spki: me.spki, signature, mac: Buffer.alloc(0) });
    const proof = this.received.find(({ kind }) => kind === "proof") as { spki: string; signature: Buffer };
    const theirs = signatureOf(proof.spki, Buffer.from(`dbsync2\0members-3\0${names}\x02`, "latin1"));
    assert.deepEqual(proof.signature, theirs);
  }

  greet(): void {
    this.send({
      kind: "status",
      serial: 1,
      echo: 0,
      echoAge: 0,
      clock: EPOCH,
      watermark: 0,
      pruned: 0,
      latest: EPOCH,
      state: "live",
      skewed: false,
      ring: NOTHING,
      data: NOTHING,
    });
  }

  get last(): string | undefined {
    return this.received.at(-1)?.kind;
  }
}

const knownMessages = (): NonNullable<ClusterState["messages"]> => ({
  deliver: () => "known",
  missed() {},
  subscribers: new Channels(),
});

function joined(
  world: World,
  parts: Partial<ClusterState> = {},
  reportLimits: NodeOptions["limits"] = REPORTED_MAX,
): { node: Node; hand: Hand } {
  const limits = { maxEnvelopeBytes: 65_536, ...reportLimits };
  const node = world.add("a", { limits, parts: { messages: knownMessages(), ...parts } });
  const hand = new Hand(node);
  hand.prove();
  hand.greet();
  world.run(100);
  assert.equal(node.peering.members[0]?.connection, "connected");
  return { node, hand };
}

const push = (entries: Buffer, bytes = entries.length, isDeflated = false, number = 1): OwnMessage => ({
  kind: "push",
  number,
  bytes,
  isDeflated,
  entries,
});

const bomb = deflateRawSync(Buffer.alloc(50_000_000));
const long = writeEntries([entryOf(0, ["SET", "k", "v".repeat(1_100_000)])]);
/** A comparison with one section too many: its head, then the kind, start, duration and number of ids of each. */
const sections = Buffer.concat([Buffer.from([1, 1, 0]), Buffer.alloc(4 * (ITEMS_MAX + 1), "\x03\0\x01\0")]);

const report = (counts: Buffer, number = 0): OwnMessage => ({ kind: "subscribers", number, counts });
const countOf = (kind: number, name: string, length = name.length): Buffer =>
  Buffer.from([kind, 0, 0, 0, 1, length >> 8, length & 255, ...Buffer.from(name, "latin1")]);
/** The smallest limits of reports with which the tests can exceed them. */
const REPORTED_MAX = { maxReportedNames: 3, maxReportedBytes: 3000 };
const orderKey = { at: EPOCH, seq: 0, id: "x".repeat(32) };

const reported = (...names: readonly string[]): Buffer =>
  Buffer.concat(names.map((name) => countOf(0, name)));

const invalid: Readonly<Record<string, OwnMessage | Buffer>> = {
  garbage: Buffer.from("GET / HTTP/1.1\r\n"),
  "a frame longer than any": Buffer.from("ds2:90000000:"),
  "another challenge": { kind: "challenge", nonce: NONCE },
  "a push out of turn": push(Buffer.alloc(0), 0, false, 2),
  "a push whose bytes are not entries": push(Buffer.from("garbage, not entries")),
  "a push of a length other than announced": push(writeEntries([entryOf(0)]), 5),
  "a push that cannot be inflated": push(Buffer.from("garbage"), 100, true),
  "a push that inflates to more than announced": push(bomb, 1000, true),
  "a push that announces more inflated bytes than allowed": push(bomb, 50_000_000, true),
  "an acknowledgement of a push that was never sent": { kind: "have", number: 5, orderKeys: [] },
  "more order keys than allowed": {
    kind: "offer",
    orderKeys: Array(PEERING_LIMITS.maxOrderKeys + 1).fill(orderKey),
  },
  "a push of empty entries": push(Buffer.alloc(60)),
  "a push of more entries than allowed": push(writeEntries(Array(513).fill(entryOf(0)))),
  "a push that is too long to be deflated": push(deflateRawSync(long), long.length, true),
  "a reconciliation of more sections than allowed": { kind: "reconcile", session: 1, step: sections },
  "reconciliation steps that do not wait for replies": Buffer.concat(
    Array(6).fill(writeMemberMessage({ kind: "reconcile", session: 1, step: Buffer.from([1, 1, 0]) })),
  ),
  "a report request up to a fraction of a second": { kind: "report-request", at: EPOCH + 1 },
  "a part of a snapshot that was not requested": {
    kind: "snapshot-part",
    at: EPOCH,
    number: 0,
    total: 3,
    isLast: true,
    bytes: Buffer.from("abc"),
  },
  "a report of subscribers out of turn": report(countOf(0, "news"), 1),
  "a gap in reports of subscribers": Buffer.concat(
    [0, 2].map((number) => writeMemberMessage(report(countOf(0, "news"), number))),
  ),
  "subscribers of an unknown kind": report(countOf(3, "news")),
  "subscribers of a name that is longer than allowed": report(countOf(0, "x".repeat(1025))),
  "subscribers of a name that ends after the message": report(countOf(0, "news", 5)),
  "a part of the fields of a report": report(countOf(0, "news").subarray(0, 6)),
  "more subscribers in one message than allowed": report(Buffer.concat(Array(4097).fill(countOf(0, "n")))),
  "subscribers of more names than allowed": report(reported("a", "b", "c", "d")),
  "subscribers of more names than allowed, in two messages": Buffer.concat([
    writeMemberMessage(report(reported("a", "b"))),
    writeMemberMessage(report(reported("c", "d"), 1)),
  ]),
  "subscribers of names with more bytes than allowed": report(
    reported(...["a", "b", "c"].map((name) => name.repeat(1001))),
  ),
  "a malformed reconciliation": { kind: "reconcile", session: 1, step: Buffer.from("\x01garbage") },
};

for (const [name, message] of Object.entries(invalid)) {
  test(`${name} closes the connection of a member`, () => {
    const world = new World();
    const { node, hand } = joined(world);
    hand.send(message);
    world.run(100);
    assert.ok(hand.isClosed);
    assert.equal(hand.last, "bye");
    assert.equal(node.peering.members.length, 0);
    assert.equal(entriesOf(node), 0);
    hand.send(message);
    world.run(1000);
    assert.equal(node.peering.state, "live");
  });
}

test("a member that lies about its subscribers causes wrong counts, until it disconnects", () => {
  const world = new World();
  const { node, hand } = joined(world);
  const { subscribers } = node.peering;
  const names = (kind: "channel" | "pattern") => [...subscribers.names(kind)];
  hand.send(report(Buffer.concat([reported("a", "b"), countOf(1, "*")])));
  assert.deepEqual([names("channel"), names("pattern")], [["a", "b"], ["*"]]);

  // The report replaces the first one, and repeats a name.
  hand.send(report(reported("c", "c", "d")));
  const most = Buffer.from(countOf(0, "c"));
  most.writeUInt32BE(2 ** 32 - 1, 1);
  hand.send(report(Buffer.concat([most, countOf(1, "x")]), 1));
  assert.deepEqual([names("channel"), names("pattern")], [["c", "d"], ["x"]]);
  assert.equal(subscribers.subscribersOf("channel", "c"), 2 ** 32 - 1);
  assert.ok(!hand.isClosed);

  hand.send(Buffer.from("garbage\r\n"));
  assert.equal(subscribers.subscribersOf("channel", "c"), 0);
});

test("a member's patterns delay PUBLISH only for a limited time", () => {
  const world = new World();
  const { node, hand } = joined(world, {}, { maxReportedNames: 10_000, maxReportedBytes: 1_000_000 });
  const count = (channel: string) =>
    node.peering.subscribers.countReceivers({ kind: "channel", channel, text: "" });
  const patterns = Array.from({ length: 4000 }, (_, index) => countOf(1, `[n${index.toString(36)}]*`));
  const matching = Buffer.concat(patterns);
  hand.send(report(matching));
  const found = count("news");
  assert.ok(found > 1000 && found <= 2000, `${found} patterns`);
  assert.equal(count("-"), 0);
  // This pattern uses all steps, because it goes back at each byte of the channel.
  hand.send(report(countOf(1, `*${"n".repeat(100)}b`)));
  hand.send(report(matching, 1));
  assert.equal(count("n".repeat(1000)), 0);
  assert.ok(count("news") > 1000);
});

for (const [name, pattern] of [
  ["go back a few bytes", `*${"n".repeat(15)}b`],
  ["contain short classes", `*[${"b".repeat(60)}n]b`],
] as const)
  test(`a member's patterns that ${name} very often delay PUBLISH only for a limited time`, () => {
    const world = new World();
    const { node, hand } = joined(world, {}, { maxReportedNames: 100, maxReportedBytes: 10_000 });
    const patterns = Array.from({ length: 50 }, (_, index) => countOf(1, `${pattern}${index}`));
    hand.send(report(Buffer.concat([...patterns, countOf(1, "n*")])));
    const count = (length: number) =>
      node.peering.subscribers.countReceivers({ kind: "channel", channel: "n".repeat(length), text: "" });
    assert.equal(count(1), 1);
    assert.equal(count(256), 0, "the patterns before the matching one use all steps");
  });

test("a comparison of entries in another format closes the connection, with both numbers", () => {
  const world = new World();
  const { node, hand } = joined(world);
  const before = node.lines.length;
  hand.send({ kind: "reconcile", session: 1, step: Buffer.from([2, 1, 0, 9, 9]) });
  world.run(100);
  assert.ok(hand.isClosed);
  const bye = hand.received.at(-1);
  assert.ok(bye?.kind === "bye" && bye.code === "other-protocol");
  assert.match(bye.sentence, /install the same version on all daemons\.$/);
  const line = node.lines.slice(before).find(({ text }) => text === CLOSE_REASONS["other-protocol"]);
  assert.equal(
    line?.facts["detail"],
    `${CLOSE_REASONS["other-protocol"]} It sent a comparison of entries in format 2 instead of 1.`,
  );
  assert.equal(entriesOf(node), 0);
});

const fail = (): never => {
  throw new TypeError("Cannot read properties of null");
};

const faultsOf = ({ lines }: Node) => lines.filter(({ text }) => text === CLOSE_REASONS["internal-error"]);

/** Checks that an exception was reported with its stack, and that the daemon continues with the next connection. */
function checkContained(world: World, node: Node, hand: Hand): void {
  assert.ok(hand.isClosed);
  const [line, ...more] = faultsOf(node);
  assert.match(String(line?.facts["detail"]), /^TypeError: Cannot read properties of null\n +at /);
  assert.deepEqual(more, []);
  assert.equal(node.peering.state, "live");
  const next = new Hand(node);
  next.prove();
  next.greet();
  next.send(push(writeEntries([entryOf(0)])));
  world.run(100);
  assert.equal(entriesOf(node), 1);
}

interface Fault {
  readonly send: OwnMessage;
  readonly parts?: Partial<ClusterState>;
  /** The method that throws the exception, once. */
  readonly at: (node: Node) => { readonly object: object; readonly method: string };
}

const messages = { deliver: () => "known" as const };

const faults: Readonly<Record<string, Fault>> = {
  "the parser": {
    send: { kind: "have", number: 0, orderKeys: [] },
    at: () => ({ object: FrameParser.prototype, method: "split" }),
  },
  "the handler of a message": {
    send: { kind: "offer", orderKeys: [orderKey] },
    at: () => ({ object: EntrySpreading.prototype, method: "offered" }),
  },
  "the check of a pushed entry": {
    send: push(writeEntries([entryOf(1)])),
    at: ({ timeline }) => ({ object: timeline, method: "holds" }),
  },
  "the check of a channel message": {
    send: { kind: "speak", number: 1, entries: writeEntries([entryOf(0)]) },
    parts: { messages: { deliver: () => messages.deliver(), missed() {}, subscribers: new Channels() } },
    at: () => ({ object: messages, method: "deliver" }),
  },
  "the answer to a comparison": {
    send: { kind: "reconcile", session: 1, step: Buffer.from([1, 1, 0, 3, 0, 1, 0]) },
    at: ({ timeline }) => ({ object: timeline.index, method: "orderKeys" }),
  },
};

for (const [name, { send, parts = {}, at }] of Object.entries(faults))
  test(`an exception in ${name} closes only the connection of the member`, (context) => {
    const world = new World();
    const { node, hand } = joined(world, parts);
    const { object, method } = at(node);
    const fault = context.mock.method(object as Record<string, () => void>, method, fail, { times: 1 });
    hand.send(send);
    world.run(100);
    fault.mock.restore();
    checkContained(world, node, hand);
  });

test("an exception in the handling of a hello closes only the connection of that hello", (context) => {
  const world = new World();
  const parts = { refusal: (): null => null };
  const node = world.add("a", { parts: { refusal: () => parts.refusal() } });
  const fault = context.mock.method(parts, "refusal", fail, { times: 1 });
  const hand = new Hand(node);
  fault.mock.restore();
  checkContained(world, node, hand);
});

test("a member made by hand sends and receives entries", () => {
  const world = new World();
  const { node, hand } = joined(world);
  const [sent, offeredEntry] = [entryOf(0), entryOf(1)];

  hand.send(push(writeEntries([sent])));
  world.run(100);
  assert.deepEqual(hand.received.at(-1), {
    kind: "have",
    number: 1,
    orderKeys: [{ at: EPOCH, seq: 0, id: sent.id }],
  });

  node.timeline.accept(offeredEntry);
  world.run(100);
  const offered = [{ at: EPOCH + 1, seq: 0, id: offeredEntry.id }];
  assert.deepEqual(hand.received.at(-1), { kind: "offer", orderKeys: offered });
  hand.send({ kind: "want", orderKeys: offered });
  world.run(100);
  assert.deepEqual(hand.received.at(-1), push(writeEntries([offeredEntry])));
});

test("a member that has sent nothing yet receives no more than a status", () => {
  const world = new World();
  const node = world.add("a");
  const hand = new Hand(node);
  hand.prove();
  const before = hand.received.length;

  const [offered, own] = [entryOf(0), entryOf(1, ["SET", "k", "v".repeat(20_000)])];
  for (const entry of [offered, own]) node.timeline.accept(entry);
  node.peering.pushOwn(own);
  world.run(3000);
  assert.deepEqual(new Set(hand.received.slice(before).map(({ kind }) => kind)), new Set(["status"]));

  hand.greet();
  world.run(2000);
  assert.ok(
    hand.received.some(({ kind }) => kind === "reconcile"),
    "missed entries are found",
  );
});

test("a member that floods a daemon with requests for reports receives a limited number of them", () => {
  const world = new World();
  const { hand } = joined(world);
  for (let i = 0; i < 100; i++) hand.send({ kind: "report-request", at: EPOCH });
  world.run(100);
  assert.ok(!hand.isClosed);
  const reports = hand.received.filter(({ kind }) => kind === "report").length;
  assert.ok(reports > 0 && reports <= 8, `${reports} reports`);
});

test("answers to close-dates that wait for a slow disk are limited to the number of possible requests", () => {
  const world = new World();
  const { node, hand } = joined(world);
  const { closeRequests } = PEERING_LIMITS;
  const answerAll = () => {
    for (let i = 0; i < closeRequests; i++) hand.send({ kind: "dates-closed", requested: EPOCH, at: EPOCH });
  };

  node.timeline.isStuck = true;
  hand.send(push(writeEntries([entryOf(0)])));
  world.run(100);
  answerAll();
  assert.ok(!hand.isClosed);

  node.timeline.release();
  world.run(100);
  answerAll();
  answerAll();
  assert.ok(!hand.isClosed, "none waits");

  node.timeline.isStuck = true;
  hand.send(push(writeEntries([entryOf(1)]), undefined, false, 2));
  world.run(100);
  answerAll();
  hand.send({ kind: "dates-closed", requested: EPOCH, at: EPOCH });
  assert.ok(hand.isClosed);
});

test("a member that does not read is disconnected before its pending bytes fill the memory", () => {
  const world = new World();
  const { hand } = joined(world);
  hand.unsent = PEERING_LIMITS.closeAboveUnsentBytes;
  world.run(100);
  assert.ok(!hand.isClosed);
  hand.unsent++;
  world.run(100);
  assert.ok(hand.isClosed);
});

test("an entry that is in a push twice is recorded once", () => {
  const world = new World();
  const { node, hand } = joined(world);
  const entry = entryOf(0);
  hand.send(push(writeEntries([entry, entry])));
  world.run(100);
  assert.equal(entriesOf(node), 1);
  assert.equal(hand.received.at(-1)?.kind, "have");
});

test("an entry that is already stored is acknowledged regardless of its signature, and is not verified again", () => {
  const world = new World();
  const { node, hand } = joined(world);
  const entry = entryOf(0);
  node.timeline.accept(entry);
  world.run(100);
  hand.send(push(writeEntries([{ body: entry.body, signature: Buffer.alloc(32, 1) }])));
  world.run(100);
  assert.deepEqual(hand.received.at(-1), {
    kind: "have",
    number: 1,
    orderKeys: [{ at: EPOCH, seq: 0, id: entry.id }],
  });
  assert.equal(node.peering.members[0]?.refusals, 0);
});

test("a request for an entry that does not exist is ignored", () => {
  const world = new World();
  const { hand } = joined(world);
  hand.send({ kind: "want", orderKeys: [orderKey] });
  hand.send({ kind: "given", session: 77 });
  hand.send({ kind: "snapshot-pull", at: 5, number: 3 });
  hand.send({ kind: "report", at: 5, watermark: 5, ring: NOTHING, data: NOTHING });
  world.run(1000);
  assert.ok(!hand.isClosed);
  assert.ok(hand.received.every(({ kind }) => kind !== "push"));
});

/** Returns a daemon with a snapshot of the given parts to send. */
function sending(parts: Iterable<Buffer>): { node: Node; hand: Hand } {
  const { node, hand } = joined(new World());
  node.timeline.handover = double<Timeline["handover"]>({
    sendable: () => ({ cutAt: EPOCH, bytes: 100, chunks: parts }),
    hold: () => {},
    retainFrom: () => {},
    adoptions: 0,
    cuts: [],
    votes: null,
    certify: () => {},
    storeVotes: () => {},
    want: () => {},
    hasLost: () => false,
    stage: () => assert.fail("no snapshot is adopted"),
    adopt: () => assert.fail("no snapshot is adopted"),
  });
  return { node, hand };
}

const partsOf = ({ received }: Hand) => received.filter((message) => message.kind === "snapshot-part");

test("a member that requests parts of a snapshot without reading them does not increase the pending bytes further", () => {
  const { hand } = sending(Array(100).fill(Buffer.alloc(1)));
  const ask = (number: number) => hand.send({ kind: "snapshot-pull", at: EPOCH, number });
  for (let number = 0; number < 4; number++) ask(number);
  assert.equal(partsOf(hand).length, 4);
  hand.unsent = PEERING_LIMITS.closeAboveUnsentBytes + 1;
  for (let number = 4; number < 50; number++) ask(number);
  assert.equal(partsOf(hand).length, 4);
});

test("a snapshot that cannot be read is not sent", () => {
  const failing = function* () {
    yield Buffer.alloc(1);
    throw new Error("EIO: i/o error, read");
  };
  const { node, hand } = sending({ [Symbol.iterator]: failing });
  hand.send({ kind: "snapshot-pull", at: EPOCH, number: 0 });
  const [part] = partsOf(hand);
  assert.ok(part?.kind === "snapshot-part" && part.at === 0 && part.isLast, "another member has to be tried");
  assert.ok(!hand.isClosed);
  assert.deepEqual(node.lines.at(-1)?.facts, { reason: "EIO: i/o error, read" });
});

test("a member that was dialed, and never pauses after its proof, is disconnected before its messages fill the memory", () => {
  const world = new World();
  const received: MemberMessage[] = [];
  const parser = new FrameParser(1 << 20, 2);
  let owner: MemberSocketHandlers | null = null;

  const socket: MemberSocket = {
    binding: null,
    remote: "203.0.113.9:1",
    unsentBytes: () => 0,
    close: () => {},
    write: (bytes) => void received.push(...parser.split(bytes).map(readMemberMessage)),
  };
  const connect = (_: unknown, own: MemberSocketHandlers) => {
    owner ??= own;
    return socket;
  };

  const node = world.add("a", { peers: ["me"], parts: { connect } });
  const send = (bytes: Buffer) => (owner as unknown as MemberSocketHandlers).received(bytes);
  (owner as unknown as MemberSocketHandlers).opened();

  const hello = { kind: "hello", versions: [2], daemon: me.id, cluster: CLUSTER, clock: EPOCH } as const;
  send(
    Buffer.from(
      writeFrame(
        writeHello({ ...hello, state: "live", role: "daemon", members: null, knows: memberKnows() }),
        2,
      ),
      "latin1",
    ),
  );
  send(writeMemberMessage({ kind: "challenge", nonce: NONCE }));

  const challenge = received.find(({ kind }) => kind === "challenge") as { nonce: string };
  const names = CLUSTER + node.key.id + me.id + challenge.nonce + NONCE;
  const signature = signatureOf(me.spki, Buffer.from(`dbsync2\0members-3\0${names}\x02`, "latin1"));
  const frame = writeMemberMessage({ kind: "have", number: 0, orderKeys: [] });
  send(
    Buffer.concat([
      writeMemberMessage({ kind: "proof", spki: me.spki, signature, mac: Buffer.alloc(0) }),
      frame.subarray(0, 5),
    ]),
  );

  for (let i = 0; i < 1100; i++) send(Buffer.concat([frame.subarray(5), frame.subarray(0, 5)]));
  const [last] = received.slice(-1);
  assert.ok(last?.kind === "bye" && last.code === "malformed");
});
