/** Tests envelopes in the pipeline of a daemon with a timeline that the test provides. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { GiveUp } from "../../../../daemon/cluster/peers/decisions/decision-types.js";
import type { Peering } from "../../../../daemon/cluster/peers/peering.js";
import { Confirmations } from "../../../../daemon/cluster/replica/delayed-answers.js";
import { Recorder } from "../../../../daemon/cluster/replica/recorder.js";
import type { NodeState } from "../../../../daemon/cluster/replica/replica-context.js";
import type { EnvelopeAnswer } from "../../../../daemon/engine/answers/request.js";
import type { SeenEnvelopes } from "../../../../daemon/engine/pipeline/seen-envelopes.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { commandTable } from "../../../../daemon/store/command-table.js";
import { KeyRing } from "../../../../daemon/store/key-ring.js";
import { Acl } from "../../../../daemon/store/rights/acl.js";
import { DecidedPatterns } from "../../../../daemon/store/rights/decided-patterns.js";
import type { Entry, OrderKey } from "../../../../daemon/timeline/entries/entry.js";
import type { UnitAnswer } from "../../../../daemon/timeline/fold/fold.js";
import type { AcceptOutcome } from "../../../../daemon/timeline/timeline-environment.js";
import type { UnlistedCause } from "../../../../protocol/figures/unlisted-causes.js";
import { bulk, integer, NIL, NIL_ARRAY, OK, type Reply } from "../../../../protocol/reply.js";
import { writeBulk, writeReply } from "../../../../protocol/resp/resp-writer.js";
import { readEntryBody, writeDecision } from "../../../../protocol/version-2/decision-body.js";
import { type DecidedOutcome, readBody, signerOf } from "../../../../protocol/version-2/envelope.js";
import type { DaemonState } from "../../../../protocol/version-2/messages-v2.js";
import { double } from "../../../support/double.js";
import { makeKeyPair, type SignedEnvelope } from "../../../support/envelope-client.js";
import { nextTurn, until } from "../../../support/until.js";
import { settingsFrom } from "../../program/replicas.js";
import { log, makeScene, type Scene } from "../../program/scene.js";

const pair = makeKeyPair();
const NOW = 1_790_000_000_000;
const applied: UnitAnswer = { reply: OK, outcome: "applied", late: false };

class FakeTimeline {
  readonly handover = { adoptions: 0 };
  readonly decided = { find: (): OrderKey | null => null };
  readonly waiting = { isDelayed: () => this.isDelayed, has: ({ id }: OrderKey) => this.unfolded.has(id) };
  isDelayed = false;
  state: "live" | "catching-up" = "live";
  failure: string | null = null;
  readonly flushing = null;
  readonly undone = 0;
  standstill: string | null = null;
  prunedTo = -1;
  newest = { at: 0, seq: 0 };
  ring = new KeyRing({ hash: () => "" });
  readonly taken: Entry[] = [];
  /** Ids of entries that wait to be folded. */
  readonly unfolded = new Set<string>();
  /** The steps that the preparation takes. */
  steps = 0;
  flush: Promise<void> = Promise.resolve();
  unmet: UnitAnswer | null = null;
  isTooMuch = false;
  answers: readonly UnitAnswer[] = [applied];
  taking: (entry: Entry) => AcceptOutcome = (entry) => {
    this.taken.push(entry);
    return { kind: "accepted", answers: this.answers, flushed: this.flush };
  };

  prepare(_: Entry): boolean {
    return this.steps-- <= 0;
  }

  accept(entry: Entry): AcceptOutcome {
    return this.taking(entry);
  }

  unmetAlone(): UnitAnswer | null {
    return this.unmet;
  }

  exceedsUndecided(): boolean {
    return this.isTooMuch;
  }

  holds({ id }: OrderKey): boolean {
    return this.taken.some((entry) => entry.id === id);
  }

  hasFolded(orderKey: OrderKey): boolean {
    return this.holds(orderKey) && !this.unfolded.has(orderKey.id);
  }

  isFolded(): boolean {
    return true;
  }
}

/** Returns peers that report nothing. */
const quietPeers = () => ({
  state: "live" as DaemonState,
  reason: "it has started",
  isSkewed: false,
  standstill: { mayBeStale: false, isCutOff: false },
  admission: { isRefused: false, accepts: () => false, refusalText: null as string | null },
  removalReport: null as { code: "revoked" | "left-out" | "not-listed"; by: string } | null,
  members: [] as { id: string; connection: "connected" | "waiting" }[],
  decisions: {
    isPossible: false,
    /** The signer whose share is used; null: none. */
    full: null as string | null,
    obstacle(_id: string, caller: string) {
      if (!this.isPossible) return "it is not a voting member yet";
      return this.full === caller ? "the share of its key is used" : null;
    },
    isKnown: (_id: string) => false,
    commonClock: NOW,
    submitted: [] as string[],
    hasAllUpTo: (_slot: number) => true,
    /** Those that no other member receives from the client. */
    onlyHere: [] as string[],
    /** Ends the wait for the last unit. */
    giveUp: (() => {}) as GiveUp,
    submit({ id }: Entry, isOnlyHere: boolean, giveUp: GiveUp) {
      this.giveUp = giveUp;
      this.submitted.push(id);
      if (isOnlyHere) this.onlyHere.push(id);
    },
  },
});

interface Fixture {
  readonly scene: Scene;
  readonly timeline: FakeTimeline;
  readonly peers: ReturnType<typeof quietPeers>;
  readonly lists: { hasLists: boolean; refusal: string | null; refusalCause: UnlistedCause | null };
  readonly clock: { now: number };
  readonly recorder: Recorder;
  /** Resolves when members' entries are on the disk. */
  readonly disk: { flushed: Promise<void> };
}

const NOTHING_HEARD = double<SeenEnvelopes>({ floor: 0, isApplied: () => false });
/** The timeout, in milliseconds, of a client that waits for a final result. */
const CERTAIN_MS = 60_000;
/** The daemon's id, which no key ring here contains. */
const OWN_ID = "o".repeat(32);

function fixture(confirming: Partial<Pick<Peering, "stable" | "replicated">> = {}): Fixture {
  const clock = { now: NOW };
  const timeline = new FakeTimeline();
  const never = () => new Promise<void>(() => {});
  const peers = Object.assign(quietPeers(), { stable: never, replicated: never }, confirming);
  const disk = { flushed: Promise.resolve() };
  const lists: Fixture["lists"] = { hasLists: false, refusal: null, refusalCause: null };
  const node = double<NodeState>({
    settings: settingsFrom(["-s", pair.file]),
    identity: { id: OWN_ID },
    timeline,
    peering: peers,
    lists,
    backend: { changes: {} },
    storage: { flushed: () => disk.flushed },
    log,
    environment: {
      ...realEnvironment,
      clock: () => clock.now,
      // Waiting for a final result ends immediately.
      setTimer: (milliseconds, step) =>
        realEnvironment.setTimer(milliseconds < CERTAIN_MS ? milliseconds : 5, step),
    },
    soon: setImmediate,
  });
  const recorder = new Recorder(node, null);
  const scene = makeScene({
    clock,
    pair,
    parts: { recording: recorder, floor: { date: NOW - 1, pending: null } },
  });
  const { ring } = makeScene({ clock, pair }).pipeline.signers ?? assert.fail();
  timeline.ring = ring;
  return { scene, timeline, peers, lists, clock, recorder, disk };
}

async function codeOf(answer: EnvelopeAnswer | Promise<EnvelopeAnswer>): Promise<string> {
  const settled = await answer;
  return settled.kind === "result" ? settled.replies : `${settled.code} ${settled.effect}`;
}

/** Returns a flush that lasts until the test ends it. */
function heldFlush(): { flushed: Promise<void>; flush: () => void } {
  let flush = () => {};
  const flushed = new Promise<void>((resolve) => {
    flush = resolve;
  });
  return { flushed, flush };
}

/** Whether the promise is settled once everything has run that could run without an outside event. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const turn = new Promise<"pending">((resolve) => setImmediate(() => resolve("pending")));
  return (await Promise.race([promise, turn])) !== "pending";
}

const OK_UNIT = "+OK\r\n$0\r\n\r\n";

test("a write is recorded completely, and answered when it is flushed", async () => {
  const { scene, timeline } = fixture();
  const { flushed, flush } = heldFlush();
  timeline.flush = flushed;
  const envelope = scene.sign([["SET", "k", "v"]]);
  const answer = codeOf(scene.take(envelope));
  const [entry] = timeline.taken;
  assert.deepEqual([entry?.id, entry?.body], [envelope.id, envelope.body]);
  const kept = Buffer.from(entry?.body ?? "");
  const received = Buffer.from(envelope.body);
  envelope.body.fill(0);
  assert.deepEqual(entry?.body, kept, "the network's buffer is not retained");
  received.copy(envelope.body);
  assert.equal(await isSettled(answer), false);
  flush();
  assert.equal(await answer, OK_UNIT);
  assert.equal(await codeOf(scene.take(envelope)), OK_UNIT, "the first answer, repeated");
  assert.equal(timeline.taken.length, 1);
});

test("a late write is recorded once the timeline is ready for it, and other clients are served in the meantime", async () => {
  const { scene, timeline } = fixture();
  timeline.steps = 3;
  const late = scene.sign([["SET", "k", "late"]]);
  const answer = scene.take(late);
  assert.equal(timeline.taken.length, 0);
  timeline.steps = 0;
  const other = scene.sign([["SET", "k", "other"]]);
  assert.equal(await codeOf(scene.take(other)), OK_UNIT);
  timeline.steps = 3;
  assert.equal(await codeOf(answer), OK_UNIT);
  assert.deepEqual(
    timeline.taken.map(({ id }) => id),
    [other.id, late.id],
  );
});

test("changes during the preparation of a late write are detected before it is recorded", async () => {
  const { scene, timeline } = fixture();
  timeline.steps = 6;
  const [received, lost] = [scene.sign([["SET", "k", "given"]]), scene.sign([["SET", "k", "lost"]])];
  const answers = [codeOf(scene.take(received)), codeOf(scene.take(lost))];
  timeline.taken.push({ id: received.id } as Entry);
  timeline.failure = "no space left";
  assert.deepEqual(await Promise.all(answers), ["answer-not-kept unknown", "storage-failed not-applied"]);
  assert.equal(timeline.taken.length, 1);
});

test("flags report late units, unmet conditions, and daemons that may be out of date", async () => {
  const { scene, timeline, peers } = fixture();
  timeline.answers = [{ ...applied, late: true }, { reply: OK, outcome: "unmet", late: false }, applied];
  const sets = Array<string[]>(3).fill(["SET", "k", "v"]);
  assert.equal(
    await codeOf(scene.take(scene.sign(sets))),
    `+OK\r\n$4\r\nlate\r\n+OK\r\n$17\r\nunmet provisional\r\n${OK_UNIT}`,
  );
  peers.state = "isolated";
  timeline.answers = [{ ...applied, late: true }];
  assert.equal(await codeOf(scene.take(scene.sign([["SET", "k", "v"]]))), "+OK\r\n$13\r\nlate isolated\r\n");
  assert.equal(await codeOf(scene.take(scene.sign([["GET", "k"]]))), "$-1\r\n$8\r\nisolated\r\n");
  // With a slow clock, the daemon holds back the other members' entries.
  peers.state = "live";
  peers.isSkewed = true;
  assert.equal(await codeOf(scene.take(scene.sign([["GET", "k"]]))), "$-1\r\n$11\r\ncatching-up\r\n");
  peers.isSkewed = false;
  for (const standstill of [
    { mayBeStale: true, isCutOff: false },
    { mayBeStale: false, isCutOff: true },
  ]) {
    peers.standstill = standstill;
    assert.equal(await codeOf(scene.take(scene.sign([["GET", "k"]]))), "$-1\r\n$11\r\ncatching-up\r\n");
  }
  peers.standstill = { mayBeStale: false, isCutOff: false };
  timeline.isDelayed = true;
  assert.equal(await codeOf(scene.take(scene.sign([["GET", "k"]]))), "$-1\r\n$11\r\ncatching-up\r\n");
});

type Changes = Partial<Pick<FakeTimeline, "state" | "failure" | "taking" | "flush">>;

const REFUSED: readonly [
  condition: string,
  code: string,
  timeline: () => Changes,
  peers?: Partial<Fixture["peers"]>,
][] = [
  ["is catching up", "catching-up not-applied", () => ({ state: "catching-up" })],
  [
    "receives reports of peers with more entries",
    "catching-up not-applied",
    () => ({}),
    { state: "catching-up" },
  ],
  [
    "stood still",
    "catching-up not-applied",
    () => ({}),
    { standstill: { mayBeStale: true, isCutOff: false } },
  ],
  ["has the wrong time", "clock-off not-applied", () => ({}), { isSkewed: true }],
  [
    "receives the report that its own key was revoked",
    "daemon-revoked not-applied",
    () => ({}),
    { removalReport: { code: "revoked", by: "a member" } },
  ],
  [
    "has later units on the keys of a condition",
    "too-old not-applied",
    () => ({ taking: () => ({ kind: "overtaken" }) }),
  ],
  ["has a full disk", "storage-failed not-applied", () => ({ failure: "no space" })],
  [
    "has promised to accept nothing so old",
    "too-old not-applied",
    () => ({ taking: () => ({ kind: "too-old" }) }),
  ],
  [
    "finds its disk full",
    "storage-failed not-applied",
    () => ({ taking: () => ({ kind: "failed", detail: "" }) }),
  ],
  ["cannot flush it", "storage-failed unknown", () => ({ flush: Promise.reject(new Error("no space")) })],
];

for (const [condition, code, timeline, peers] of REFUSED) {
  test(`a daemon that ${condition} refuses a write, and answers reads`, async () => {
    const made = fixture();
    Object.assign(made.timeline, timeline());
    Object.assign(made.peers, peers);
    const write = made.scene.sign([["SET", "k", "v"]]);
    assert.equal(await codeOf(made.scene.take(write)), code);
    assert.match(await codeOf(made.scene.take(made.scene.sign([["GET", "k"]]))), /^\$-1/);
    assert.equal(await codeOf(made.scene.take(write)), code, "a refused write stays refused");
  });
}

/**
 * Delivers an envelope as if a member had sent it before the client did.
 * @param answers  the answers of the fold, or null if the envelope has not been folded yet
 */
function give(
  { timeline, recorder }: Fixture,
  signed: SignedEnvelope,
  answers: readonly UnitAnswer[] | null,
): Entry {
  const entry = { ...signed, envelope: readBody(signed.body) };
  timeline.taken.push(entry);
  if (answers === null) timeline.unfolded.add(entry.id);
  else recorder.folded([entry], [{ entry, answers }]);
  return entry;
}

test("the cause for which a daemon is not listed follows from its own lists, otherwise from the report of a peer", () => {
  const { recorder, peers, lists } = fixture();
  const by = "a member";
  assert.equal(recorder.unlistedCause, null);
  peers.removalReport = { code: "revoked", by };
  assert.equal(recorder.unlistedCause, null);
  peers.removalReport = { code: "left-out", by };
  assert.equal(recorder.unlistedCause, "left-out");
  lists.refusalCause = "left";
  assert.equal(recorder.unlistedCause, "left");
});

test("an entry that a peer has sent before is answered with the fold's answer, with flags, and not recorded again", async () => {
  const made = fixture();
  const { scene, timeline, peers } = made;
  const envelope = scene.sign([
    ["INCR", "n"],
    ["SET", "k", "v"],
  ]);
  peers.state = "isolated";
  give(made, envelope, [{ reply: integer(7), outcome: "applied", late: true }, applied]);
  peers.state = "live";
  const answer = ":7\r\n$13\r\nlate isolated\r\n+OK\r\n$8\r\nisolated\r\n";
  assert.equal(await codeOf(scene.take(envelope)), answer);
  assert.equal(await codeOf(scene.take(envelope)), answer);
  assert.equal(timeline.taken.length, 1);
});

test("an entry from a peer is answered when it is on the disk, and not before", async () => {
  const made = fixture();
  const { scene, disk } = made;
  const { flushed, flush } = heldFlush();
  disk.flushed = flushed;
  const envelope = scene.sign([["SET", "k", "v"]]);
  give(made, envelope, [applied]);
  const answer = codeOf(scene.take(envelope));
  assert.equal(await isSettled(answer), false);
  flush();
  assert.equal(await answer, OK_UNIT);
  disk.flushed = Promise.reject(new Error("no space"));
  assert.equal(await codeOf(scene.take(envelope)), "storage-failed unknown");
});

test("an entry from a peer is answered when it is folded", async () => {
  const made = fixture();
  const { scene, recorder, timeline } = made;
  const [one, other, third] = [1, 2, 3].map((value) => scene.sign([["SET", "k", String(value)]]));
  assert.ok(one !== undefined && other !== undefined && third !== undefined);
  const entry = give(made, one, null);
  const refolded = give(made, other, null);
  give(made, third, null);
  const answers = [one, other, third].map((envelope) => codeOf(scene.take(envelope)));
  await nextTurn();
  timeline.unfolded.clear();
  recorder.folded([entry], [{ entry, answers: [applied] }]);
  assert.equal(await answers[0], OK_UNIT);
  recorder.folded([refolded], []);
  assert.equal(await answers[1], "answer-not-kept unknown", "folded by a refold, whose answers are not kept");
  scene.pipeline.stop();
  assert.equal(await answers[2], "answer-not-kept unknown", "the daemon stops");
});

test("an envelope that requests a decision waits for it, and is not recorded", async () => {
  const { scene, timeline, peers, lists, recorder, disk } = fixture();
  const envelope = scene.sign([["SET", "lock", "me", "NX"]], { decide: true });
  assert.equal(await codeOf(scene.take(envelope)), "cannot-decide not-applied");
  Object.assign(lists, { hasLists: true });
  const early = scene.sign([["SET", "lock", "you", "NX"]], { decide: true });
  assert.equal(
    await codeOf(scene.take(early)),
    "cannot-decide not-applied",
    "it knows a list, and cannot vote yet",
  );
  assert.deepEqual([recorder.decides, peers.decisions.submitted, timeline.taken], [true, [], []]);
  peers.decisions.isPossible = true;
  const answer = codeOf(scene.take(envelope));
  const copy = codeOf(scene.take(envelope));
  assert.deepEqual([peers.decisions.submitted, timeline.taken.length], [[envelope.id], 0]);
  assert.equal(await isSettled(answer), false);
  const { body, signature } = envelope;
  const unit = { body, signature };
  const head = {
    slot: 1,
    index: 0,
    count: 1,
    previous: null,
    at: NOW + 1,
    seq: 0,
    outcomes: ["applied"],
  } as const;
  const decision = writeDecision({ ...head, unit });
  const entry = { id: "d".repeat(32), body: decision, signature, envelope: readEntryBody(decision) };
  disk.flushed = heldFlush().flushed;
  recorder.folded([entry], [{ entry, answers: [{ ...applied, late: true }] }]);
  const decided = "+OK\r\n$7\r\ndecided\r\n";
  assert.equal(
    await isSettled(answer),
    true,
    "the votes of a majority are stored: its own disk is not awaited",
  );
  assert.deepEqual([await answer, await copy], [decided, decided]);
  timeline.decided.find = () => ({ at: NOW + 1, seq: 0, id: entry.id });
  assert.ok(recorder.holds({ at: NOW, seq: 0, id: envelope.id }));
});

test("the answer to a decided unit waits for the disk if it may show another write, which the disk may lose", async () => {
  const failed = Promise.reject(new Error("no space"));
  failed.catch(() => {});
  const held = { flushed: heldFlush().flushed, settles: false };
  for (const { flushed, settles } of [held, { flushed: failed, settles: true }]) {
    const { scene, peers, lists, recorder, disk } = fixture();
    Object.assign(lists, { hasLists: true });
    peers.decisions.isPossible = true;
    const { body, signature, ...envelope } = scene.sign([["INCR", "n"]], { decide: true, multi: true });
    const answer = codeOf(scene.take({ ...envelope, body, signature }));
    disk.flushed = flushed;
    const head = {
      slot: 1,
      index: 0,
      count: 1,
      previous: null,
      at: NOW + 1,
      seq: 0,
      outcomes: ["applied"],
    } as const;
    const decision = writeDecision({ ...head, unit: { body, signature } });
    const entry = { id: "d".repeat(32), body: decision, signature, envelope: readEntryBody(decision) };
    recorder.folded([entry], [{ entry, answers: [applied] }]);
    assert.equal(await isSettled(answer), settles);
    if (settles) assert.equal(await answer, "storage-failed unknown");
  }
});

test("each unit of a decided envelope has its own answer, and all wait for the disk if one may show another write", async () => {
  const cases: readonly [lines: string[][], outcomes: DecidedOutcome[], replies: Reply[], isHeld: boolean][] =
    [
      [
        [
          ["SET", "a", "v", "NX"],
          ["SET", "b", "v"],
          ["SETNX", "c", "v"],
        ],
        ["applied", "unmet", "unmet"],
        [OK, NIL_ARRAY, integer(0)],
        false,
      ],
      [
        [
          ["SET", "a", "v", "NX"],
          ["SET", "b", "v"],
          ["INCR", "n"],
        ],
        ["unmet", "unmet", "applied"],
        [NIL, NIL_ARRAY, integer(7)],
        true,
      ],
      [
        [
          ["INCR", "n"],
          ["SET", "a", "v", "NX"],
        ],
        ["applied", "applied"],
        [integer(8), OK],
        true,
      ],
      [
        [
          ["SET", "a", "v", "NX"],
          ["HSETNX", "h", "f", "v"],
        ],
        ["applied", "applied"],
        [OK, integer(1)],
        false,
      ],
    ];
  for (const [lines, outcomes, replies, isHeld] of cases) {
    const { scene, peers, lists, recorder, disk } = fixture();
    Object.assign(lists, { hasLists: true });
    peers.decisions.isPossible = true;
    const ifs = new Map([[1, [{ db: 0, key: "b", writer: "" }]]]);
    const envelope = scene.sign(lines, { decide: true, ifs });
    const { body, signature } = envelope;
    const answer = codeOf(scene.take(envelope));
    const { flushed, flush } = heldFlush();
    disk.flushed = flushed;
    const place = { slot: 1, index: 0, count: 1, previous: null, at: NOW + 1, seq: 0 };
    const decision = writeDecision({ ...place, outcomes, unit: { body, signature } });
    const entry = { id: "d".repeat(32), body: decision, signature, envelope: readEntryBody(decision) };
    const isUnmet = (index: number) => outcomes[index] === "unmet" && replies[index] === NIL_ARRAY;
    const answers = replies.map((reply, index): UnitAnswer => {
      return { reply, outcome: isUnmet(index) ? "unmet" : "applied", late: true };
    });
    recorder.folded([entry], [{ entry, answers }]);
    assert.equal(await isSettled(answer), !isHeld, lines.join());
    flush();
    const flags = replies.map((_, index) => (isUnmet(index) ? "decided unmet" : "decided"));
    const expected = replies.map((reply, index) => writeReply(reply) + writeBulk(flags[index] as string));
    assert.equal(await answer, expected.join(""));
    assert.equal(
      await codeOf(scene.take(envelope)),
      expected.join(""),
      "the client's copy for another daemon",
    );
  }
});

/** An envelope of the daemon itself, and the decision on it. */
function ownUnit(
  { scene }: Fixture,
  outcome: DecidedOutcome,
): { readonly own: Entry; readonly entry: Entry } {
  const { id, body, signature } = scene.sign([["INCR", "n"]], { decide: true, multi: true });
  const own = { id, body, signature, envelope: readBody(body) };
  const place = { slot: 1, index: 0, count: 1, previous: null, at: NOW + 1, seq: 0 };
  const decision = writeDecision({ ...place, outcomes: [outcome], unit: { body, signature } });
  const entry = { id: "d".repeat(32), body: decision, signature, envelope: readEntryBody(decision) };
  return { own, entry };
}

test("a unit of the daemon itself is passed on immediately, and answered with its replies when it is decided", async () => {
  const made = fixture();
  const { peers, lists, recorder, disk, timeline } = made;
  const { own, entry } = ownUnit(made, "applied");
  assert.deepEqual(await recorder.decide(own), {
    ...{ kind: "refused", id: own.id, code: "cannot-decide", effect: "not-applied" },
    detail: "it is not a voting member yet",
  });
  Object.assign(lists, { hasLists: true });
  peers.decisions.isPossible = true;
  const decided = recorder.decide(own);
  assert.deepEqual([peers.decisions.submitted, peers.decisions.onlyHere], [[own.id], [own.id]]);
  const other = ownUnit(made, "applied").entry;
  const ofOther = { entry: other, answers: [{ ...applied, reply: integer(7) }] };
  recorder.folded([other], [ofOther]);
  assert.equal(await isSettled(decided), false, "another unit was decided");
  const { flushed, flush } = heldFlush();
  disk.flushed = flushed;
  recorder.folded([other, entry], [ofOther, { entry, answers: [applied] }]);
  assert.equal(await isSettled(decided), false, "its answer may show a write that the disk may lose");
  flush();
  assert.deepEqual(await decided, {
    ...{ orderKey: { at: NOW + 1, seq: 0, id: entry.id }, answers: [applied] },
    isHeld: true,
  });
  assert.deepEqual(timeline.taken, []);
});

test("a unit that no longer waits for a decision is refused, and its effect is unknown if it was sent", async () => {
  const made = fixture();
  const { peers, lists, recorder, scene } = made;
  Object.assign(lists, { hasLists: true });
  peers.decisions.isPossible = true;
  const { own } = ownUnit(made, "applied");
  const refusal = { kind: "refused", id: own.id, detail: "a majority is silent" };
  for (const [wasSent, expected] of [
    [false, { ...refusal, code: "cannot-decide", effect: "not-applied" }],
    [true, { ...refusal, code: "undecided", effect: "unknown" }],
  ] as const) {
    const decided = recorder.decide(own);
    peers.decisions.giveUp(wasSent, refusal.detail);
    assert.deepEqual(await decided, expected);
  }

  const answer = scene.take(scene.sign([["SET", "lock", "me", "NX"]], { decide: true }));
  peers.decisions.giveUp(true, refusal.detail);
  assert.equal(await codeOf(answer), "undecided unknown");
});

test("an envelope that needs too many steps is not passed to the members, unless they may decide on it anyway", async () => {
  const made = fixture();
  const { peers, lists, recorder, scene, timeline } = made;
  Object.assign(lists, { hasLists: true });
  peers.decisions.isPossible = true;
  timeline.isTooMuch = true;
  const { own } = ownUnit(made, "applied");
  assert.deepEqual(await recorder.decide(own), {
    ...{ kind: "refused", id: own.id, code: "too-much", effect: "not-applied" },
    detail: "on this daemon's state",
  });
  const envelope = scene.sign([["SET", "lock", "me", "NX"]], { decide: true });
  assert.equal(await codeOf(scene.take(envelope)), "too-much not-applied");
  assert.deepEqual(peers.decisions.submitted, []);

  const copy = scene.sign([["SET", "other", "me", "NX"]], { decide: true });
  peers.decisions.isKnown = (id) => id === copy.id;
  void scene.take(copy);
  assert.deepEqual(peers.decisions.submitted, [copy.id]);
});

test("a unit of the daemon itself that is too much for the members is refused without waiting for the disk", async () => {
  const made = fixture();
  const { peers, lists, recorder, disk } = made;
  Object.assign(lists, { hasLists: true });
  peers.decisions.isPossible = true;
  const { own, entry } = ownUnit(made, "too-much");
  const decided = recorder.decide(own);
  disk.flushed = heldFlush().flushed;
  recorder.folded([entry], []);
  const answer = await decided;
  assert.equal("kind" in answer && `${answer.code} ${answer.effect}`, "too-much not-applied");
});

test("a unit of the daemon itself whose conditions do not hold is answered with nil, without waiting for the disk", async () => {
  const made = fixture();
  const { peers, lists, recorder, disk } = made;
  Object.assign(lists, { hasLists: true });
  peers.decisions.isPossible = true;
  const { own, entry } = ownUnit(made, "unmet");
  const decided = recorder.decide(own);
  disk.flushed = heldFlush().flushed;
  // A refold has folded it, whose answers are not kept.
  recorder.folded([entry], []);
  const answer = await decided;
  assert.deepEqual("kind" in answer ? answer : answer.answers[0]?.reply, NIL_ARRAY);
});

test("the answer to a decided unit is not sent if earlier decisions are missing, unless it shows only the decision", async () => {
  const made = fixture();
  const { peers, lists, recorder } = made;
  Object.assign(lists, { hasLists: true });
  peers.decisions.isPossible = true;
  const known: number[] = [];
  peers.decisions.hasAllUpTo = (slot) => {
    known.push(slot);
    return false;
  };
  const shown = ownUnit(made, "applied");
  const first = recorder.decide(shown.own);
  recorder.folded([shown.entry], [{ entry: shown.entry, answers: [applied] }]);
  const answer = await first;
  assert.equal("kind" in answer && `${answer.code} ${answer.effect}`, "undecided unknown");
  assert.equal(known[0], shown.entry.envelope.decided?.slot);
  const unmet = ownUnit(made, "unmet");
  const second = recorder.decide(unmet.own);
  recorder.folded([unmet.entry], []);
  assert.ok("answers" in (await second));
});

test("the effect of a unit of the daemon itself is unknown if it is not decided in time, or its replies are lost", async () => {
  const made = fixture();
  const { scene, peers, lists, recorder, disk } = made;
  Object.assign(lists, { hasLists: true });
  peers.decisions.isPossible = true;
  const codes: string[] = [];
  const decide = async ({ own }: { readonly own: Entry }) => {
    const answer = await recorder.decide(own);
    codes.push("kind" in answer ? `${answer.code} ${answer.effect}` : "decided");
  };
  const refolded = ownUnit(made, "applied");
  const [first] = [decide(refolded)];
  recorder.folded([refolded.entry], []);
  await first;
  const failed = ownUnit(made, "applied");
  disk.flushed = Promise.reject(new Error("no space"));
  disk.flushed.catch(() => {});
  const second = decide(failed);
  recorder.folded([failed.entry], [{ entry: failed.entry, answers: [applied] }]);
  await second;
  const third = decide(ownUnit(made, "applied"));
  scene.pipeline.stop();
  await third;
  assert.deepEqual(codes, ["undecided unknown", "storage-failed unknown", "undecided unknown"]);
});

test("an envelope whose key has used its share of those that wait for decisions is refused immediately", async () => {
  const { scene, peers, lists } = fixture();
  Object.assign(lists, { hasLists: true });
  const envelope = scene.sign([["SET", "lock", "me", "NX"]], { decide: true });
  Object.assign(peers.decisions, { isPossible: true, full: signerOf(envelope.body) });
  const answer = codeOf(scene.take(envelope));
  assert.ok(await isSettled(answer));
  assert.equal(await answer, "cannot-decide not-applied");
  assert.deepEqual(peers.decisions.submitted, []);
});

test("only the room for waiting units limits how many envelopes wait for decisions", async () => {
  const { scene, peers, lists } = fixture();
  Object.assign(lists, { hasLists: true });
  peers.decisions.isPossible = true;
  let answered = 0;
  const answers = Array.from({ length: 600 }, async (_, lock) => {
    const answer = await codeOf(
      scene.take(scene.sign([["SET", `lock ${lock}`, "me", "NX"]], { decide: true })),
    );
    answered++;
    return answer;
  });
  await nextTurn();
  assert.deepEqual([peers.decisions.submitted.length, answered], [600, 0]);
  scene.pipeline.stop();
  assert.deepEqual(new Set(await Promise.all(answers)), new Set(["undecided unknown"]));
});

test("what the other members would refuse to decide never reaches them", async () => {
  const { scene, peers, lists } = fixture();
  Object.assign(lists, { hasLists: true });
  peers.decisions.isPossible = true;
  const keys = scene.sign([["KEY", "LIST"]], { decide: true });
  const forOne = scene.sign([["SET", "lock", "me", "NX"]], { decide: true, only: scene.daemon });
  const read = scene.sign(
    [
      ["SET", "lock", "me", "NX"],
      ["GET", "lock"],
    ],
    { decide: true },
  );
  for (const envelope of [keys, forOne, read])
    assert.match(await codeOf(scene.take(envelope)), /^malformed not-applied$/);
  assert.deepEqual(peers.decisions.submitted, []);
});

test("an envelope none of whose units may read the keys of its conditions never reaches the other members", async () => {
  for (const [keys, isPassedOn] of [
    [["b", "b"], false],
    [["b", "a"], true],
    [["a", "b"], true],
  ] as const) {
    const { scene, peers, lists } = fixture();
    Object.assign(lists, { hasLists: true });
    peers.decisions.isPossible = true;
    const record = scene.pipeline.signers?.ring.find(pair.id) ?? assert.fail();
    Object.assign(record, { acl: new Acl(["+@all", "~a"], commandTable) });
    const ifs = new Map(keys.map((key, index) => [index, [{ db: 0, key, writer: "" }]]));
    const envelope = scene.sign(
      [
        ["SET", "a", "1"],
        ["SET", "a", "2"],
      ],
      { decide: true, ifs },
    );
    const answer = codeOf(scene.take(envelope));
    assert.deepEqual(peers.decisions.submitted, isPassedOn ? [envelope.id] : [], keys.join());
    scene.pipeline.stop();
    if (!isPassedOn) assert.equal((await answer).split("may not read key 'b' of \"if\"").length, 3);
  }
});

test("an envelope on which the members have not decided when the daemon stops may still be applied", async () => {
  const { scene, peers, lists } = fixture();
  Object.assign(lists, { hasLists: true });
  peers.decisions.isPossible = true;
  const answer = codeOf(scene.take(scene.sign([["SET", "k", "v"]], { decide: true })));
  scene.pipeline.stop();
  assert.equal(await answer, "undecided unknown");
});

test("answers to peers' entries are kept for the window, as long as there is space", async () => {
  const made = fixture();
  const { scene, clock, recorder } = made;
  const old = scene.sign([["SET", "k", "old"]], { at: clock.now - 30_000 });
  give(made, old, [applied]);
  const first = scene.sign([["SET", "k", "first"]]);
  give(made, first, [applied]);
  const codes = () => Promise.all([old, first].map((envelope) => codeOf(scene.take(envelope))));
  assert.deepEqual(await codes(), ["answer-not-kept unknown", OK_UNIT]);
  const long = { ...applied, reply: bulk("x".repeat(9_000_000)) };
  give(made, scene.sign([["GETDEL", "a"]]), [long]);
  assert.deepEqual(await codes(), ["answer-not-kept unknown", OK_UNIT]);
  give(made, scene.sign([["GETDEL", "b"]]), [long]);
  assert.deepEqual(
    await codes(),
    ["answer-not-kept unknown", "answer-not-kept unknown"],
    "the oldest one is dropped",
  );
  const second = scene.sign([["SET", "k", "second"]]);
  give(made, second, [applied]);
  clock.now += 30_000;
  recorder.folded([], []);
  assert.equal(await codeOf(scene.take(second)), "answer-not-kept unknown", "its date has left the window");
});

test("a recorded envelope is not reported as not applied when its key is no longer known", async () => {
  const { scene, timeline, clock } = fixture();
  const [recorded, other] = [scene.sign([["SET", "k", "v"]]), scene.sign([["SET", "k", "w"]])];
  assert.equal(await codeOf(scene.take(recorded)), OK_UNIT);
  scene.pipeline.signers = makeScene({ clock, pair: makeKeyPair() }).pipeline.signers;
  assert.equal(await codeOf(scene.take(recorded)), "unknown-key unknown");
  assert.equal(await codeOf(scene.take(other)), "unknown-key not-applied");
  assert.equal(timeline.taken.length, 1);
  timeline.taken.length = 0;
  assert.equal(await codeOf(scene.take(recorded)), "unknown-key unknown", "the key was lost with a snapshot");
});

test("a write that was signed before this start is accepted, a read is not", async () => {
  const { scene, clock } = fixture();
  clock.now += 1000;
  const at = NOW - 500;
  assert.equal(await codeOf(scene.take(scene.sign([["SET", "k", "v"]], { at }))), OK_UNIT);
  assert.equal(await codeOf(scene.take(scene.sign([["GET", "k"]], { at }))), "too-old not-applied");
});

test("a delayed answer is sent when its condition is met, and refused otherwise", async () => {
  const waits: unknown[] = [];
  const { scene, timeline, peers } = fixture({
    replicated: async (orderKey, daemons) => {
      waits.push([orderKey.id, daemons]);
    },
  });
  const envelope = scene.sign([["SET", "k", "v"]]);
  const { body, signature } = envelope;
  const wait = { kind: "replicated", daemons: 2 } as const;
  const message = { kind: "command", body, signature, wait } as const;
  assert.equal(await codeOf(scene.pipeline.handleEnvelope(message, 1000)), "too-few-daemons not-applied");
  peers.members = [{ id: "m".repeat(32), connection: "waiting" }];
  assert.equal(await codeOf(scene.pipeline.handleEnvelope(message, 1000)), OK_UNIT);
  assert.equal(
    await codeOf(scene.pipeline.handleEnvelope(message, 1000)),
    OK_UNIT,
    "sent again, it waits again",
  );
  assert.deepEqual(waits, [
    [envelope.id, 2],
    [envelope.id, 2],
  ]);
  const stable = { ...message, wait: { kind: "stable" } } as const;
  assert.equal(await codeOf(scene.pipeline.handleEnvelope(stable, 1000)), "not-stable unknown");
  assert.equal(timeline.taken.length, 1);
  const read = scene.sign([["GET", "k"]]);
  const reading = { kind: "command", body: read.body, signature: read.signature, wait } as const;
  assert.equal(await codeOf(scene.pipeline.handleEnvelope(reading, 1000)), "cannot-wait not-applied");
});

test("a command with `after` continues when a peer sends the named unit", async () => {
  const { scene, timeline } = fixture();
  const first = scene.sign([["SET", "a", "1"]]);
  const order = Buffer.alloc(14);
  order.writeBigUInt64BE(BigInt(NOW));
  const after = order.subarray(0, 10).toString("latin1") + first.id + "\0".repeat(4);
  const answer = Promise.resolve(scene.take(scene.sign([["SET", "b", "2"]], { after })));
  timeline.taken.push({ ...first, envelope: {} as Entry["envelope"] });
  scene.pipeline.arrived([first]);
  assert.equal(await codeOf(answer), OK_UNIT);
});

test("an impossible wait is refused as unknown only if the envelope was answered before", async () => {
  const { scene } = fixture();
  const read = scene.sign([["GET", "k"]]);
  const { body, signature } = read;
  const waiting = () =>
    codeOf(
      scene.pipeline.handleEnvelope({ kind: "command", body, signature, wait: { kind: "stable" } }, 1000),
    );
  assert.equal(await waiting(), "cannot-wait not-applied");
  await scene.take(read);
  assert.equal(await waiting(), "cannot-wait unknown");
});

test("an entry counts as applied once it is folded, even if other entries wait; a waiting or missing entry does not", () => {
  const { timeline, recorder } = fixture();
  const orderKey = { at: NOW, seq: 0, id: "i" };
  assert.equal(recorder.hasApplied(orderKey, NOTHING_HEARD), false);
  timeline.taken.push({ id: "i" } as Entry);
  timeline.unfolded.add("i");
  assert.equal(recorder.hasApplied(orderKey, NOTHING_HEARD), false);
  timeline.unfolded.delete("i");
  timeline.unfolded.add("another");
  assert.equal(recorder.hasApplied(orderKey, NOTHING_HEARD), true);
  timeline.state = "catching-up";
  assert.equal(recorder.hasApplied(orderKey, NOTHING_HEARD), false);
});

test("clients wait for final results, with few timers, until the state includes them", async () => {
  let [isFolded, checks, timers] = [false, 0, 0];
  const node = double<NodeState>({
    peering: { stable: () => Promise.resolve(), replicated: () => Promise.resolve() },
    timeline: {
      isFolded: () => {
        checks++;
        return isFolded;
      },
      hasFolded: () => true,
      handover: { adoptions: 0 },
    },
    environment: {
      setTimer: (ms, step) => {
        if (ms < 1000) timers++;
        const timer = setTimeout(step, ms < 1000 ? 1 : ms);
        return () => clearTimeout(timer);
      },
    },
  });
  const confirmations = new Confirmations(node);
  const orderKey = { at: 1, seq: 0, id: "" };
  const all = Array.from({ length: 100 }, () => confirmations.confirm(orderKey, { kind: "stable" }));
  await until("500 checks have been made", () => checks >= 500, { pause: nextTurn });
  assert.ok(timers <= checks / 50, `${timers} timers for ${checks} checks`);
  isFolded = true;
  assert.ok((await Promise.all(all)).every((isConfirmed) => isConfirmed));
  confirmations.stop();
});

test("a unit from before an adopted snapshot is confirmed only if the state still includes it", async () => {
  for (const kind of ["stable", "replicated"] as const) {
    for (const [adoptions, isIncluded] of [
      [0, false],
      [1, true],
      [1, false],
    ] as const) {
      const handover = { adoptions: 0 };
      let finish = () => {};
      const confirmation = new Promise<void>((resolve) => (finish = resolve));
      const node = double<NodeState>({
        peering: { stable: () => confirmation, replicated: () => confirmation },
        timeline: { isFolded: () => true, hasFolded: () => isIncluded, handover },
        environment: { setTimer: () => () => {} },
      });
      const confirmations = new Confirmations(node);
      const wait = kind === "stable" ? { kind } : { kind, daemons: 2 };
      const confirmed = confirmations.confirm({ at: 1, seq: 0, id: "" }, wait);
      handover.adoptions = adoptions;
      finish();
      assert.equal(await confirmed, adoptions === 0 || isIncluded, kind);
      confirmations.stop();
    }
  }
});

test("an envelope on which the members may have decided is not recorded after its pattern was removed", async () => {
  const { scene, timeline, clock } = fixture();
  const { ring } = timeline;
  const pattern = { glob: "d:*", db: null, announcedAt: NOW - 60_000, isBegun: true };
  ring.patterns = DecidedPatterns.NONE.with(pattern).without(pattern, NOW);
  const [latest, first] = [NOW + 5_000, NOW + 5_001];
  clock.now = NOW + 1_000;
  assert.match(
    await codeOf(scene.take(scene.sign([["SET", "d:k", "v"]], { at: latest }))),
    /^needs-decision /,
  );
  assert.equal(timeline.taken.length, 0);
  await scene.take(scene.sign([["SET", "d:k", "v"]], { at: first }));
  await scene.take(scene.sign([["SET", "other", "v"]], { at: latest }));
  assert.equal(timeline.taken.length, 2);
});

test("a unit that writes decided keys takes elements only from such keys, also if a client has signed it", async () => {
  const { scene, timeline } = fixture();
  const pattern = { glob: "d:*", db: null, announcedAt: NOW - 60_000, isBegun: true };
  timeline.ring.patterns = DecidedPatterns.NONE.with(pattern);
  const refusalOf = async (lines: readonly string[], fields: { multi?: boolean } = {}) => {
    const commands = lines.map((line) => line.split(" "));
    const answer = await scene.take(scene.sign(commands, fields));
    return answer.kind === "refused" ? `${answer.code}: ${answer.detail}` : answer.kind;
  };
  for (const refusal of [
    await refusalOf(["LMOVE a d:b LEFT LEFT"]),
    await refusalOf(["LPOP a", "SET d:x 1"], { multi: true }),
  ])
    assert.match(refusal, /^cannot-decide: commands that write decided keys .* only from such keys$/);

  // The members decide on these: each unit takes elements only from decided keys, or writes none of them.
  for (const refusal of [
    await refusalOf(["LMOVE d:a b LEFT LEFT"]),
    await refusalOf(["LPOP d:a", "SET a 1"], { multi: true }),
    await refusalOf(["LPOP a", "SET d:x 1"]),
  ])
    assert.equal(refusal, "cannot-decide: it is not a voting member yet");
});
