/**
 * Tests a release with one command more beside a release without it. With a number, they never end in different states
 * without a report: until the switch, the command is an error in both, and after it, the older release is outdated. The
 * last test shows what would happen without a number, which test/tables/semantics.test.ts refuses. DBSYNC_SEED replays
 * a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalRing, canonicalState } from "../../../../daemon/store/canonical-state.js";
import { Database } from "../../../../daemon/store/database.js";
import { SEMANTICS, type Semantics } from "../../../../daemon/store/semantics.js";
import { compareOrderKeys, type Entry, orderKeyOf } from "../../../../daemon/timeline/entries/entry.js";
import { Fold } from "../../../../daemon/timeline/fold/fold.js";
import { standstillOf } from "../../../../daemon/timeline/fold/semantics-standstill.js";
import { shown } from "../../../conformance/resp2-fold.js";
import { amount } from "../../../support/amount.js";
import { FORGOTTEN_NUMBER, ONE_COMMAND_MORE } from "../../../support/one-command-more.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { AT, entry, key, ROOT } from "../support/fold-subject.js";
import { genesisRing } from "../support/random-timeline.js";

const RUNS = amount(40, 500);
const seed = seedOfRun();
const DATABASES = 2;

const newFold = (known: Semantics) =>
  new Fold({
    database: new Database({ databases: DATABASES }),
    ring: genesisRing({ hasRoots: true }, known),
    cutAt: AT,
  });

const stateOf = ({ database, ring }: Fold) => [
  ...canonicalState(database),
  ...canonicalRing(ring),
  `semantics ${ring.semantics}`,
];

/** Returns the fold of entries that arrive in a given order, in small batches. */
function folded(known: Semantics, entries: readonly Entry[], random: SeededRandom): Fold {
  let fold = newFold(known);
  for (let next = 0; next < entries.length; ) {
    const end = next + random.between(1, 4);
    if (fold.mergeWithin(Number.POSITIVE_INFINITY, entries.slice(next, end)) === null) {
      fold = newFold(known);
      fold.merge(entries.slice(0, end));
    }
    next = end;
  }
  return fold;
}

function someEntries(random: SeededRandom): Entry[] {
  const call = () => {
    const name = random.oneOf(["n", "m"]);
    return random.oneOf([
      ["INCRBYMAX", name, String(random.between(1, 3)), "9"],
      ["INCRBYMAX", name, "1"],
      ["INCR", name],
      ["SET", name, String(random.below(5))],
    ]);
  };
  const data = Array.from({ length: random.between(2, 15) }, (_, i) =>
    entry(`${i}`, 1 + random.below(20), Array.from({ length: random.between(1, 3) }, call), {
      multi: random.chance(0.3),
    }),
  );
  const switches = Array.from({ length: random.below(3) }, (_, i) =>
    entry(`switch ${i}`, 1 + random.below(25), ["CLUSTER SEMANTICS 2"], {
      key: random.chance(0.8) ? key(ROOT) : key(0),
    }),
  );
  return [...data, ...switches];
}

test(`two releases never differ without a report (seed ${seed})`, () => {
  let [equal, outdated] = [0, 0];
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const entries = someEntries(random);
    const older = folded(SEMANTICS, random.shuffled(entries), random);
    const newer = folded(ONE_COMMAND_MORE, random.shuffled(entries), random);
    const where = `seed ${seed}, run ${run}`;
    assert.equal(newer.unknownFrom, null, where);
    const { unknownFrom } = older;
    if (unknownFrom === null) {
      assert.deepEqual(stateOf(older), stateOf(newer), where);
      equal++;
      continue;
    }
    assert.match(standstillOf(older) ?? "", /^semantics version 2 applies from .*: upgrade it$/, where);
    const before = entries.filter((one) => compareOrderKeys(orderKeyOf(one), unknownFrom) < 0);
    const newerThen = folded(ONE_COMMAND_MORE, before, random);
    assert.deepEqual(canonicalState(older.database), canonicalState(newerThen.database), where);
    outdated++;
  }
  assert.ok(equal > RUNS / 10 && outdated > RUNS / 10, `${equal} equal, ${outdated} outdated`);
});

test("a release refuses its new command until the switch", () => {
  const fold = newFold(ONE_COMMAND_MORE);
  const call = (name: string, at: number) => entry(name, at, ["INCRBYMAX n 3 5"]);
  const replies = fold
    .merge([call("a", 1), entry("s", 2, ["CLUSTER SEMANTICS 2"], { key: key(ROOT) }), call("b", 3)])
    .flatMap(({ answers }) => answers.map(({ reply }) => shown(reply)));
  assert.match(replies[0] as string, /unknown command 'INCRBYMAX'/);
  assert.deepEqual(replies.slice(1), ['+"OK"', ":3"]);
});

test("without a number, the releases differ silently", () => {
  const entries = [entry("a", 1, ["INCRBYMAX n 3 5"])];
  const random = new SeededRandom(seed);
  const [older, newer] = [SEMANTICS, FORGOTTEN_NUMBER].map((known) => folded(known, entries, random)) as [
    Fold,
    Fold,
  ];
  assert.deepEqual([older.unknownFrom, newer.unknownFrom], [null, null]);
  assert.notDeepEqual(stateOf(older), stateOf(newer));
});
