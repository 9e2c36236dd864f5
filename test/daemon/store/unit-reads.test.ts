/**
 * Tests that the reads of a transaction or a script share one budget of steps and bytes, and that reads in entries of
 * other daemons stop at the same limits without an effect on the state.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import "../../support/all-families.js";
import { canonicalState } from "../../../daemon/store/canonical-state.js";
import { Database } from "../../../daemon/store/database.js";
import { UnitReadsExceeded } from "../../../daemon/store/keyspace/effort-budget.js";
import {
  READ_LIMITS_DEFAULT,
  type ReadLimits,
  ReplySize,
  SCRIPT_WEIGHT,
} from "../../../daemon/store/read-allowance.js";
import { Fold } from "../../../daemon/timeline/fold/fold.js";
import { finishReply } from "../../../protocol/lazy-replies.js";
import type { Reply } from "../../../protocol/reply.js";
import { AT, entry } from "../timeline/support/fold-subject.js";
import { genesisRing } from "../timeline/support/random-timeline.js";
import { type Argv, databaseOfAllTypes, repeated, SIZE } from "./effort-state.js";

/** A unit of a client, which is not recorded. */
const unit = { at: 1000, db: 0, id: "0".repeat(36) };
const SMALL: ReadLimits = { steps: 20 * SIZE, bytes: 100_000 };

/** Runs reads as one unit. @returns their replies, or null if the unit is refused */
function together(database: Database, reads: readonly Argv[], weight?: number): readonly Reply[] | null {
  try {
    return database.readingTogether(
      () => reads.map((argv) => finishReply(database.execute(argv, unit))),
      weight,
    );
  } catch (problem) {
    assert.ok(problem instanceof UnitReadsExceeded, String(problem));
    return null;
  }
}

const times = (count: number, argv: Argv): readonly Argv[] => Array<Argv>(count).fill(argv);

const READS: readonly Argv[] = [
  ["LRANGE", "l", "0", "-1"],
  ["LRANGE", "l", "1", "-1"],
  ["SMEMBERS", "m"],
  ["HGETALL", "h"],
  ["HSCAN", "h", "0", "COUNT", "1000"],
  ["ZRANGE", "z", "0", "-1", "WITHSCORES"],
  ["ZRANGEBYSCORE", "z", "-inf", "+inf"],
  ["SUNION", "m", "m"],
  ["XRANGE", "x", "-", "+"],
  ["SORT_RO", "l", "ALPHA"],
  ["MGET", ...repeated(SIZE, () => "none")],
  ["HMGET", "h", ...repeated(SIZE, (i) => `f${i}`)],
  ["DUMP", "z"],
  ["GEOSEARCH", "g", "FROMLONLAT", "0", "10", "BYRADIUS", "20000", "km"],
];

test("each read counts its elements for the unit, and the unit is refused above the limit", () => {
  const database = databaseOfAllTypes();
  database.readLimits = SMALL;
  for (const argv of READS) {
    assert.equal(together(database, times(20, argv)), null, argv.join(" ").slice(0, 60));
    // Sent separately, it is permitted any number of times.
    for (let i = 0; i < 20; i++) assert.notEqual(finishReply(database.execute(argv, unit)).kind, "error");
  }
  database.readLimits = { ...SMALL, steps: 1000 };
  assert.equal(together(database, times(200, ["EXISTS", "none"])), null, "many short reads");
  assert.notEqual(together(database, times(20, ["EXISTS", "none"])), null);
});

test("the bytes of the replies of a unit are limited, except those of the longest, also of nested replies", () => {
  const database = databaseOfAllTypes();
  database.readLimits = { ...READ_LIMITS_DEFAULT, bytes: 55_000 };
  for (const [argv, fits] of [
    [["GET", "s"], 6],
    [["MGET", "s", "s"], 3],
    [["GETRANGE", "s", "0", "4999"], 12],
  ] as const) {
    assert.equal(together(database, times(fits, argv))?.length, fits, argv.join(" "));
    assert.equal(together(database, times(fits + 1, argv)), null, argv.join(" "));
  }
  for (const argv of READS) {
    const size = new ReplySize();
    size.add(finishReply(database.execute(argv, unit)));
    assert.ok(size.bytes > 0 || argv[0] === "MGET", argv.join(" "));
  }
});

test("a unit within a unit shares its budget, and Lua's reads count more", () => {
  const database = databaseOfAllTypes();
  database.readLimits = SMALL;
  const read: Argv = ["LRANGE", "l", "0", "-1"];

  assert.equal(together(database, times(4, read))?.length, 4);
  assert.equal(together(database, times(4, read), SCRIPT_WEIGHT), null);
  assert.throws(
    () =>
      database.readingTogether(() => {
        for (let i = 0; i < 2; i++)
          database.readingTogether(() => times(2, read).map((argv) => database.execute(argv, unit)));
        database.execute(read, unit);
      }),
    UnitReadsExceeded,
  );

  // The weight of the inner unit ends with it, and the next unit has a budget of its own.
  database.readingTogether(() => {
    database.readingTogether(() => database.execute(read, unit), SCRIPT_WEIGHT);
    for (let i = 0; i < 2; i++) database.execute(read, unit);
  });
  assert.equal(together(database, times(4, read))?.length, 4);
});

test("the default permits ten reads of 100,000 elements each, and refuses sixty", () => {
  const database = new Database();
  const elements = repeated(1000, (i) => `value:${i}`);
  for (let i = 0; i < 100; i++) database.execute(["RPUSH", "l", ...elements], unit);
  const read: Argv = ["LRANGE", "l", "0", "99999"];
  assert.equal(together(database, times(10, read))?.length, 10);
  assert.equal(together(database, times(60, read)), null);
});

const WRITE: Argv = ["SET", "k", "v"];
const FILL: Argv = ["RPUSH", "l", ...repeated(SIZE, (i) => `e${i}`)];

function foldOf(): Fold {
  const fold = new Fold({ database: new Database(), ring: genesisRing({ hasRoots: true }), cutAt: AT });
  fold.database.readLimits = SMALL;
  fold.merge([entry("fill", 1, [FILL])]);
  return fold;
}

const isTooMuch = (reply: Reply | undefined) =>
  reply?.kind === "error" && reply.text.startsWith("TOOMUCH the reads");

for (const multi of [false, true])
  test(`reads of an entry that another daemon has recorded stop at the limits (multi: ${multi})`, () => {
    const reads = times(50, ["LRANGE", "l", "0", "-1"]);
    const [fold, without] = [foldOf(), foldOf()];
    const [answered] = fold.merge([entry("e", 3, [...reads, WRITE, ["INCR", "n"]], { multi })]);
    without.merge([entry("e", 3, [WRITE, ["INCR", "n"]], { multi })]);
    const repliesOf = (of: typeof answered): readonly Reply[] => {
      const replies = of?.answers.map(({ reply }) => reply) ?? [];
      const [unitReply] = replies;
      return multi && unitReply?.kind === "array" ? unitReply.items : replies;
    };
    const replies = repliesOf(answered);
    assert.ok(!isTooMuch(replies[0]) && isTooMuch(replies[49]));
    assert.deepEqual(replies.slice(-2), [
      { kind: "status", text: "OK" },
      { kind: "integer", value: 1 },
    ]);
    const valuesOf = (of: Fold) =>
      ["k", "n"].map((key) => of.database.execute(["GET", key], { ...unit, at: AT + 100 }));
    assert.deepEqual(valuesOf(fold), valuesOf(without));
    const free = foldOf();
    free.database.readLimits = READ_LIMITS_DEFAULT;
    free.merge([entry("e", 3, [...reads, WRITE, ["INCR", "n"]], { multi })]);
    assert.deepEqual(canonicalState(fold.database), canonicalState(free.database));

    // A late entry makes the fold apply it again, and the next entry has a count of its own.
    fold.merge([entry("late", 2, [["DEL", "n", "k", "l"], FILL])]);
    const next = repliesOf(fold.merge([entry("f", 4, [...reads, WRITE], { multi })])[0]);
    assert.ok(!isTooMuch(next[0]) && isTooMuch(next[49]));
  });
