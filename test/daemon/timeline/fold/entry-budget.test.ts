/**
 * Tests small units with large effects: a daemon refuses such units before it records them, folds recorded units
 * unchanged, and limits their effects. Source:
 * docs/decisions/0047-budgets-limit-the-output-of-a-unit.md, docs/limits.md.
 */
import "../../../support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../../daemon/store/canonical-state.js";
import { Database } from "../../../../daemon/store/database.js";
import { PRODUCED_MAX, UNIT_STEPS_DEFAULT } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import { admit as admitEntry } from "../../../../daemon/timeline/fold/entry-budget.js";
import { Fold } from "../../../../daemon/timeline/fold/fold.js";
import { COMMANDS_MAX, UNIT_COMMANDS_MAX } from "../../../../protocol/version-2/envelope.js";
import { some } from "../../../support/amount.js";
import { AT, entry } from "../support/fold-subject.js";
import { genesisRing } from "../support/random-timeline.js";
import { entryAt, MEMBER, START, TimelineSubject } from "../support/timeline-subject.js";

const STEPS = 10_000;
const DOCUMENTS = 100;

const newFold = () =>
  new Fold({ database: new Database(), ring: genesisRing({ hasRoots: true }), cutAt: AT });
const admit = (fold: Fold, one: Entry, stepsMax = STEPS) =>
  admitEntry(fold, one, Number.POSITIVE_INFINITY, stepsMax, () => false);

const inserted = (name: string, at: number, documents = DOCUMENTS) =>
  entry(name, at, [
    ["MDB.INSERT", "d", "c", "1", ...Array.from({ length: documents }, (_, i) => `{"_id":${i},"q":[]}`)],
  ]);
const padding = (index: number) =>
  ["MDB.UPDATE", "d", "c", "1", `{"q":{},"u":{"$set":{"q.${index}":1}},"multi":true}`] as const;

/** Units that exceed `STEPS`, alone or together with the rest of their envelope. */
const LARGE: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "an array that is filled up in many documents": [padding(500)],
  "a string that is filled up": [["SETRANGE", "k", "10000000", "x"]],
  "an envelope whose last command exceeds the limit": [["SET", "k", "new"], ["INCR", "n"], padding(500)],
};

for (const [name, commands] of Object.entries(LARGE)) {
  for (const multi of [false, true]) {
    test(`${name} is refused, and nothing of it remains (multi: ${multi})`, () => {
      const fold = newFold();
      fold.merge([inserted("i", 1), entry("s", 2, ["SET k old"]), entry("l", 5, ["SET other v"])]);
      const before = canonicalState(fold.database);
      for (const at of [9, 3]) {
        const large = entry(`large ${at}`, at, commands, { multi });
        assert.equal(admit(fold, large), "too-many-steps", `dated ${at}`);
        assert.deepEqual(canonicalState(fold.database), before, `dated ${at}`);
      }
      assert.equal(fold.newest?.at, AT + 5);
      const next = entry("next", 10, ["INCR n"]);
      const [answered] = admit(fold, next) as readonly { answers: readonly { reply: unknown }[] }[];
      assert.deepEqual(answered?.answers[0]?.reply, { kind: "integer", value: 1 });
    });
  }
}

test("SQL that computes much from few rows is refused, whichever clause contains the expression", () => {
  const fold = newFold();
  const sql = (at: number, text: string) => admit(fold, entry(`sql ${at}`, at, [["SQL", "d", text]]));

  const values = Array.from({ length: 100 }, (_, i) => `(${i})`);
  for (const [i, text] of [
    "create database d",
    "create table t (a number)",
    `insert into t values ${values}`,
  ].entries())
    assert.notEqual(sql(i + 1, text), "too-many-steps", text);

  const long = `a${"+1".repeat(100)}`;
  const statements = (value: string) => [
    `update t set a = ${value}`,
    `update t set a = 1 where ${value} < 0`,
    `delete from t where ${value} < 0`,
    `insert into t select ${value} from t where a < 0 or a >= 0`,
    `insert into t select a from t where ${value} < 0`,
    `insert into t select a from t order by ${value}`,
    `insert into t select sum(${value}) from t group by a`,
    `insert into t select max(a) from t group by a having max(a) < 0 and ${value} < 0`,
    `delete from t where exists (select 1 from t z where z.${value} < t.a)`,
    `update t set a = (select max(z.a) from t z where z.${value} < t.a)`,
    `insert into t select a from t where a in (select z.a from t z where z.${value} < t.a)`,
    `insert into t select x.a from t x join t y on x.a = y.a where x.${value} < 0`,
  ];

  const before = canonicalState(fold.database);
  for (const text of statements(long)) assert.equal(sql(9, text), "too-many-steps", text);
  assert.deepEqual(canonicalState(fold.database), before);

  // The remaining statements would double the rows each time.
  for (const [i, text] of statements("a+1").slice(0, 3).entries())
    assert.notEqual(sql(10 + i, text), "too-many-steps", text);
});

test("a query in an envelope that writes counts, also if the entry is late", () => {
  for (const multi of [false, true])
    for (const first of ["SET k v", "SETRANGE k 0 v"]) {
      const fold = newFold();
      fold.merge([entry("x", 1, [["SET", "x", "a".repeat(2_000)]]), entry("l", 5, ["SET other v"])]);
      for (const at of [9, 3])
        assert.equal(
          admit(fold, entry(`unit ${at}`, at, [first, "LCS x x LEN"], { multi })),
          "too-many-steps",
          `${first}, ${at}, ${multi}`,
        );
    }
});

test("the budget does not count the size of the unit itself", () => {
  const fold = newFold();
  fold.merge([entry("l", 5, ["SET other v"])]);
  const members = Array.from({ length: 2 * STEPS }, (_, i) => `m${i}`);
  for (const [at, name] of [
    [9, "newest"],
    [3, "late"],
  ] as const) {
    assert.notEqual(admit(fold, entry(name, at, [["SADD", name, ...members]])), "too-many-steps");
    assert.notEqual(admit(fold, inserted(`${name} documents`, at, 2)), "too-many-steps");
  }
});

test("a late entry with more undo records than a call can have arguments is admitted, and its trial is undone", () => {
  const fold = newFold();
  fold.merge([entry("l", 5, ["SET other v"])]);
  const pairs = Array.from({ length: 150_000 }, (_, i) => [`k${i}`, "v"]).flat();
  // SINTERSTORE is counted, so that the entry is tried first.
  const commands = [
    ["MSET", ...pairs],
    ["SINTERSTORE", "s", "k", "l"],
  ];
  assert.equal(admit(fold, entry("m", 3, commands, { multi: true }))?.length, 1);
});

test("a timeline does not record an entry that it refuses, but folds it once another daemon has recorded it", async () => {
  const small = { unitSteps: STEPS };
  const subject = await new TimelineSubject({ now: START + 10_000, limits: small }).open();
  const set = entryAt(START + 1000, "SET k v");
  const large = entryAt(START + 2000, "SETRANGE k 10000000 x");

  assert.equal(subject.timeline.accept(set).kind, "accepted");
  assert.equal(subject.timeline.accept(large).kind, "too-many-steps");
  await subject.settle();
  assert.equal(subject.timeline.index.total("data").count, 1);
  subject.timeline.receive([large], MEMBER);
  await subject.settle();

  const free = await new TimelineSubject({ now: START + 10_000 }).open();
  free.timeline.receive([set, large], MEMBER);
  await free.settle();
  assert.deepEqual(canonicalState(subject.timeline.database), canonicalState(free.timeline.database));
  const again = await subject.restarted({ limits: small }).open();
  assert.deepEqual(canonicalState(again.timeline.database), canonicalState(free.timeline.database));
});

test("a daemon passes no entry to the members that exceeds its own budget or theirs, on the newest state", async () => {
  const timelineWith = async (unitSteps: number) => {
    const { timeline } = await new TimelineSubject({ now: START + 10_000, limits: { unitSteps } }).open();
    timeline.accept(entryAt(START + 2000, "SET k v PX 1000"));
    timeline.accept(entryAt(START + 4000, "SET l v"));
    return timeline;
  };
  const of = (bytes: number, at = 5000) => entryAt(START + at, `SETRANGE d:k ${bytes} x`);

  const small = await timelineWith(STEPS);
  const before = canonicalState(small.database);
  assert.ok(!small.exceedsUndecided(of(500_000)) && small.exceedsUndecided(of(1_000_000)));
  const large = await timelineWith(1e9);
  assert.ok(!large.exceedsUndecided(of(50_000_000)) && large.exceedsUndecided(of(70_000_000)));
  assert.deepEqual(canonicalState(small.database), before, "nothing is applied");

  const absent = { multi: true, if: [{ db: 0, key: "k", writer: "" }], decide: true };
  const conditional = entry("conditional", 2500, [["SETRANGE", "d:k", "70000000", "x"]], absent);
  assert.ok(small.exceedsUndecided(conditional), "its key has expired at the date of the newest entry");
});

/** The index up to which an update pads an array in each document. The budget counts two steps for each element. */
const INDEX = 1_400_000;
const TOO_MANY = Math.ceil(PRODUCED_MAX / (2 * INDEX)) + 1;

test("a unit that produces too much is an error on every daemon, in any order of arrival", () => {
  const made = inserted("i", 1, TOO_MANY);
  const alone = entry("large", 9, [padding(INDEX)]);
  const last = entry("large", 9, [["SET", "k", "v"], padding(INDEX)], { multi: true });
  const orders = [alone, last].flatMap((large) => [
    [made, large],
    [large, made],
  ]);

  const states = some(orders, 1).map((order) => {
    const fold = newFold();
    for (const one of order) fold.merge([one]);
    return fold;
  });

  const unchanged = newFold();
  unchanged.merge([made]);
  for (const { database } of states)
    assert.deepEqual(canonicalState(database), canonicalState(unchanged.database));
});

test("the number of statements in a unit is limited, because parsing them takes most of the time", () => {
  const update = ["MDB.UPDATE", "d", "c", "1", '{"q":{"_id":1},"u":{"$set":{"a":1}}}'];
  const statements = [["SQL", "d", "x"], ["SQL_RO", "d", "select 1"], update];
  for (const statement of statements) {
    const unit = (count: number) =>
      entry(
        `u ${count}`,
        count,
        Array<readonly string[]>(count)
          .fill(statement)
          .concat([["SET", "k", "v"]]),
        {
          multi: true,
        },
      );
    const admitted = (count: number) => admit(newFold(), unit(count), UNIT_STEPS_DEFAULT);
    assert.notEqual(admitted(COMMANDS_MAX), "too-many-steps", statement.join(" "));
    assert.equal(admitted(UNIT_COMMANDS_MAX - 1), "too-many-steps", statement.join(" "));
  }
});

test("a unit that adds one element each to sparse sketches is limited, because each command copies the sketch", () => {
  const adds = Array.from({ length: UNIT_COMMANDS_MAX }, (_, i) => ["PFADD", `h${i % 80}`, `e${i}`]);
  const admitted = admit(newFold(), entry("p", 1, adds, { multi: true }), UNIT_STEPS_DEFAULT);
  assert.equal(admitted, "too-many-steps");
});
