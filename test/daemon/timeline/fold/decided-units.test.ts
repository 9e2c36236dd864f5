/**
 * Tests units on which the members have decided: the fold applies the outcome, whatever arrives before the unit later.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../../daemon/store/canonical-state.js";
import { Database } from "../../../../daemon/store/database.js";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import { conditionsHold } from "../../../../daemon/timeline/fold/apply-unit.js";
import { touchTest } from "../../../../daemon/timeline/fold/changed-keys.js";
import { Fold } from "../../../../daemon/timeline/fold/fold.js";
import { outcomesInTurn, PROPOSAL_STEPS_MAX } from "../../../../daemon/timeline/fold/outcomes-in-turn.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { NIL, ZERO } from "../../../../protocol/reply.js";
import { readDecision, readEntryBody, writeDecision } from "../../../../protocol/version-2/decision-body.js";
import type { Condition, DecidedOutcome } from "../../../../protocol/version-2/envelope.js";
import { unitId } from "../../../../protocol/version-2/unit-names.js";
import { AT, entry, idOf, Subject, unitOf } from "../support/fold-subject.js";
import { genesisRing } from "../support/random-timeline.js";

let slot = 0;

/** Returns a decision at another date than the client has signed. */
function decided(
  name: string,
  at: number,
  line: string | readonly string[],
  outcome: DecidedOutcome,
  conditions: readonly Condition[] | null = null,
): Entry {
  const { body, signature } = entry(`client of ${name}`, at - 50, [line], { if: conditions, decide: true });
  const previous = slot++ === 0 ? null : { at: AT, seq: 0, id: idOf("previous") };
  const bytes = writeDecision({
    slot,
    index: 0,
    count: 1,
    previous,
    at: AT + at,
    seq: 0,
    outcomes: [outcome],
    unit: { body, signature },
  });
  return { id: idOf(name), body: bytes, signature, envelope: readEntryBody(bytes) };
}

/** Returns a decision on an envelope that does not request one. */
function placed(
  name: string,
  at: number,
  lines: readonly string[],
  outcome: DecidedOutcome,
  fields: Parameters<typeof entry>[3] = {},
): Entry {
  const { body, signature } = entry(`client of ${name}`, at - 50, lines, fields);
  const previous = { at: AT, seq: 0, id: idOf("previous") };
  const place = { slot: 2, index: 0, count: 1, previous, at: AT + at, seq: 0 };
  const bytes = writeDecision({ ...place, outcomes: [outcome], unit: { body, signature } });
  return { id: idOf(name), body: bytes, signature, envelope: readEntryBody(bytes) };
}

const absent: readonly Condition[] = [{ db: 0, key: "k", writer: "" }];

test("a decided unit keeps its effect, although an earlier write arrives later", () => {
  const subject = new Subject();
  assert.deepEqual(subject.replies(decided("unit", 100, "SET k mine", "applied", absent)), ['+"OK"']);
  subject.merge(entry("late", 50, ["SET k theirs"]));
  assert.equal(subject.ask("GET k"), '"mine"');
  // The same unit without a decision loses its effect.
  const other = new Subject();
  other.merge(entry("unit", 100, ["SET k mine"], { if: absent }));
  other.merge(entry("late", 50, ["SET k theirs"]));
  assert.equal(other.ask("GET k"), '"theirs"');
});

test("a unit that was decided as unmet has no effect, although its condition holds in the end", () => {
  const subject = new Subject();
  subject.merge(entry("first", 40, ["SET k a"]));
  const [answer] = subject.merge(decided("unit", 100, "SET k b", "unmet", absent));
  assert.deepEqual([answer?.outcome, answer?.reply.kind], ["unmet", "nil-array"]);
  subject.merge(entry("late", 50, ["DEL k"]));
  assert.equal(subject.ask("EXISTS k"), ":0");
});

/** Commands with a condition of their own, their replies, and a key's value after they were applied. */
const COMMANDS = [
  ["SET k mine NX", "SET k x", NIL],
  ["SET k mine XX", "SET k x", NIL],
  ["SETNX k mine", "SETNX k x", ZERO],
  ["MSETNX k mine l other", "SETNX k x", ZERO],
  ["HSETNX h k mine", "SETNX k x", ZERO],
] as const;

for (const [line, alike, unmet] of COMMANDS)
  test(`a decision determines whether ${line} is applied`, () => {
    const read = line.startsWith("H") ? "HGET h k" : "GET k";
    const [applied] = new Subject().replies(entry("alike", 1, [alike]));
    const present = entry("present", 50, ["SET k theirs", "HSET h k theirs"]);
    const subject = new Subject();
    assert.deepEqual(subject.replies(decided("unit", 100, line, "applied")), [applied]);
    subject.merge(present);
    assert.equal(subject.ask(read), '"mine"');
    // The decision, and not the state, determines that it is not applied.
    const other = new Subject();
    if (line.endsWith("XX")) other.merge(present);
    const [answer] = other.merge(decided("unit", 100, line, "unmet"));
    assert.deepEqual(answer?.reply, unmet);
    assert.notEqual(other.ask(read), '"mine"');
  });

test("a decision without a unit has neither an answer nor an effect", () => {
  const subject = new Subject();
  const bytes = writeDecision({
    slot: 1,
    index: 0,
    count: 1,
    previous: null,
    at: AT + 10,
    seq: 0,
    outcomes: ["unmet"],
    unit: null,
  });

  const empty = {
    id: idOf("empty"),
    body: bytes,
    signature: Buffer.alloc(0),
    envelope: readEntryBody(bytes),
  };

  assert.deepEqual(subject.merge(empty), []);
  subject.merge(entry("late", 5, ["SET k v"]));
  assert.equal(subject.ask("GET k"), '"v"');
});

test("two decisions on one unit are both applied, as by a daemon that has only a snapshot with the first one", () => {
  const all = new Subject();
  const first = decided("unit", 100, "INCR k", "applied", absent);
  const unit = readDecision(first.body).unit ?? assert.fail();

  const head = {
    slot: slot + 1,
    index: 0,
    count: 1,
    previous: { at: AT, seq: 0, id: idOf("previous") },
    at: AT + 200,
    seq: 0,
  };
  const body = writeDecision({ ...head, outcomes: ["applied"], unit });
  const second = { ...first, id: idOf("again"), body, envelope: readEntryBody(body) };

  all.merge(second);
  all.merge(first);

  // The snapshot contains the key as of its date, and no decisions.
  const database = new Database();
  database.execute(["INCR", "k"], { at: AT + 100, db: 0, id: unitOf("unit") });
  const later = new Fold({ database, ring: genesisRing({ hasRoots: true }), cutAt: AT + 150 });
  later.merge([second]);

  assert.deepEqual(canonicalState(later.database), canonicalState(all.fold.database));
  assert.equal(all.ask("GET k"), '"2"');
});

test("the conditions of a unit are evaluated on the present state", () => {
  const database = new Database();
  const holds = (line: string, conditions: readonly Condition[] | null = null) =>
    conditionsHold(entry("u", 100, [line], { if: conditions }).envelope, 0, database);
  const set = entry("writer", 1, ["SET k v"]);
  assert.ok(holds("SET k v", absent) && holds("SET k v NX") && !holds("SET k v XX"));
  database.execute(["SET", "k", "v"], { at: AT, db: 0, id: unitOf("writer") });
  assert.ok(!holds("SET k v", absent) && !holds("SET k v NX") && holds("SET k v XX"));
  assert.ok(holds("SET k v", [{ db: 0, key: "k", writer: unitOf("writer") }]));
  assert.ok(!holds("MSETNX l w k v") && holds("HSETNX h f v") && holds("HSETNX k f v"));
  assert.equal(set.envelope.decided, null);
});

test("the conditions of units that are decided together are evaluated one after the other", () => {
  const { fold } = new Subject();
  const place = { slot: 1, index: 0, count: 1, previous: null, seq: 0, outcomes: ["applied"] } as const;

  let at = AT + 100;
  const draft = (line: string, conditions: readonly Condition[] | null = null): Entry => {
    const { body, signature } = entry(`client ${at}`, 50, [line], { if: conditions, decide: true });
    const bytes = writeDecision({ ...place, at: at++, unit: { body, signature } });
    return { id: idOf(`decision ${at}`), body: bytes, signature, envelope: readEntryBody(bytes) };
  };

  const before = canonicalState(fold.database);
  const hold = (...drafts: readonly Entry[]) => heldIn(drafts, fold);
  assert.deepEqual(hold(), []);
  assert.deepEqual(hold(draft("SET k a", absent), draft("SET k b", absent), draft("SET l x NX")), [
    true,
    false,
    true,
  ]);
  assert.deepEqual(hold(draft("SET k a NX"), draft("DEL k"), draft("SET k b NX")), [true, true, true]);
  assert.deepEqual(hold(draft("SET k a XX"), draft("SET k b NX"), draft("SET k c NX")), [false, true, false]);
  assert.deepEqual(canonicalState(fold.database), before, "nothing is applied");

  assert.deepEqual(
    hold(draft("SET k a NX"), draft(`KEY REVOKE ${"0".repeat(64)}`), draft("SET k b NX")),
    [true, true],
    "what follows a change of the key ring waits",
  );
});

test("a condition that names a decision of several units in the same proposal does not hold", () => {
  const { fold } = new Subject();
  const place = { slot: 1, index: 0, count: 1, previous: null, seq: 0 } as const;
  const draft = (at: number, lines: readonly string[], conditions: readonly Condition[] | null = null) => {
    const { body, signature } = entry(`client ${at}`, 50, lines, { if: conditions, decide: true });
    const outcomes = lines.map(() => "applied" as const);
    const bytes = writeDecision({ ...place, at, outcomes, unit: { body, signature } });
    return { id: idOf(`decision ${at}`), body: bytes, signature, envelope: readEntryBody(bytes) };
  };
  const several = draft(AT + 100, ["SETNX a v", "SETNX a w", "SETNX b v"]);
  const naming = (writer: ByteString) => draft(AT + 101, ["SET c v"], [{ db: 0, key: "a", writer }]);
  for (const writer of [unitId(several.id, 0), unitId("\0".repeat(32), 0)]) {
    const decisions = [several, naming(writer), draft(AT + 102, ["SET b x XX"])];
    const found = outcomesInTurn(
      decisions.map(({ envelope }) => envelope),
      (index) => decisions[index] as Entry,
      PROPOSAL_STEPS_MAX,
      fold,
    );
    assert.deepEqual(found, [["applied", "unmet", "applied"], ["unmet"], ["applied"]]);
  }
});

test("a random choice of a unit that is decided together with others is that of its decision", () => {
  for (let count = 0; count < 16; count++) {
    const subject = new Subject();
    subject.merge(entry("set", 10, ["SADD s a b c d"]));
    const pop = decided(`pop ${count}`, 100, ["SPOP", "s"], "applied");
    const moved = decided("moved", 101, ["SMOVE", "s", "t", "a"], "applied");
    const made = decided("made", 102, ["SET", "t", "x", "NX"], "applied");
    const decisions = [pop, moved, made];
    const hold = heldIn(decisions, subject.fold);
    subject.merge(pop);
    subject.merge(moved);
    assert.equal(hold[2], subject.ask("EXISTS t") === ":0");
  }
});

test("a unit that is too much for the members has no effect, whatever arrives before it later", () => {
  for (const isPlaced of [false, true]) {
    const subject = new Subject();
    const unit = isPlaced
      ? placed("unit", 100, ["SET k v", "SET l v"], "too-much")
      : decided("unit", 100, "SET k v", "too-much");
    const replies = subject.replies(unit);
    assert.equal(replies.length, isPlaced ? 2 : 1);
    for (const reply of replies)
      assert.match(reply, /TOOMUCH .* than the members of the list run in one step/);
    subject.merge(entry("late", 50, ["SET k w"]));
    assert.equal(subject.ask("GET k"), '"w"');
    assert.deepEqual(...subject.states);
  }
});

/** Returns decisions on envelopes, in order; a signer has requested only those of single lines. */
const draftsOf = (lines: readonly (string | readonly string[])[]): readonly Entry[] =>
  lines.map((line, index) =>
    typeof line === "string"
      ? decided(`draft ${index}`, 100 + index, line, "applied")
      : placed(`draft ${index}`, 100 + index, line, "applied"),
  );

/** Returns the outcomes of envelopes that are evaluated together. @param chosen  receives those that were asked for */
function outcomesWithin(stepsMax: number, drafts: readonly Entry[], fold: Fold, chosen: string[] = []) {
  return outcomesInTurn(
    drafts.map(({ envelope }) => envelope),
    (index, outcomes) => {
      chosen[index] = outcomes.join();
      return drafts[index] as Entry;
    },
    stepsMax,
    fold,
  ).map((outcomes) => outcomes.join());
}

test("an envelope that alone needs more steps than members permit is too much, and is decided without the others", () => {
  const { fold } = new Subject();
  const before = canonicalState(fold.database);
  for (const dear of ["SETRANGE k 70000000 x", ["SET l v", "SETRANGE k 70000000 x"]]) {
    assert.deepEqual(outcomesWithin(PROPOSAL_STEPS_MAX, draftsOf([dear]), fold), ["too-much"]);
    const chosen: string[] = [];
    const drafts = draftsOf([dear, "SET a v NX"]);
    assert.deepEqual(outcomesWithin(PROPOSAL_STEPS_MAX, drafts, fold, chosen), ["too-much"]);
    assert.equal(chosen[0], "too-much", "the decision on it is made");

    const last = outcomesWithin(PROPOSAL_STEPS_MAX, draftsOf(["SET a v NX", dear]), fold);
    assert.deepEqual(last, ["applied"], "it waits until it is the first");
    const cheaper = outcomesWithin(2 * PROPOSAL_STEPS_MAX, draftsOf([dear]), fold);
    assert.deepEqual(cheaper, ["applied"], "other members may permit more");
  }
  assert.deepEqual(canonicalState(fold.database), before, "nothing is applied");
});

test("the reads of an envelope that members decide on count, alone or in a transaction", () => {
  const subject = new Subject();
  const members = Array.from({ length: 400 }, (_, index) => `m${index}`);
  subject.merge(
    entry("values", 40, [
      ["SET", "x", "a".repeat(2_000)],
      ["SADD", "s", ...members],
    ]),
  );
  const lcs = Array.from({ length: 3 }, () => "LCS x x LEN");
  const sets = Array.from({ length: 200 }, () => `SINTER ${"s ".repeat(20)}`.trim());
  for (const reads of [lcs, sets])
    for (const multi of [false, true])
      for (const first of ["SET d v", "SETRANGE d 0 v"]) {
        const unit = placed("unit", 100, [first, ...reads], "applied", { multi });
        const within = (stepsMax: number) => outcomesWithin(stepsMax, [unit], subject.fold).join();
        const what = `${first}; ${reads[0]}; ${multi}`;
        assert.equal(within(20_000), "too-much", what);
        assert.equal(within(20_000_000), "applied", what);
      }
});

test("reads that the fold does not run do not count", () => {
  const subject = new Subject();
  subject.merge(entry("values", 40, [["SET", "x", "a".repeat(2_000)], "SET k a"]));
  const unmet = decided("unmet", 100, "LCS x x LEN", "applied", absent);
  assert.deepEqual(outcomesWithin(20_000, [unmet], subject.fold), ["unmet"]);
  const placedUnmet = placed("unmet", 100, ["LCS x x LEN"], "applied", { if: absent });
  assert.deepEqual(outcomesWithin(20_000, [placedUnmet], subject.fold), ["applied"]);
  const denied = placed("denied", 100, ["SET d v", "LCS x x LEN"], "applied", { key: "?".repeat(32) });
  assert.deepEqual(outcomesWithin(20_000, [denied], subject.fold), ["applied"]);
});

test("envelopes that need too many steps only together wait for each other", () => {
  const { fold } = new Subject();
  const drafts = draftsOf(["a", "b", "c"].map((key) => `SETRANGE ${key} 25000000 x`));
  assert.deepEqual(outcomesWithin(PROPOSAL_STEPS_MAX, drafts, fold), ["applied", "applied"]);
  assert.deepEqual(outcomesWithin(PROPOSAL_STEPS_MAX, drafts.slice(2), fold), ["applied"]);
});

test("a unit whose conditions do not hold is never too much", () => {
  const subject = new Subject();
  subject.merge(entry("first", 40, ["SET k a"]));
  const unit = decided("unit", 100, "SETRANGE k 70000000 x", "applied", absent);
  assert.deepEqual(outcomesWithin(PROPOSAL_STEPS_MAX, [unit], subject.fold), ["unmet"]);
});

test("changes after a position concern a unit only if it touches their keys", () => {
  const unit = entry("u", 100, ["SET k v"], { if: [{ db: 0, key: "l", writer: "" }] });
  const changed = (key: string, db = 0) => ({ keys: [{ db, key }], changesDatabase: false, next: null });
  const touches = (keys: Parameters<typeof touchTest>[0], one = unit) => touchTest(keys, 16)(one);
  for (const key of ["k", "l"]) assert.ok(touches(changed(key)));
  assert.ok(!touches(changed("m")) && !touches(changed("k", 1)));
  assert.ok(touches({ ...changed("m"), changesDatabase: true }));
  assert.ok(touches({ ...changed("m"), next: { at: AT, seq: 0, id: idOf("x") } }));
  const all = entry("u", 100, ["FLUSHALL"]);
  assert.ok(touches(changed("m"), all) && !touches({ ...changed("m"), keys: [] }, all));
});

/** Returns, for each of some decisions on one unit each, whether its conditions hold after those before it. */
function heldIn(decisions: readonly Entry[], fold: Fold): boolean[] {
  const decide = (index: number) => decisions[index] as Entry;
  const envelopes = decisions.map(({ envelope }) => envelope);
  return outcomesInTurn(envelopes, decide, PROPOSAL_STEPS_MAX, fold).map(
    ([outcome]) => outcome === "applied",
  );
}
