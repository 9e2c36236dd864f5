/** Tests how a daemon begins to take part in decisions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ListHistory } from "../../../../../daemon/cluster/members/list-history.js";
import { DecisionMaking } from "../../../../../daemon/cluster/peers/decisions/decision-making.js";
import type { ClusterState, IsVerified } from "../../../../../daemon/cluster/peers/shared/cluster-state.js";
import type { Work } from "../../../../../daemon/net/process/background-work.js";
import { commandTable } from "../../../../../daemon/store/command-table.js";
import { KeyRing } from "../../../../../daemon/store/key-ring.js";
import { DecidedPatterns } from "../../../../../daemon/store/rights/decided-patterns.js";
import { DecidedUnits } from "../../../../../daemon/timeline/decided-units.js";
import {
  type Entry,
  type OrderKey,
  orderKeyOf,
  writeOrderKey,
} from "../../../../../daemon/timeline/entries/entry.js";
import { writePromisesMark } from "../../../../../daemon/timeline/entries/stored-promises.js";
import { writeValue } from "../../../../../daemon/timeline/entries/stored-value.js";
import { PROPOSAL_STEPS_MAX } from "../../../../../daemon/timeline/fold/outcomes-in-turn.js";
import { MemoryStorage } from "../../../../../daemon/timeline/memory-storage.js";
import type { TimelineParts } from "../../../../../daemon/timeline/timeline-environment.js";
import {
  NO_PROMISES,
  readStoredPromises,
  writeCertificate,
  writeDecisionMessage,
  writeStoredPromises,
} from "../../../../../protocol/members/decision-messages.js";
import type { SignedList } from "../../../../../protocol/members/member-list.js";
import {
  type Decision,
  readDecision,
  readEntryBody,
  SLOT_MAX,
  writeDecision,
} from "../../../../../protocol/version-2/decision-body.js";
import {
  type DecidedOutcome,
  type Envelope,
  readBody,
  signedBytes,
  unitsIn,
} from "../../../../../protocol/version-2/envelope.js";
import { sha256 } from "../../../../simulation/signatures.js";
import { nextTurn, until } from "../../../../support/until.js";
import { AT, entry } from "../../../timeline/support/fold-subject.js";
import { withId } from "../../../timeline/support/random-timeline.js";

const OWN = "o".repeat(32);
/** The key of the other member. */
const PEER = "key of the peer";

/** Accepts each unit, and does not ask whether its signature is verified. */
const checkUnit = ({ body }: { body: Buffer }) => ({
  id: sha256(signedBytes(body)),
  envelope: readBody(body),
});

/** A storage that counts the entries that are read. */
class ReadStorage extends MemoryStorage {
  read = 0;

  override *entries(from: Buffer, to: Buffer | null): ReturnType<MemoryStorage["entries"]> {
    for (const one of super.entries(from, to)) {
      this.read++;
      yield one;
    }
  }
}

function store(storage: MemoryStorage, one: Entry): void {
  storage.put([[writeOrderKey(orderKeyOf(one)), writeValue(one.body, one.signature)]]);
}

/** The members' median clock. This daemon's own clock is 1.9 s ahead of it. */
const COMMON = AT + 2_000;
const OWN_CLOCK = COMMON + 1_900;

/** Starts a daemon that is a member of a list, on a storage. */
function start(
  storage: MemoryStorage,
  prunedTo = -1,
  check: ClusterState["checkUnit"] = checkUnit,
  others: Partial<Record<"timeline" | "cluster", object>> & { readonly clock?: { common: number } } = {},
): { decisions: DecisionMaking; decided: DecidedUnits; works: Work[]; state: object } {
  const works: Work[] = [];
  const window = { past: 30_000, future: 5_000 };
  const decided = new DecidedUnits({
    clock: () => OWN_CLOCK,
    window,
    hash: sha256,
    storage,
  } as unknown as TimelineParts);
  const list = { hash: "l".repeat(32), list: { number: 0, members: [OWN, sha256(PEER)] } };
  const cluster = {
    timeline: {
      decided,
      failure: null,
      published: 0,
      hasFolded: () => true,
      isFolded: () => false,
      read: () => null,
      prunedTo,
      ring: new KeyRing({ hash: () => "" }),
      holds: () => false,
      ...others.timeline,
    },
    lists: {
      isReporting: true,
      heads: [list],
      history: new ListHistory(storage),
      membership: { inForce: list },
    },
    identity: { id: OWN, spki: OWN },
    cluster: "c".repeat(32),
    verifySignature: () => true,
    log: { error: () => {} },
    hash: sha256,
    uptime: () => 0,
    clock: () => OWN_CLOCK,
    limits: { ...window, skewMs: 2_000, standstillMs: 3_000, statusEveryMs: 2_000 },
    checkUnit: check,
    random: () => 0,
    nextTurn: (step: () => void) => step(),
    members: new Map(),
    slices: { add: (work: Work) => void works.push(work) },
    ...others.cluster,
  };
  const clock = others.clock ?? { common: COMMON };
  const members = {
    areLevel: () => false,
    commonClock: () => clock.common,
    stablePoint: () => 0,
    epoch: () => "",
    serial: () => 0,
    latestTaken: () => null,
    // A list of one member, as most tests have, is a majority at any time.
    majorityHeardAt: () => cluster.uptime(),
  };
  const decisions = new DecisionMaking(cluster as unknown as ClusterState, members);
  return { decisions, decided, works, state: cluster.timeline };
}

test("a daemon votes only once it knows the decisions that were made before its start, which it reads in steps", () => {
  const storage = new ReadStorage();
  storage.put([], [["decisions", writePromisesMark(writeStoredPromises(NO_PROMISES))]]);
  for (let count = 0; count < 1_000; count++)
    store(storage, withId(entry("plain", count, [`SET k ${count}`])));
  const unit = withId(entry("unit", 0, ["SET lock me NX"], { decide: true }));
  const head = {
    slot: 1,
    index: 0,
    count: 1,
    previous: null,
    at: AT + 1_000,
    seq: 0,
    outcomes: ["applied"],
  } as const;
  const body = writeDecision({ ...head, unit: { body: unit.body, signature: unit.signature } });
  store(storage, withId({ id: "", body, signature: Buffer.alloc(0), envelope: readEntryBody(body) }));

  const { decisions, decided, works } = start(storage);
  decisions.tick();
  const [work] = works as [Work];
  for (let before = storage.read; !work.next().done; before = storage.read) {
    assert.ok(storage.read - before < 100, "a step is short");
    decisions.tick();
    assert.equal(decisions.isPossible, false);
    assert.equal(decisions.obstacle(unit.id, unit.envelope.key, 1, false), "it is not a voting member yet");
  }
  assert.notEqual(decided.find(unit.id), null);
  decisions.tick();
  assert.equal(decisions.isPossible, true);
  assert.equal(works.length, 1);
});

test("a daemon votes under a list that follows one which no member has", () => {
  const storage = new MemoryStorage();
  storage.put([], [["decisions", writePromisesMark(writeStoredPromises(NO_PROMISES))]]);
  const list = {
    hash: "l".repeat(32),
    list: { number: 2, members: [OWN, sha256(PEER)], parents: ["p".repeat(32)] },
  };
  const history = new ListHistory(storage);
  const lists = { isReporting: true, heads: [list], history, membership: { inForce: list } };
  const { decisions, works } = start(storage, -1, checkUnit, { cluster: { lists } });
  decisions.tick();
  for (const work of works) while (!work.next().done);
  decisions.tick();
  assert.equal(decisions.isPossible, true);
});

test("slots continue after the decisions of a restored backup, and any list of the new members may have decided", () => {
  const list = {
    hash: "l".repeat(32),
    list: { number: 2, members: [OWN, sha256(PEER), sha256("away")], parents: ["p".repeat(32)] },
    body: Buffer.alloc(1),
    signature: Buffer.alloc(1),
  } as unknown as SignedList;
  const lost = { ...list, hash: "b".repeat(32) };

  /** Starts a daemon with an old decision. @param by  the list that made it @param known  further known lists */
  const started = (by: SignedList, known: readonly SignedList[]) => {
    const storage = new MemoryStorage();
    storage.put([], [["decisions", writePromisesMark(writeStoredPromises(NO_PROMISES))]]);
    const head = { slot: 1, index: 0, count: 1, previous: null, at: 1_000, seq: 0, unit: null };
    const body = writeDecision({ ...head, outcomes: ["applied"] });
    const ballot = { list: 2, listHash: by.hash, round: 1, member: OWN, attempt: 0 };
    const signature = writeCertificate({ ballot, path: [], votes: [] });
    store(storage, withId({ id: "", body, signature, envelope: readEntryBody(body) }));

    const history = new ListHistory(new MemoryStorage());
    history.use([list]);
    for (const one of known) history.add(one);
    const lists = { isReporting: true, heads: [list], history, membership: { inForce: list } };
    const members = new Map([[sha256(PEER), { status: {}, connection: { send: () => {} } }]]);
    const { decisions, works } = start(storage, -1, checkUnit, { cluster: { lists, members } });
    decisions.tick();
    for (const work of works) while (!work.next().done);
    decisions.listsChanged();
    return { slot: decisions.last, obstacle: decisions.obstacle("u".repeat(32), OWN, 1, false) };
  };

  assert.equal(started(list, []).slot, 0, "without another list, old decisions are not read");
  assert.deepEqual(started(list, [lost]), { slot: 1, obstacle: null });
  const { slot, obstacle } = started(lost, [lost]);
  assert.equal(slot, 1);
  assert.match(obstacle ?? "", /earlier list/, "the numbers of a lost list mean nothing");
});

test("a daemon whose disk has failed takes no part in decisions", () => {
  const storage = new MemoryStorage();
  storage.put([], [["decisions", writePromisesMark(writeStoredPromises(NO_PROMISES))]]);
  for (const failure of [null, "the disk is full"]) {
    const { decisions, works } = start(storage, -1, checkUnit, { timeline: { failure } });
    decisions.tick();
    for (const work of works) while (!work.next().done);
    decisions.tick();
    assert.equal(decisions.isPossible, failure === null);
  }
});

test("a member whose votes contradict each other is named until the next start", () => {
  const storage = new MemoryStorage();
  storage.put([], [["decisions", writePromisesMark(writeStoredPromises(NO_PROMISES))]]);
  const { decisions, works } = start(storage);
  decisions.tick();
  while (!works[0]?.next().done);
  const peer = sha256(PEER);
  const ballot = { list: 0, listHash: "l".repeat(32), round: 1, member: peer, attempt: 0 };
  for (const root of ["d".repeat(32), "d".repeat(32), "e".repeat(32)]) {
    assert.deepEqual([...decisions.contradicting], []);
    const vote = { ballot, slot: 1, count: 1, root, spki: PEER, signature: "s" };
    decisions.receive(peer, writeDecisionMessage({ kind: "vote", vote }));
  }
  assert.deepEqual([...decisions.contradicting], [peer]);
});

test("a member is named once whose votes for two decisions of a slot become part of the state", () => {
  const storage = new MemoryStorage();
  storage.put([], [["decisions", writePromisesMark(writeStoredPromises(NO_PROMISES))]]);

  const certified = (at: number, voters: readonly string[]): Entry => {
    const previous = { at: 1, seq: 0, id: "p".repeat(32) };
    const head = { slot: 2, index: 1, count: 2, previous, at, seq: 0 };
    const unit = withId(entry(`unit ${at}`, 0, ["SET lock me NX"], { decide: true }));
    const body = writeDecision({ ...head, unit, outcomes: ["applied"] });
    const ballot = { list: 0, listHash: "l".repeat(32), round: 1, member: sha256(PEER), attempt: 0 };
    const votes = voters.map((spki) => ({ spki, signature: "s" }));
    const signature = writeCertificate({ ballot, path: [], votes });
    return withId({ id: "", body, signature, envelope: readEntryBody(body) });
  };

  const entries = [certified(AT, [OWN, PEER]), certified(AT + 1, ["another key", PEER])];
  const errors: object[] = [];
  const warnings: object[] = [];
  const { decisions, decided, works } = start(storage, -1, checkUnit, {
    cluster: {
      log: { error: (fields: object) => errors.push(fields) },
      notices: { warn: (_: string, fields: object) => warnings.push(fields) },
    },
  });
  decisions.tick();
  while (!works[0]?.next().done);

  const [one, other] = entries as [Entry, Entry];
  decided.note([one]);
  decided.note([one]);
  assert.deepEqual([...decisions.contradicting], []);
  decided.note([other]);
  decided.note([other]);
  assert.deepEqual([...decisions.contradicting], [sha256(PEER)]);

  assert.equal(errors.length, 1);
  assert.deepEqual(warnings, [{ slot: 2 }, { slot: 2 }]);
});

const messageOf = ({ body, signature }: Entry): Buffer =>
  writeDecisionMessage({ kind: "unit", body, signature });

/** Starts a member of a list that has promised nothing. */
function startVoting(
  prunedTo = -1,
  check?: ClusterState["checkUnit"],
  others?: Parameters<typeof start>[3],
): DecisionMaking {
  const storage = new MemoryStorage();
  storage.put([], [["decisions", writePromisesMark(writeStoredPromises(NO_PROMISES))]]);
  const { decisions, works } = start(storage, prunedTo, check, others);
  decisions.tick();
  while (!works[0]?.next().done);
  decisions.tick();
  return decisions;
}

test("a member keeps no unit whose date is too old for a proposal, whoever sends it", () => {
  const decisions = startVoting();
  for (const [at, waiting] of [
    [-26_101, 0],
    [-26_099, 1],
  ] as const) {
    const { body, signature } = withId(entry("unit", at, ["SET lock me NX"], { decide: true }));
    decisions.receive(sha256(PEER), writeDecisionMessage({ kind: "unit", body, signature }));
    assert.equal(decisions.waiting, waiting);
  }
});

test("units count for the key that has signed them, also if a member sends them, and malformed ones are ignored", () => {
  const decisions = startVoting();
  const units = Array.from({ length: 2_049 }, (_, at) =>
    withId(entry("unit", at % 1_000, [`SET lock:${at} me NX`], { decide: true })),
  );
  for (const [index, unit] of units.entries())
    if (index % 2 === 0) decisions.submit(unit, false, () => {});
    else decisions.receive(sha256(PEER), messageOf(unit));
  assert.equal(decisions.waiting, 2_048);

  const other = withId(entry("unit", 0, ["SET lock me NX"], { decide: true, key: "k".repeat(32) }));
  const share = /^the waiting units of its key would use more room/;
  assert.match(decisions.obstacle("next", (units[0] as Entry).envelope.key, 1, false) ?? "", share);
  assert.doesNotMatch(decisions.obstacle(other.id, other.envelope.key, 1, false) ?? "", share);
  decisions.receive(
    sha256(PEER),
    writeDecisionMessage({ kind: "unit", body: Buffer.from("malformed"), signature: other.signature }),
  );
  assert.equal(decisions.waiting, 2_048);
});

test("the signature of a waiting unit is verified once, and again in a proposal if it is another one", () => {
  const verified: boolean[] = [];
  const check = (unit: { body: Buffer; signature: Buffer }, isVerified: IsVerified) => {
    const checked = checkUnit(unit);
    verified.push(isVerified(checked.id, unit.signature));
    return checked;
  };

  const decisions = startVoting(-1, check);
  const { body, signature } = withId(entry("unit", 0, ["SET lock me NX"], { decide: true }));
  for (const copy of [signature, signature, Buffer.from("forged")])
    decisions.receive(sha256(PEER), writeDecisionMessage({ kind: "unit", body, signature: copy }));
  assert.deepEqual(verified, [false], "the copies do not wait");

  for (const copy of [signature, Buffer.from("forged")]) {
    const decision = {
      slot: 1,
      index: 0,
      count: 1,
      previous: null,
      at: AT + 1,
      seq: 0,
      outcomes: ["applied"],
    } as const;
    const proposed = writeDecision({ ...decision, unit: { body, signature: copy } });
    const ballot = { list: 0, listHash: "l".repeat(32), round: 1, member: sha256(PEER), attempt: 0 };
    const signed = { spki: PEER, signature: "s" };
    decisions.receive(
      sha256(PEER),
      writeDecisionMessage({ kind: "propose", ballot, bodies: [proposed], signed, evidence: null }),
    );
  }

  assert.deepEqual(verified.slice(1), [true, false]);
});

test("no member makes another believe in a slot that leaves none for later decisions", () => {
  for (const [slot, last] of [
    [100, 99],
    [SLOT_MAX / 2 + 1, 0],
    [SLOT_MAX, 0],
  ] as const) {
    const decisions = startVoting(AT);
    const previous = { at: 1, seq: 0, id: "p".repeat(32) };
    const body = writeDecision({
      slot,
      index: 0,
      count: 1,
      previous,
      at: AT + 1,
      seq: 0,
      outcomes: ["unmet"],
      unit: null,
    });
    const ballot = { list: 0, listHash: "l".repeat(32), round: 1, member: sha256(PEER), attempt: 0 };
    const signed = { spki: PEER, signature: "s" };
    decisions.receive(
      sha256(PEER),
      writeDecisionMessage({ kind: "propose", ballot, bodies: [body], signed, evidence: null }),
    );
    assert.equal(decisions.last, last);
  }
});

const JUDGED = {
  watermark: 0,
  newest: { at: 0, seq: 0 },
  isFolded: () => true,
  hasCode: () => true,
  changesFrom: () => null,
  outcomesInTurn: (units: readonly Envelope[]) => units.map(() => ["applied"]),
};
/** Whether a member votes for decisions that a keeper proposes together. */
function isVotedFor(proposed: readonly Partial<Decision>[], timeline: object = JUDGED): boolean {
  const storage = new MemoryStorage();
  storage.put([], [["decisions", writePromisesMark(writeStoredPromises(NO_PROMISES))]]);
  const peer = sha256(PEER);
  let now = 0;
  const { decisions, decided, works } = start(storage, -1, checkUnit, {
    timeline,
    cluster: {
      uptime: () => now,
      members: new Map([[peer, { status: null }]]),
      identity: { id: OWN, spki: OWN, sign: () => Buffer.from("s") },
    },
  });
  decisions.tick();
  while (!works[0]?.next().done);
  decisions.tick();

  const bodies: Buffer[] = [];
  let previous: Decision["previous"] = null;
  for (const [index, changes] of proposed.entries()) {
    const unit = withId(entry(`unit ${index}`, index, ["SET lock me NX"], { decide: true }));
    const place = { slot: 1 + index, index, count: proposed.length, previous };
    const date = { at: AT + 1_000, seq: index };
    const body = writeDecision({ ...place, ...date, outcomes: ["applied"], unit, ...changes });
    bodies.push(body);
    previous = { ...date, id: sha256(signedBytes(body).toString("latin1")) };
  }
  const ballot = { list: 0, listHash: "l".repeat(32), round: 1, member: peer, attempt: 0 };
  const signed = { spki: PEER, signature: "s" };
  const message = { kind: "propose", ballot, bodies, signed, evidence: null } as const;
  decisions.receive(peer, writeDecisionMessage(message));
  now = 1_000;
  decisions.tick();
  return readStoredPromises(decided.promises ?? assert.fail()).accepted !== null;
}

test("a member votes for decisions on different units that follow each other", () => {
  assert.ok(isVotedFor([{}]));
  assert.ok(isVotedFor([{}, {}, {}]));

  const { body, signature } = withId(entry("unit 0", 0, ["SET lock me NX"], { decide: true }));
  const previous = { at: AT, seq: 0, id: "p".repeat(32) };
  const refused: readonly Partial<Decision>[] = [
    { unit: { body, signature } },
    { unit: null, outcomes: ["unmet"] },
    { slot: 3 },
    { index: 0 },
    { count: 2 },
    { previous },
    { at: AT + 1 },
  ];
  for (const change of refused) assert.ok(!isVotedFor([{}, change, {}]), JSON.stringify(change));

  assert.ok(!isVotedFor([{ count: 2 }]));
  assert.ok(
    !isVotedFor([{}, {}], { ...JUDGED, outcomesInTurn: () => [["applied"]] }),
    "one cannot be evaluated",
  );
});

test("a member votes for dates up to 250 ms ahead of the members' median clock, whatever its own clock is", () => {
  for (const [ahead, isVoted] of [
    [250, true],
    [251, false],
    [1_900, false],
  ] as const)
    assert.equal(isVotedFor([{ at: COMMON + ahead }]), isVoted, `${ahead} ms`);
});

/** A command, or the commands of an envelope. */
type Submitted = string | { readonly lines: readonly string[]; readonly multi: boolean };

const several = (...lines: readonly string[]): Submitted => ({ lines, multi: false });

/** Starts the only member of a list. @param made  receives its decisions */
function startAlone(
  timeline: object,
  made: Entry[],
  clock = { common: COMMON },
): {
  decisions: DecisionMaking;
  submit: (...envelopes: readonly Submitted[]) => Promise<void>;
  proceed: () => Promise<void>;
  record: (entry: Entry) => void;
  leave: () => void;
  fail: () => void;
} {
  const storage = new MemoryStorage();
  storage.put([], [["decisions", writePromisesMark(writeStoredPromises(NO_PROMISES))]]);
  const list = { hash: "l".repeat(32), list: { number: 0, members: [OWN] } };
  const history = new ListHistory(storage);
  const lists = {
    isReporting: true,
    isOutside: false,
    heads: [list],
    history,
    membership: { inForce: list },
  };
  let now = 0;
  let units = 0;
  const acceptDecisions = (entries: readonly Entry[]): void => {
    made.push(...entries);
    decided.note(entries);
  };

  const { decisions, decided, works, state } = start(storage, -1, checkUnit, {
    timeline: { ...JUDGED, acceptDecisions, ...timeline },
    cluster: {
      uptime: () => now,
      lists,
      identity: { id: OWN, spki: OWN, sign: () => Buffer.from("s") },
    },
    clock,
  });
  decisions.tick();
  while (!works[0]?.next().done);

  const proceed = async (): Promise<void> => {
    for (let turns = 0; turns < 40; turns++) {
      await nextTurn();
      now += 25;
      decisions.tick();
      for (const work of works.splice(0)) while (!work.next().done);
    }
  };
  const submit = async (...envelopes: readonly Submitted[]): Promise<void> => {
    for (const one of envelopes) {
      const { lines, multi } = typeof one === "string" ? { lines: [one], multi: false } : one;
      decisions.submit(withId(entry(`unit ${units++}`, 0, lines, { decide: true, multi })), false, () => {});
    }
    await proceed();
  };

  /** Makes an entry part of the state. */
  const record = (one: Entry) => void decided.note([one]);

  /** Replaces the list by one that does not name the daemon. */
  const leave = () => {
    Object.assign(lists, { isReporting: false, isOutside: true });
    decisions.listsChanged();
  };

  /** Lets the daemon's disk fail. */
  const fail = () => void Object.assign(state, { failure: "no space" });

  return { decisions, submit, proceed, record, leave, fail };
}

/** Submits units that no keeper can propose, because entries before them wait. @returns those that are given up */
function submitThree(decisions: DecisionMaking): [name: string, wasSent: boolean, reason: string][] {
  const given: [name: string, wasSent: boolean, reason: string][] = [];
  for (const [name, isOnlyHere, ahead] of [
    ["here", true, 0],
    ["elsewhere", false, 0],
    ["early", true, 9_000],
  ] as const) {
    const unit = withId(entry(name, COMMON - AT + ahead, [`INCR d:${name}`]));
    decisions.submit(unit, isOnlyHere, (wasSent, reason) => given.push([name, wasSent, reason]));
  }
  return given;
}

/** What `submitThree` returns once all of them are given up for a reason. */
const allGiven = (reason: string) => [
  ["here", false, reason],
  ["elsewhere", true, reason],
  ["early", false, reason],
];

/** A key ring in which each key is that of a daemon or of a client, and the members decide on `d:*`. */
const ringOf = (role: "daemon" | "write") => ({
  find: () => ({ role }),
  table: commandTable,
  patterns: DecidedPatterns.NONE.with({ glob: "d:*", db: null, announcedAt: 1, isBegun: true }),
});

/** Returns a unit that its signer has dated this many milliseconds after the members' median clock. */
const incrAt = (ahead: number, decide = false): Entry =>
  withId(entry(`unit ${ahead}`, COMMON - AT + ahead, ["INCR d:n"], { decide }));

/** Returns the dates of an entry's unit and of the decision on it, in milliseconds after the members' median clock. */
const datesOf = ({ envelope: { decided, at } }: Entry): readonly [signed: number, at: number] => [
  (decided?.signed?.at ?? 0) - COMMON,
  at - COMMON,
];

test("a decision on a daemon's envelope is dated after it, and waits until its date is reached", async () => {
  for (const isOnlyHere of [false, true]) {
    const made: Entry[] = [];
    const clock = { common: COMMON };
    const { decisions, proceed } = startAlone({ ring: ringOf("daemon") }, made, clock);
    for (const ahead of [900, 100, 124, 0, 125])
      decisions.submit(incrAt(ahead, ahead % 100 === 0), isOnlyHere, () => {});

    await proceed();
    const dates = made.splice(0).map(datesOf);
    assert.deepEqual(
      dates.map(([signed]) => signed),
      [100, 124, 0],
    );
    for (const [signed, at] of dates) assert.ok(at > signed && at <= 125, `${at}`);
    assert.equal(decisions.waiting, 0, "no decision is needed on what cannot be proposed");

    clock.common += 776;
    await proceed();
    assert.deepEqual(
      made.map((one) => datesOf(one)[0]),
      [900, 125],
    );
  }
});

test("units whose pattern is removed while they wait are given up, and one that requests a decision is not", async () => {
  const ring = { ...ringOf("write") };
  const { decisions, proceed } = startAlone({ ring, isFolded: () => false }, []);
  const given = submitThree(decisions);
  const requested = withId(entry("requested", COMMON - AT, ["INCR d:requested"], { decide: true }));
  decisions.submit(requested, true, () => assert.fail("it is decided without a pattern"));
  await proceed();
  assert.deepEqual([given, decisions.waiting], [[], 3]);

  ring.patterns = DecidedPatterns.NONE;
  await proceed();
  assert.deepEqual(
    given,
    allGiven("the pattern of its keys was removed, so that the members no longer decide on it"),
  );
  assert.equal(decisions.waiting, 1);
});

test("a unit whose pattern is removed before it arrives is given up", () => {
  const { decisions } = startAlone({ ring: { ...ringOf("daemon"), patterns: DecidedPatterns.NONE } }, []);
  const reason = "the pattern of its keys was removed, so that the members no longer decide on it";
  assert.deepEqual(submitThree(decisions), allGiven(reason));
});

test("units that wait at a daemon that is removed, or whose disk fails, are given up", async () => {
  const removed = startAlone({ ring: ringOf("write"), isFolded: () => false }, []);
  const given = submitThree(removed.decisions);
  await removed.proceed();
  assert.deepEqual([given, removed.decisions.waiting], [[], 2]);
  removed.leave();
  await removed.proceed();
  assert.deepEqual(given, allGiven("the list of members no longer names it"), "once");
  assert.equal(removed.decisions.waiting, 0);

  const failing = startAlone({ ring: ringOf("write"), isFolded: () => false }, []);
  const lost = submitThree(failing.decisions);
  await failing.proceed();
  assert.deepEqual(lost, []);
  failing.fail();
  await failing.proceed();
  assert.deepEqual(lost, allGiven("its disk has failed"));
});

test("a unit whose date is no longer reached, because the clock was set back, delays no other one", async () => {
  const made: Entry[] = [];
  const clock = { common: COMMON };
  const { decisions, proceed } = startAlone({ ring: ringOf("daemon") }, made, clock);
  const signedAt = () => made.map((one) => datesOf(one)[0]);

  decisions.submit(incrAt(124), true, () => {});
  clock.common--;
  decisions.submit(incrAt(0), true, () => {});
  await proceed();
  assert.deepEqual([signedAt(), decisions.waiting], [[0], 1]);

  clock.common++;
  await proceed();
  assert.deepEqual([signedAt(), decisions.waiting], [[0, 124], 0]);
});

test("a unit that a member sends before its date is held, and refused if the clocks cannot differ by as much", () => {
  const clock = { common: COMMON };
  const decisions = startVoting(-1, checkUnit, { timeline: { ring: ringOf("daemon") }, clock });
  const isKnownOnceSent = (ahead: number): boolean => {
    const unit = incrAt(ahead, true);
    decisions.receive(sha256(PEER), messageOf(unit));
    return decisions.obstacle(unit.id, unit.envelope.key, 1, true) === null;
  };

  assert.deepEqual([124, 125, 4_124, 4_125].map(isKnownOnceSent), [true, true, true, false]);
  assert.equal(decisions.waiting, 1);
  clock.common += 4_000;
  decisions.tick();
  assert.equal(decisions.waiting, 3);
});

test("a client's envelope is placed at most 5 s before its date", async () => {
  const made: Entry[] = [];
  const clock = { common: COMMON };
  const { decisions, proceed } = startAlone({ ring: ringOf("write") }, made, clock);
  decisions.submit(incrAt(5_125), false, () => {});
  decisions.submit(incrAt(5_126), false, () => {});
  decisions.submit(incrAt(9_000, true), false, () => {});

  await proceed();
  assert.deepEqual(made.splice(0).map(datesOf), [
    [5_125, 125],
    [9_000, 125],
  ]);
  clock.common++;
  await proceed();
  assert.deepEqual(made.map(datesOf), [[5_126, 126]]);
});

test("a member objects to a date before that of a daemon's envelope, and 5 s before that of a client's", () => {
  const isVotedForUnit = (role: "daemon" | "write", signed: number, decide: boolean) => {
    const { body, signature } = withId(entry("unit", signed, ["INCR d:n"], { decide }));
    return isVotedFor([{ unit: { body, signature } }], { ...JUDGED, holds: () => false, ring: ringOf(role) });
  };

  // The decision is dated 1,000.
  for (const decide of [false, true]) {
    assert.ok(isVotedForUnit("daemon", 999, decide));
    assert.ok(!isVotedForUnit("daemon", 1_000, decide));
  }
  assert.ok(isVotedForUnit("write", 6_000, false));
  assert.ok(!isVotedForUnit("write", 6_001, false));
  assert.ok(isVotedForUnit("write", 6_001, true));
});

test("a unit that another daemon has recorded does not wait for a decision, and is not proposed", async () => {
  const made: Entry[] = [];
  const stored = new Set<string>();
  const holds = ({ at, seq, id }: OrderKey) => stored.has(`${at} ${seq} ${id}`);
  const { decisions, proceed, record } = startAlone({ ring: ringOf("write"), holds }, made);
  const unitOf = (name: string): Entry => withId(entry(name, COMMON - AT, [`INCR d:${name}`]));
  const store = ({ id, envelope: { at, seq } }: Entry) => stored.add(`${at} ${seq} ${id}`);

  const [sent, submitted, later, known] = ["sent", "submitted", "later", "known"].map(unitOf) as [
    Entry,
    Entry,
    Entry,
    Entry,
  ];
  for (const one of [sent, submitted]) store(one);
  decisions.receive(sha256(PEER), messageOf(sent));
  decisions.submit(submitted, false, () => {});
  assert.equal(decisions.waiting, 0, "it is part of the state when it arrives");

  for (const one of [later, known]) decisions.submit(one, false, () => {});
  assert.equal(decisions.waiting, 2);
  // It is stored, but not yet part of the state.
  for (const one of [later, known]) store(one);
  await proceed();
  assert.deepEqual([made, decisions.waiting], [[], 2]);
  for (const one of [later, known]) record(one);
  assert.equal(decisions.waiting, 0, "it becomes part of the state while it waits");
});

test("entries that are dated ahead delay only decisions on the keys that they change", async () => {
  const made: Entry[] = [];
  const newest = { at: COMMON + 100, seq: 0 };
  const isOnChanged = ({ envelope }: Entry) => envelope.commands.some(([, key]) => key === "changed");
  const isReached = ({ at, seq }: OrderKey) => at > newest.at || (at === newest.at && seq > newest.seq);

  const timeline = {
    newest,
    changesFrom: (position: OrderKey) => (isReached(position) ? null : isOnChanged),
  };
  const { decisions, submit } = startAlone(timeline, made);
  const dates = () => made.map(({ envelope: { at } }) => at - COMMON);

  await submit("SET changed me NX");
  assert.deepEqual(dates(), [100], "the date is after that of all entries if it may be");
  made.length = 0;
  newest.at = COMMON + 1_900;
  await submit("SET changed other NX");
  assert.deepEqual(dates(), []);
  await submit(...Array.from({ length: 70 }, (_, index) => `SET lock:${index} me NX`));
  assert.equal(made.length, 70);
  assert.ok(dates().every((ahead) => ahead >= 0 && ahead <= 125));
  assert.equal(decisions.waiting, 1);
  newest.at = COMMON + 120;
  await submit("SET other me NX");
  assert.equal(decisions.waiting, 0, "its date is within reach");
});

test("a keeper evaluates the decisions that it proposes, because random choices depend on their ids", async () => {
  const storage = new MemoryStorage();
  storage.put([], [["decisions", writePromisesMark(writeStoredPromises(NO_PROMISES))]]);
  const list = { hash: "l".repeat(32), list: { number: 0, members: [OWN] } };
  const history = new ListHistory(storage);

  const evaluated: string[][] = [];
  const made: Entry[] = [];
  const timeline = {
    ...JUDGED,
    acceptDecisions: (decisions: readonly Entry[]) => made.push(...decisions),
    outcomesInTurn(units: readonly Envelope[], decide: DecisionOf) {
      // A third unit has to wait for the next proposal.
      const known = units
        .slice(0, 2)
        .map((_, index): DecidedOutcome[] => [index === 0 ? "applied" : "unmet"]);
      evaluated.push(known.map((outcomes, index) => decide(index, outcomes).id));
      return known;
    },
  };

  const { decisions, works } = start(storage, -1, checkUnit, {
    timeline,
    cluster: {
      lists: { isReporting: true, heads: [list], history, membership: { inForce: list } },
      identity: { id: OWN, spki: OWN, sign: () => Buffer.from("s") },
    },
  });
  decisions.tick();
  while (!works[0]?.next().done);

  for (let count = 0; count < 3; count++) {
    decisions.submit(withId(entry("unit", count, ["SET lock me NX"], { decide: true })), false, () => {});
  }
  await until("the decisions on two of them", () => made.length >= 2);

  const ids = made.map(({ id }) => id);
  assert.deepEqual(ids, evaluated[1]);
  assert.notDeepEqual(ids, evaluated[0], "each contains their number");
});

type DecisionOf = (index: number, outcomes: readonly DecidedOutcome[]) => Entry;

/** Returns the number of commands of each proposal. */
function proposedCommands(made: readonly Entry[]): number[] {
  const proposals: number[] = [];
  for (const { body, envelope } of made) {
    if (readDecision(body).index === 0) proposals.push(0);
    proposals.push((proposals.pop() ?? 0) + envelope.commands.length);
  }
  return proposals;
}

test("a keeper proposes at most 1,024 commands, unless a single envelope has more", async () => {
  let keys = 0;
  const sets = (count: number) => Array.from({ length: count }, () => `SET k${keys++} v NX`);
  const proposed = async (...envelopes: readonly Submitted[]) => {
    const made: Entry[] = [];
    const outcomesInTurn = (all: readonly Envelope[]) =>
      all.map((envelope) => unitsIn(envelope).map(() => "applied"));
    const { decisions, submit } = startAlone({ outcomesInTurn }, made);
    await submit(...envelopes);
    assert.equal(decisions.waiting, 0);
    return proposedCommands(made);
  };
  const of = (...counts: readonly number[]) => proposed(...counts.map((count) => several(...sets(count))));

  assert.deepEqual(await of(256, 256, 256, 255, 1, 1), [1024, 1]);
  assert.deepEqual(await of(256, 256, 256, 256, 256), [1024, 256]);
  assert.deepEqual(await of(255, 256, 256, 256, 256), [1023, 256]);
  const unit = { lines: sets(2000), multi: true };
  assert.deepEqual(await proposed(several(...sets(2)), unit, several(...sets(3))), [2, 2000, 3]);
});

test("each unit of a decided envelope counts", async () => {
  const made: Entry[] = [];
  const outcomesInTurn = (envelopes: readonly Envelope[]) =>
    envelopes.map((envelope) => unitsIn(envelope).map(() => "applied"));
  const { decisions, submit } = startAlone({ outcomesInTurn }, made);
  await submit(several("SET a v NX", "SET b v NX", "SET c v NX"), "SET d v NX");
  assert.deepEqual([decisions.figures.units, decisions.figures.slots], [4, 2]);
  await submit({ lines: ["SET a v", "SET b v"], multi: true });
  assert.deepEqual([decisions.figures.units, decisions.figures.slots], [5, 3]);
});

test("a keeper proposes decisions with the outcomes of their units, each after the one before it", async () => {
  const made: Entry[] = [];
  const outcomesOf = (envelope: Envelope): DecidedOutcome[] =>
    unitsIn(envelope).map((_, unit) => (unit % 2 === 0 ? "applied" : "unmet"));
  const timeline = {
    outcomesInTurn: (envelopes: readonly Envelope[], decide: DecisionOf) =>
      envelopes.map((envelope, index) => {
        const outcomes = outcomesOf(envelope);
        decide(index, outcomes);
        return outcomes;
      }),
  };

  const { submit } = startAlone(timeline, made);
  await submit(
    several("SET a v NX", "SET b v NX", "SET c v NX"),
    several("SET d v NX", "SET e v NX"),
    several("SET f v", "SET g v"),
  );

  assert.equal(made.length, 3);
  for (const [at, { id, body, envelope }] of made.entries()) {
    const { previous, count } = readDecision(body);
    assert.deepEqual(envelope.decided?.outcomes, outcomesOf(envelope));
    assert.equal(id, sha256(signedBytes(body)));
    if (at > 0) assert.equal(previous?.id, made[at - 1]?.id);
    if (at > 0) assert.equal(count, 3, "they share a proposal");
  }
});

test("a member votes for no proposal that is longer than keepers make them, unless it has one envelope", () => {
  const proposalOf = (count: number, lines: readonly string[]) =>
    Array.from({ length: count }, (_, index) => {
      const { body, signature } = withId(entry(`long ${index}`, index, lines, { decide: true }));
      return { unit: { body, signature }, outcomes: lines.map(() => "applied" as const) };
    });
  const timeline = {
    ...JUDGED,
    outcomesInTurn: (all: readonly Envelope[]) => all.map((one) => unitsIn(one).map(() => "applied")),
  };
  const sets = Array.from({ length: 256 }, (_, key) => `SET k${key} v`);
  assert.ok(isVotedFor(proposalOf(4, sets), timeline));
  assert.ok(!isVotedFor(proposalOf(5, sets), timeline));
  const long = [`SET k ${"v".repeat(600_000)}`];
  assert.ok(isVotedFor(proposalOf(1, [`SET k ${"v".repeat(1_200_000)}`]), timeline));
  assert.ok(!isVotedFor(proposalOf(2, long), timeline));
});

test("a member objects if one outcome of several units is wrong, or missing", () => {
  const { body, signature } = withId(
    entry("several", 0, ["SET a v NX", "SET b v NX", "SET c v NX"], { decide: true }),
  );
  const unit = { body, signature };
  const isVoted = (outcomes: Decision["outcomes"], known: readonly (readonly string[])[]) =>
    isVotedFor([{ outcomes, unit }], { ...JUDGED, outcomesInTurn: () => known });

  const right = ["applied", "unmet", "applied"] as const;
  assert.ok(isVoted(right, [right]));
  for (const wrong of [
    ["unmet", "unmet", "applied"],
    ["applied", "applied", "applied"],
    ["applied", "unmet", "unmet"],
    ["applied", "applied", "unmet"],
  ] as const) {
    assert.ok(!isVoted(wrong, [right]), wrong.join());
    assert.ok(!isVoted(right, [wrong]), wrong.join());
  }

  for (const known of [[], [[]], [["applied"]], [["applied", "unmet"]]])
    assert.ok(!isVoted(right, known), JSON.stringify(known));
  for (const outcomes of [
    ["applied"],
    ["applied", "unmet"],
    ["applied", "unmet", "applied", "applied"],
  ] as const)
    assert.ok(!isVoted(outcomes, [outcomes]), "the number of outcomes");
});

test("a member agrees that an envelope is too much, or is not, if its own count of steps differs little", () => {
  const { body, signature } = withId(entry("several", 0, ["SET k v"], { decide: true }));
  const isVoted = (outcome: DecidedOutcome, steps: number) => {
    const outcomesInTurn = (_: unknown, _decide: unknown, stepsMax: number) => [
      [steps > stepsMax ? "too-much" : "applied"],
    ];
    return isVotedFor([{ outcomes: [outcome], unit: { body, signature } }], { ...JUDGED, outcomesInTurn });
  };
  for (const factor of [0.6, 1, 1.9])
    for (const outcome of ["applied", "too-much"] as const)
      assert.ok(isVoted(outcome, factor * PROPOSAL_STEPS_MAX), `${outcome}: ${factor}`);
  assert.ok(isVoted("applied", 1) && !isVoted("too-much", 0.4 * PROPOSAL_STEPS_MAX));
  assert.ok(isVoted("too-much", 1e9) && !isVoted("applied", 2.1 * PROPOSAL_STEPS_MAX));
});

test("a member objects immediately to outcomes that it does not reach within its steps", () => {
  const evaluations = (known: readonly (readonly DecidedOutcome[])[], proposed: DecidedOutcome) => {
    let count = 0;
    const { body, signature } = withId(entry("several", 0, ["SET k v"], { decide: true }));
    const outcomesInTurn = () => {
      count++;
      return known;
    };
    isVotedFor([{ outcomes: [proposed], unit: { body, signature } }], { ...JUDGED, outcomesInTurn });
    return count;
  };
  assert.equal(evaluations([["too-much"]], "applied"), 1);
  assert.equal(evaluations([["applied"]], "too-much"), 1);
  assert.ok(evaluations([["unmet"]], "applied") > 1, "an entry that is missing may arrive");
});

test("a keeper decides that an envelope is too much, and then decides on the others", async () => {
  const made: Entry[] = [];
  const asked: number[] = [];
  const outcomesInTurn = (all: readonly Envelope[], decide: DecisionOf, stepsMax: number) => {
    asked.push(stepsMax);
    // As the timeline does, it first asks for the decision that the envelope is applied.
    decide(0, ["applied"]);
    if (all[0]?.commands[0]?.[1] !== "dear") return all.map((): DecidedOutcome[] => ["applied"]);
    decide(0, ["too-much"]);
    return [["too-much"]];
  };
  const { submit } = startAlone({ outcomesInTurn }, made);
  await submit("SET dear v NX", "SET a v NX", "SET b v NX");

  assert.deepEqual(
    made.map(({ envelope }) => envelope.decided?.outcomes.join()),
    ["too-much", "applied", "applied"],
  );
  assert.deepEqual(
    made.map(({ body }) => readDecision(body).count),
    [1, 2, 2],
  );
  assert.deepEqual(new Set(asked), new Set([PROPOSAL_STEPS_MAX]));
});

/** A ring with a pattern of decided keys. */
function ringWith(isBegun: boolean): KeyRing {
  const ring = new KeyRing({ hash: (bytes) => sha256(Buffer.from(bytes, "latin1")) });
  ring.patterns = DecidedPatterns.NONE.with({ glob: "d:*", db: null, announcedAt: AT, isBegun });
  return ring;
}

test("a member votes for an envelope that requests no decision only if its pattern has begun, and it is not recorded", () => {
  const placed = (line: string, timeline: object): boolean => {
    const { body, signature } = withId(entry("placed", 7, [line]));
    return isVotedFor([{ unit: { body, signature } }], { ...JUDGED, holds: () => false, ...timeline });
  };
  const begun = ringWith(true);
  assert.ok(placed("SET d:lock me NX", { ring: begun }));
  assert.ok(!placed("SET other me NX", { ring: begun }), "other keys");
  assert.ok(!placed("SET d:lock me NX", { ring: ringWith(false) }), "announced");
  const { id } = withId(entry("placed", 7, ["SET d:lock me NX"]));
  const holds = (orderKey: OrderKey) => orderKey.id === id && orderKey.at === AT + 7 && orderKey.seq === 0;
  assert.ok(!placed("SET d:lock me NX", { ring: begun, holds }), "recorded by a daemon that did not know it");
});

test("a member votes for CLUSTER DECIDED only once each member knows the pattern", () => {
  const { body, signature } = withId(entry("begins", 7, ["CLUSTER DECIDED d:*"], { decide: true }));
  const isVoted = (ring: KeyRing) => isVotedFor([{ unit: { body, signature } }], { ...JUDGED, ring });
  assert.ok(!isVoted(ringWith(false)));
  assert.ok(isVoted(ringWith(true)), "it has begun already");
});

const CAUSES: readonly [cause: string, timeline: object, at: number][] = [
  ["keeper", JUDGED, AT + 1_000],
  ["clock", JUDGED, COMMON + 251],
  ["entries", { ...JUDGED, isFolded: () => false }, AT + 1_000],
  ["code", { ...JUDGED, hasCode: () => false }, AT + 1_000],
  [
    "outcome",
    { ...JUDGED, outcomesInTurn: (units: readonly Envelope[]) => units.map(() => ["unmet"]) },
    AT + 1_000,
  ],
];
for (const [cause, timeline, at] of CAUSES)
  test(`a member without decisions reports "${cause}" after it has judged the keeper's last proposal`, () => {
    const storage = new MemoryStorage();
    storage.put([], [["decisions", writePromisesMark(writeStoredPromises(NO_PROMISES))]]);
    let now = 0;
    const lines: string[] = [];
    const peer = sha256(PEER);

    const { decisions, works } = start(storage, -1, checkUnit, {
      timeline,
      cluster: {
        uptime: () => now,
        members: new Map([[peer, { status: null }]]),
        identity: { id: OWN, spki: OWN, sign: () => Buffer.from("s") },
        notices: { warn: (_: string, __: object, text: string) => lines.push(text) },
      },
    });
    decisions.tick();
    while (!works[0]?.next().done);
    decisions.tick();

    const { body, signature } = withId(entry("unit", 0, ["SET lock me NX"], { decide: true }));
    decisions.receive(peer, writeDecisionMessage({ kind: "unit", body, signature }));
    const ballot = { list: 0, listHash: "l".repeat(32), round: 1_001, member: peer, attempt: 0 };
    decisions.tick();

    const requestAt = (time: number, round: number): void => {
      now = time;
      decisions.receive(
        peer,
        writeDecisionMessage({ kind: "promise-request", ballot: { ...ballot, round } }),
      );
    };

    // The peer becomes the keeper, then this daemon, because the unit has waited for long, then the peer again.
    requestAt(9_000, 999);
    decisions.tick();
    now = 10_500;
    decisions.tick();
    lines.length = 0;
    requestAt(11_000, ballot.round);

    const head = { slot: 1, index: 0, count: 1, previous: null, at, seq: 0, outcomes: ["applied"] } as const;
    const proposed = writeDecision({ ...head, unit: { body, signature } });
    const signed = { spki: PEER, signature: "s" };
    decisions.receive(
      peer,
      writeDecisionMessage({ kind: "propose", ballot, bodies: [proposed], signed, evidence: null }),
    );
    decisions.tick();

    assert.deepEqual(decisions.undecided, { milliseconds: 11_000, cause, members: [peer] });
    assert.deepEqual(lines.length, 1);
    assert.match(lines[0] ?? "", /^units have no decision: /);
  });
