/**
 * Tests that units that arrive in any order yield the same state and the same replies as units in order. This tests
 * undo, and the read and write sets of all commands. DBSYNC_SEED replays a run, DBSYNC_SEEDS makes it longer.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../daemon/store/canonical-state.js";
import type { Database } from "../../../daemon/store/database.js";
import type { Reply } from "../../../protocol/reply.js";
import { commandGrammars, type Family, families } from "../../conformance/families.js";
import { Generator } from "../../conformance/grammar.js";
import { shown } from "../../conformance/resp2-fold.js";
import { amount } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import {
  dependsOnInnerOrder,
  EPOCH,
  type RandomUnit,
  randomUnit,
  SPREAD,
  shownUnit,
  touchesOfUnit,
} from "./random-unit.js";
import { inOrder, MergingFold, naiveFold, type TouchesOf } from "./simple-fold.js";

const RUNS = Number(process.env["DBSYNC_SEEDS"] ?? amount(6, 30));
const UNITS_MIN = 20;
const UNITS_MAX = 120;
/** The number of different dates. There are more units than dates, so that ids determine the order of some units. */
const DATES = 60;
/** Maximum number of runs to detect a wrong key spec. */
const MUTANT_RUNS = 1000;
/** Fraction of runs with commands on complete databases, which hide how units depend on each other. */
const RUNS_WITH_WHOLE_DATABASES = 0.3;

const seed = seedOfRun();

test(`units in any order yield the state and the replies of units in order (seed ${seed})`, () => {
  for (let run = 0; run < RUNS; run++) assert.equal(difference(run, touchesOfUnit), undefined);
});

test("some units are applied again, but fewer than if each late unit affected all later units", () => {
  let redone = 0;
  let later = 0;
  for (let run = 0; run < amount(8, 20); run++) {
    const { fold, units } = arrivals(run, touchesOfUnit);
    redone += fold.redone;
    units.forEach((unit, index) => {
      later += units.slice(0, index).filter((other) => inOrder(unit, other) < 0).length;
    });
  }
  assert.ok(redone > 0);
  assert.ok(redone < later);
});

const mutants: Readonly<Record<string, TouchesOf>> = {
  "no reads": (unit) => touchesOfUnit(unit).filter(({ access }) => access !== "read"),
  "no writes": (unit) => touchesOfUnit(unit).filter(({ access }) => access !== "write"),
  "writes declared as reads": (unit) => touchesOfUnit(unit).map((touch) => ({ ...touch, access: "read" })),
  "first keys only": (unit) => touchesOfUnit(unit).slice(0, 1),
  "no complete databases": (unit) => touchesOfUnit(unit).filter(({ key }) => key !== null),
  "the unit's own database only": (unit) => touchesOfUnit(unit).filter(({ db }) => db === unit.db),
};
for (const [name, touchesOf] of Object.entries(mutants)) {
  test(`the test detects a table with ${name} (seed ${seed})`, () => {
    const runs = [...Array(MUTANT_RUNS).keys()];
    assert.ok(runs.some((run) => isDetected(run, touchesOf)));
  });
}

/**
 * Whether a run detects a wrong key spec. Undoing records in the wrong order may also throw, if their keys do not
 * exist.
 */
function isDetected(run: number, touchesOf: TouchesOf): boolean {
  try {
    return difference(run, touchesOf) !== undefined;
  } catch {
    return true;
  }
}

/** Makes a run's units arrive in random order. */
function arrivals(run: number, touchesOf: TouchesOf): { fold: MergingFold; units: RandomUnit[] } {
  const random = new SeededRandom(seed, run);
  const g = new Generator({ random, now: EPOCH });
  const allowed = commandGrammars.filter(({ name }) => random.chance(0.9) && !dependsOnInnerOrder(name));
  const withCompleteDatabases = random.chance(RUNS_WITH_WHOLE_DATABASES);
  const all = allowed.filter(({ name }) => withCompleteDatabases || !/^(FLUSH|SWAPDB|DBSIZE)/.test(name));
  const { commands } = random.oneOf<Family>(families);
  const focus = all.filter(({ name }) => commands.some((command) => command.name === name));

  const units: RandomUnit[] = [];
  for (let remaining = random.between(UNITS_MIN, UNITS_MAX); remaining > 0; remaining--) {
    const grammar = random.oneOf(focus.length === 0 || random.chance(0.3) ? all : focus);
    const at = EPOCH + Math.floor((random.below(DATES) * SPREAD) / DATES);
    units.push(randomUnit(g, grammar, at, `${random.below(1000)}.${remaining}`));
  }

  const fold = new MergingFold(touchesOf);
  for (const unit of units) fold.add(unit);
  return { fold, units };
}

/**
 * Returns the difference between the merging fold and the naive fold, with instructions to reproduce it, or undefined
 * if there is none.
 */
function difference(run: number, touchesOf: TouchesOf): string | undefined {
  const { fold, units } = arrivals(run, touchesOf);
  const naive = naiveFold(units);
  const differences = [
    ...stateDifferences(fold.database, naive.database),
    ...answerDifferences(units, fold.replies, naive.replies),
  ];
  if (differences.length === 0) return undefined;
  return `DBSYNC_SEED=${seed}, run ${run}:\n${differences.join("\n")}`;
}

function stateDifferences(merged: Database, naive: Database): string[] {
  const ours = canonicalState(merged);
  const theirs = canonicalState(naive);
  return [
    ...ours.filter((line) => !theirs.includes(line)).map((line) => `only merged: ${line}`),
    ...theirs.filter((line) => !ours.includes(line)).map((line) => `only naive: ${line}`),
  ];
}

function answerDifferences(
  units: readonly RandomUnit[],
  merged: ReadonlyMap<string, Reply>,
  naive: ReadonlyMap<string, Reply>,
): string[] {
  return units.toSorted(inOrder).flatMap((unit) => {
    const [ours, theirs] = [merged, naive].map((replies) => withoutCursor(shown(replies.get(unit.id)!)));
    return ours === theirs ? [] : [`${shownUnit(unit)}: merged ${ours}, naive ${theirs}`];
  });
}

/**
 * Replaces the cursor of a page that has a next one. It may name any hash between the last element of the page and the
 * next, and which one depends on the size of the table, which undo does not restore.
 */
function withoutCursor(reply: string): string {
  return reply.replace(/^\["[1-9]\d{14,}" \[/, '["cursor" [');
}
