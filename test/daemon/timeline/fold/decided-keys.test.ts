/**
 * Tests decided patterns in the fold: from the position at which one begins, a write to its keys without a decision is
 * void, in any order of arrival. Source: docs/decisions/0081-decided-keys.md.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalRing, canonicalState } from "../../../../daemon/store/canonical-state.js";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import { admit, exceedsUndecided } from "../../../../daemon/timeline/fold/entry-budget.js";
import { Fold } from "../../../../daemon/timeline/fold/fold.js";
import { MalformedFrame } from "../../../../protocol/errors.js";
import { readEntryBody, writeDecision } from "../../../../protocol/version-2/decision-body.js";
import type { Condition, DecidedOutcome } from "../../../../protocol/version-2/envelope.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { AT, entry, idOf, key, ROOT, Subject } from "../support/fold-subject.js";

const seed = seedOfRun();

let slot = 0;

interface DecidedFields {
  readonly key?: string;
  readonly if?: readonly Condition[];
  readonly multi?: boolean;
  readonly db?: number;
}

/** Returns the placement of an envelope whose client has not requested a decision. */
function placed(
  name: string,
  at: number,
  lines: readonly string[],
  fields: DecidedFields = {},
  outcomes: readonly DecidedOutcome[] = ["applied"],
): Entry {
  const { body, signature } = entry(`client of ${name}`, at - 50, lines, fields);
  const previous = slot++ === 0 ? null : { at: AT, seq: 0, id: idOf("previous") };
  const unit = { body, signature };
  const bytes = writeDecision({ slot, index: 0, count: 1, previous, at: AT + at, seq: 0, outcomes, unit });
  return { id: idOf(name), body: bytes, signature, envelope: readEntryBody(bytes) };
}

const byRoot = { key: key(ROOT) };
const ring = (name: string, at: number, line: string) => placed(name, at, [`CLUSTER ${line}`], byRoot);
const announced = (at = 100, rest = "d:*") => ring(`announced ${rest}`, at, `DECIDE ${rest}`);
const begun = (at = 200, rest = "d:*") => ring(`begun ${rest}`, at, `DECIDED ${rest}`);
const removed = (at = 400, rest = "d:*") => ring(`removed ${rest}`, at, `UNDECIDE ${rest}`);

const stateOf = ({ fold }: Subject) => [...canonicalState(fold.database), ...canonicalRing(fold.ring)];

test("a write without a decision is void from the position at which the pattern begins", () => {
  const subject = new Subject();
  subject.merge(announced(), entry("between", 150, ["SET d:a 1"]), begun());
  const [answer] = subject.merge(entry("after", 250, ["SET d:a 2"]));
  assert.equal(answer?.outcome, "denied");
  assert.match(answer?.reply.kind === "error" ? answer.reply.text : "", /^NOPERM this write is void/);
  assert.equal(subject.ask("GET d:a"), '"1"');
  assert.deepEqual(subject.replies(entry("plain", 260, ["SET a 2"]), placed("placed", 270, ["INCR d:a"])), [
    '+"OK"',
    ":2",
  ]);
});

test("a void unit of an envelope does not prevent the other units, but one of a transaction all its commands", () => {
  const subject = new Subject();
  subject.merge(announced(), begun());
  subject.merge(entry("several", 250, ["SET a 1", "SET d:a 1", "SET b 1"]));
  assert.equal(subject.ask("MGET a d:a b"), '["1" nil "1"]');
  subject.merge(entry("together", 260, ["SET a 2", "SET d:a 2"], { multi: true }));
  assert.equal(subject.ask("MGET a d:a"), '["1" nil]');
});

test("commands that may write each key are void, and reads are not", () => {
  const subject = new Subject();
  subject.merge(placed("set", 50, ["SET d:a 1"]), announced(), begun());
  for (const [i, line] of [
    "FLUSHALL",
    "FLUSHDB",
    "RENAME d:a b",
    "COPY b d:b",
    "MOVE d:a 3",
    "SWAPDB 0 1",
  ].entries())
    assert.equal(subject.merge(entry(line, 250 + i, [line]))[0]?.outcome, "denied", line);
  assert.equal(subject.ask("GET d:a"), '"1"');
  assert.equal(subject.merge(entry("read", 280, ["GET d:a"]))[0]?.outcome, "applied");
});

test("a late entry from before the beginning takes effect, and one from after it does not", () => {
  const subject = new Subject();
  subject.merge(announced(), begun(), placed("placed", 300, ["APPEND d:a p"]));
  subject.merge(entry("late", 190, ["APPEND d:a l"]), entry("void", 210, ["APPEND d:a v"]));
  assert.equal(subject.ask("GET d:a"), '"lp"');
});

test("a beginning that arrives late makes the writes after it void, and a late removal permits them again", () => {
  const subject = new Subject();
  const writes = [150, 250, 350, 450].map((at) => entry(`at ${at}`, at, [`APPEND d:a ${at}`, "INCR other"]));
  subject.merge(...writes);
  assert.equal(subject.ask("GET d:a"), '"150250350450"');
  subject.merge(announced());
  subject.merge(begun());
  assert.equal(subject.ask("GET d:a"), '"150"');
  subject.merge(removed());
  assert.equal(subject.ask("GET d:a"), '"150450"');
  assert.equal(subject.ask("GET other"), '"4"');
});

test("the void units of each entry are known, and change with what arrives late", () => {
  const subject = new Subject();
  const { voids } = subject.fold;
  const found = (at: number) =>
    voids.upTo(AT + at).map(({ orderKey, units }) => [orderKey.id.replaceAll("\0", ""), ...units]);
  subject.merge(announced(), entry("before", 150, ["SET d:a 1"]));
  subject.merge(entry("mixed", 350, ["SET d:a 1", "SET a 1", "INCR d:n", "GET d:a"]));
  subject.merge(entry("multi", 450, ["SET a 1", "SET d:a 1"], { multi: true }));
  assert.deepEqual([found(1_000), voids.firstAt], [[], Number.POSITIVE_INFINITY]);
  subject.merge(begun());
  assert.deepEqual(found(1_000).sort(), [
    ["mixed", 0, 2],
    ["multi", 0],
  ]);
  assert.deepEqual([found(449).length, voids.firstAt], [1, AT + 350]);
  subject.merge(removed());
  assert.deepEqual(found(1_000), [["mixed", 0, 2]]);
  subject.fold.cut(AT + 900);
  assert.deepEqual(found(1_000), [["mixed", 0, 2]], "until they are dropped");

  const later = new Subject();
  later.fold.inherit(subject.fold);
  assert.deepEqual(later.fold.voids.upTo(AT + 1_000), [], "that fold finds them itself");
  const base = { database: subject.fold.database, ring: subject.fold.ring, cutAt: AT + 350 };
  assert.equal(new Fold(base).inherit(subject.fold).voids.firstAt, AT + 350);
  voids.drop(AT + 350);
  assert.deepEqual(found(1_000), []);
});

test("a void unit of an envelope that is not recorded is not known", () => {
  const subject = new Subject();
  subject.merge(announced(), begun());
  const long = entry("long", 250, ["SET d:a 1", "SETRANGE b 100000 x"]);
  assert.equal(
    admit(subject.fold, long, 1_000, 100, () => false),
    "too-many-steps",
  );
  assert.equal(subject.fold.voids.firstAt, Number.POSITIVE_INFINITY);
});

test("a pattern of one database concerns no other", () => {
  const subject = new Subject();
  subject.merge(announced(100, "d:* DB 3"), begun(200, "d:* DB 3"));
  assert.equal(subject.merge(entry("zero", 250, ["SET d:a 1"]))[0]?.outcome, "applied");
  assert.equal(subject.merge(entry("three", 250, ["SET d:a 1"], { db: 3 }))[0]?.outcome, "denied");
  assert.equal(subject.merge(entry("move", 260, ["MOVE d:a 3"]))[0]?.outcome, "denied");
});

test("conditions and choices of a placed envelope are evaluated at its position", () => {
  const subject = new Subject();
  const absent = { if: [{ db: 0, key: "d:a", writer: "" }] };
  subject.merge(announced(), begun());
  const answers = subject.merge(
    placed("first", 250, ["SET d:a 1"], absent),
    placed("second", 260, ["SET d:a 2"], absent),
    placed("third", 270, ["SET d:a 3 NX", "INCR d:a"]),
  );
  assert.deepEqual(
    answers.map(({ outcome, reply }) => [outcome, reply.kind]),
    [
      ["applied", "status"],
      ["unmet", "nil-array"],
      ["applied", "nil"],
      ["applied", "integer"],
    ],
  );
  assert.equal(subject.ask("GET d:a"), '"2"');
});

test("a lifetime begins and ends by the date of the position", () => {
  const subject = new Subject();
  subject.merge(announced(), begun());
  // Its client has signed it 50 ms before.
  subject.merge(placed("set", 300, ["SET d:n 5 PX 100"]), placed("other", 390, ["INCR d:n"]));
  assert.equal(subject.ask("GET d:n", 399), '"6"');
  assert.deepEqual(subject.replies(placed("late", 430, ["INCR d:n"])), [":1"]);
});

test("a decision that places an envelope has one outcome: applied", () => {
  for (const outcomes of [["unmet"], ["applied", "applied"], []] as const)
    assert.throws(() => placed("wrong", 250, ["SET d:a 1", "SET d:b 1"], {}, outcomes), MalformedFrame);
});

test("an entry that is not a decision changes no pattern", () => {
  const subject = new Subject();
  const [answer] = subject.merge(entry("plain", 100, ["CLUSTER DECIDE d:*"], byRoot));
  assert.equal(answer?.reply.kind, "error");
  assert.deepEqual(subject.fold.ring.patterns.all, []);
});

test("an envelope that is going to be placed exceeds a budget as if it was recorded", () => {
  const subject = new Subject();
  subject.merge(placed("set", 50, ["SET d:a 1"]), announced(), begun());
  const before = stateOf(subject);
  const exceeds = (line: string, fields: DecidedFields & { readonly decide?: boolean } = {}) =>
    exceedsUndecided(entry("unit", 250, [line], fields), 100, subject.fold);
  const absent = { if: [{ db: 0, key: "d:a", writer: "" }] };
  const long = "SETRANGE d:b 100000 x";
  assert.deepEqual(
    [exceeds(long), exceeds("SETRANGE d:b 100 x"), exceeds(long, { multi: true })],
    [true, false, true],
  );
  assert.deepEqual([exceeds(long, absent), exceeds(long, { ...absent, decide: true })], [false, false]);
  assert.equal(exceeds(long, { decide: true }), true);
  assert.deepEqual(stateOf(subject), before);
});

test("a snapshot's date between the steps changes nothing", () => {
  const all = [
    announced(),
    begun(),
    entry("void", 250, ["SET d:a 1"]),
    removed(),
    entry("on", 450, ["SET d:b 1"]),
  ];
  for (const at of [50, 150, 225, 300, 425, 500]) {
    const subject = new Subject();
    subject.merge(...all.filter(({ envelope }) => envelope.at <= AT + at));
    subject.fold.cut(AT + at);
    subject.merge(...all.filter(({ envelope }) => envelope.at > AT + at));
    assert.equal(subject.ask("MGET d:a d:b"), '[nil "1"]', `cut at ${at}`);
  }
});

test(`each order of arrival leads to the same state (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 0);
  const all = [
    announced(),
    begun(),
    removed(),
    announced(500),
    begun(600),
    entry("before", 60, ["SET d:a 1", "RPUSH d:list a b c"]),
    entry("between", 150, ["APPEND d:a 2", "INCR n"]),
    entry("void 1", 250, ["APPEND d:a 3", "INCR n"]),
    placed("placed 1", 300, ["APPEND d:a 4", "LPOP d:list"]),
    entry("void 2", 310, ["RENAME d:a d:b", "COPY d:a c"]),
    entry("removed", 450, ["APPEND d:a 5", "RPOP d:list"]),
    placed("placed 2", 550, ["APPEND d:a 6"]),
    entry("void 3", 650, ["FLUSHALL"], { multi: true }),
    entry("plain", 660, ["INCR n"]),
  ];
  const first = new Subject();
  first.merge(...all);
  const expected = stateOf(first);
  assert.equal(first.ask("GET d:a"), '"12456"');
  assert.equal(first.ask("LRANGE d:list 0 -1"), '["b"]');

  for (let run = 0; run < amount(200, 5000); run++) {
    const subject = new Subject();
    const rest = random.shuffled(all);
    while (rest.length > 0) subject.merge(...rest.splice(0, 1 + random.below(4)));
    assert.deepEqual(stateOf(subject), expected, `seed ${seed}, run ${run}`);
  }
});
