/**
 * Tests that entries in any order of arrival, batches, cuts and restarts produce the state, the key ring and the
 * answers of entries in order. DBSYNC_SEED replays a run, DBSYNC_SEEDS makes it longer.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { canonicalRing, canonicalState } from "../../../../daemon/store/canonical-state.js";
import { commandTable } from "../../../../daemon/store/command-table.js";
import { Database } from "../../../../daemon/store/database.js";
import { isKeyCommand } from "../../../../daemon/store/key-ring.js";
import { SEMANTICS } from "../../../../daemon/store/semantics.js";
import { compareEntries, type Entry } from "../../../../daemon/timeline/entries/entry.js";
import { mayChange } from "../../../../daemon/timeline/entries/recorded-envelopes.js";
import { Fold, type FoldedEntry, type UnitAnswer } from "../../../../daemon/timeline/fold/fold.js";
import { type FoldUnit, findTouches, unitsOf } from "../../../../daemon/timeline/fold/fold-unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Family, families } from "../../../conformance/families.js";
import { shown } from "../../../conformance/resp2-fold.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { EPOCH } from "../../store/random-unit.js";
import { entry } from "../support/fold-subject.js";
import {
  conflict,
  mayWrite,
  type NaiveState,
  type NaiveUnit,
  naiveFold,
  naiveUnits,
  touchesOfUnit,
} from "../support/naive-fold.js";
import { RandomDecisions } from "../support/random-decisions.js";
import { type Genesis, genesisRing, RandomTimeline } from "../support/random-timeline.js";

const RUNS = Number(process.env["DBSYNC_SEEDS"] ?? amount(5, 12));
const DATABASES = 5;
const ENTRIES_MIN = 5;
const ENTRIES_MAX = 70;
/** The share of runs with decisions. */
const DECIDED = 0.6;
const DECISIONS_PATH = 1_000_000;

const seed = seedOfRun();

test(`entries in any order yield the result of entries in order (seed ${seed})`, () => {
  const first = Number(process.env["DBSYNC_RUN"] ?? 0);
  for (let run = first; run < first + RUNS; run++) {
    replayable(new Run(run), run);
  }
});

function replayable(each: Run, run: number): void {
  try {
    each.play();
  } catch (problem) {
    const { stack } = problem as Error;
    throw new Error(`DBSYNC_SEED=${seed} DBSYNC_RUN=${run} DBSYNC_SEEDS=1: ${stack}`);
  }
}

test(`entries of one family of commands, in any order, yield the result of entries in order (seed ${seed})`, () => {
  families.forEach((family, number) => {
    for (let run = 0; run < Math.ceil(RUNS / 20); run++) replayable(new Run(run, { family, number }), run);
  });
});

/** A timeline whose entries arrive in parts. The fold is checked after each merge. */
class Run {
  readonly #random: SeededRandom;
  readonly #genesis: Genesis;
  #fold: Fold;
  /** The naive state of the merged entries. */
  #naive: NaiveState;
  #pending: Entry[];
  #merged: Entry[] = [];
  /** Whether expired keys were dropped, which DBSIZE and similar commands show. */
  #hasDropped = false;

  constructor(run: number, focus: { family: Family; number: number } | null = null) {
    this.#random = focus === null ? new SeededRandom(seed, run) : new SeededRandom(seed, focus.number, run);
    const timeline = new RandomTimeline(this.#random, focus?.family);
    this.#genesis = timeline.genesis;
    const entries = [...timeline.entries(this.#random.between(ENTRIES_MIN, ENTRIES_MAX))];
    // A separate generator, so that runs without decisions do not depend on it.
    const decided = new SeededRandom(seed, run, DECISIONS_PATH);
    if (decided.chance(DECIDED))
      entries.push(...new RandomDecisions(decided, entries).entries(decided.between(1, entries.length)));
    this.#pending = this.#arrivalOrder(entries);
    this.#fold = this.#newFold();
    this.#naive = this.#foldNaively();
  }

  play(): void {
    const max = this.#random.oneOf([1, 1, 3, 20, 1000]);
    while (this.#pending.length > 0) {
      this.#mergeSome(max);
      if (this.#random.chance(0.3)) this.#cut();
      if (this.#random.chance(0.05)) this.#restart();
    }
    this.#fold.cut(Number.MAX_SAFE_INTEGER);
    assert.deepEqual([this.#fold.tailBytes, this.#fold.tailUnits, this.#fold.oldestAt], [0, 0, null]);
    this.#checkState(this.#naive);
  }

  #foldNaively(): NaiveState {
    return naiveFold(this.#merged, genesisRing(this.#genesis), DATABASES);
  }

  #arrivalOrder(entries: readonly Entry[]): Entry[] {
    const random = this.#random;
    if (random.chance(0.4)) return random.shuffled(entries);
    const late = random.oneOf([0, 2, 6, 20]);
    return entries
      .toSorted(compareEntries)
      .map((entry, index) => ({ entry, index: index + (random.chance(0.3) ? random.between(0, late) : 0) }))
      .sort((a, b) => a.index - b.index)
      .map(({ entry }) => entry);
  }

  #newFold(): Fold {
    const ring = genesisRing(this.#genesis);
    return new Fold({ database: new Database({ databases: DATABASES }), ring, cutAt: EPOCH });
  }

  #mergeSome(max: number): void {
    const batch = this.#pending.splice(0, this.#random.between(1, max));
    const before = this.#naive;
    this.#merged.push(...batch);
    this.#naive = this.#foldNaively();

    const after = this.#naive;
    const cost = affectedIn(after.units, new Set(batch), before, this.#fold.cutAt);
    this.#refuse(batch, cost);

    const { redone, redoneCommands } = this.#fold;
    const folded = this.#fold.mergeWithin(cost.units === 1 ? 1 : cost.commands, batch);
    assert.ok(folded !== null, "the minimal set is sufficient");
    assert.deepEqual(
      { units: this.#fold.redone - redone, commands: this.#fold.redoneCommands - redoneCommands },
      cost,
      "the minimal set",
    );

    this.#checkState(after);
    assert.deepEqual(
      folded.map(({ entry }) => entry),
      batch,
    );
    this.#checkAnswers(folded, before, after);

    const newest = this.#merged.toSorted(compareEntries).at(-1) as Entry;
    assert.equal(this.#fold.newest?.id, newest.id);
  }

  /** Checks that a merge that exceeds its budget, or is only prepared, changes nothing. */
  #refuse(batch: readonly Entry[], { units, commands }: Cost): void {
    const [first] = batch.toSorted(compareEntries) as [Entry];
    let isPrepared = false;
    while (!isPrepared && this.#random.chance(0.3))
      isPrepared = this.#fold.prepare(first, this.#random.between(1, 8), this.#random.between(0, commands));
    if (units === 0 || this.#random.chance(0.5)) return;
    const { redone, ring } = this.#fold;
    // A single unit is always redone, unless none may be redone.
    const max = units === 1 ? 0 : this.#random.between(0, commands - 1);
    assert.equal(this.#fold.mergeWithin(max, batch), null);
    assert.deepEqual([this.#fold.redone, this.#fold.ring], [redone, ring]);
  }

  /** Cuts at a date before which no more entries arrive. */
  #cut(): void {
    const before = Math.min(...this.#pending.map(({ envelope: { at } }) => at), EPOCH + 200_000_000);
    const { cutAt } = this.#fold;
    if (before - 1 <= cutAt) return;
    this.#fold.cut(this.#random.chance(0.5) ? before - 1 : this.#random.between(cutAt, before - 1));
    if (!this.#random.chance(0.7)) return;
    this.#hasDropped = true;
    this.#fold.dropExpired(this.#random.oneOf([1, 1000]));
  }

  /** Creates a new fold of the merged entries: some without undo records, the remaining entries in any order. */
  #restart(): void {
    const sorted = this.#merged.toSorted(compareEntries);
    const cutAt = this.#random.between(EPOCH, this.#fold.cutAt);
    this.#fold = this.#newFold();
    for (const entry of sorted) if (entry.envelope.at <= cutAt) this.#fold.replay(entry);
    const remaining = sorted.filter(({ envelope: { at } }) => at > cutAt);
    if (this.#random.chance(0.5)) this.#fold.merge(this.#random.shuffled(remaining));
    else for (const entry of this.#random.shuffled(remaining)) this.#fold.merge([entry]);
    this.#checkState(this.#naive);
  }

  #checkState({ database, ring }: NaiveState): void {
    assert.deepEqual(canonicalRing(this.#fold.ring), canonicalRing(ring));
    assert.deepEqual(seenAfter(this.#fold.database, this.#fold.cutAt), seenAfter(database, this.#fold.cutAt));
  }

  #checkAnswers(folded: readonly FoldedEntry[], before: NaiveState, after: NaiveState): void {
    const answers = new Map<ByteString, readonly UnitAnswer[]>(
      folded.map(({ entry, answers }) => [entry.id, answers]),
    );
    for (const unit of after.units) {
      const answer = answers.get(unit.entry.id)?.[unit.index];
      if (answer === undefined) continue;
      const description = JSON.stringify([unit.commands, unit.entry.envelope.at - EPOCH]);
      assert.equal(answer.late, isLate(unit, before.units), `late: ${description}`);
      // A late read is answered from the present state.
      const isExact = mayWrite(unit) || !answer.late || unit.commands.every(isKeyCommand);
      if (isExact) assert.equal(answer.outcome, unit.outcome, description);
      if (isExact && !(this.#hasDropped && showsExpired(unit)) && !showsInnerOrder(unit))
        assert.equal(shown(answer.reply), shown(unit.reply), description);
    }
  }
}

/** Returns the keys of a database, except keys that no later unit can see. */
function seenAfter(database: Database, cutAt: number): string[] {
  return canonicalState(database).filter((line) => {
    const expire = (JSON.parse(line) as [number, string, string, number])[3];
    return expire === 0 || expire > cutAt;
  });
}

const names = ({ commands }: NaiveUnit): string[] => commands.map(([name]) => (name as string).toUpperCase());
const showsExpired = (unit: NaiveUnit) => names(unit).some((name) => name === "DBSIZE");
const showsInnerOrder = (unit: NaiveUnit) =>
  names(unit).some((name) => ["KEYS", "SCAN", "RANDOMKEY", "ZSCAN"].includes(name));

function compareNaive(a: NaiveUnit, b: NaiveUnit): number {
  return compareEntries(a.entry, b.entry) || a.index - b.index;
}

/** Whether a unit arrives late. Units of the key ring and of data do not affect each other. */
function isLate(unit: NaiveUnit, applied: readonly NaiveUnit[]): boolean {
  const later = applied.filter((other) => compareNaive(other, unit) > 0);
  if (isRingUnit(unit)) return later.some((other) => isRingUnit(other) && mayChange(other));
  const touches = touchesOfUnit(unit, DATABASES);
  if (touches === null) return false;
  return later.some((other) => mayWrite(other) && conflict(touchesOfUnit(other, DATABASES) ?? [], touches));
}

/** Whether a unit is for the key ring, which only its bytes decide. */
function isRingUnit({ entry, commands }: NaiveUnit): boolean {
  if (entry.envelope.if !== null || !commands.every(isKeyCommand)) return false;
  return !commands.some((argv) => commandTable.resolve(argv) instanceof CommandFailure);
}

interface Cost {
  readonly units: number;
  readonly commands: number;
}

/**
 * Returns how many units, and commands of these units, must be redone by definition.
 * @param units  all units after the merge, in order
 */
function affectedIn(
  units: readonly NaiveUnit[],
  isNew: ReadonlySet<Entry>,
  before: NaiveState,
  cutAt: number,
): Cost {
  const wasDenied = new Map(before.units.map((unit) => [`${unit.entry.id}${unit.index}`, unit.outcome]));
  const dirty: ReturnType<typeof touchesOfUnit>[] = [];
  const affected: NaiveUnit[] = [];
  for (const unit of units) {
    const touches = mayWrite(unit) ? touchesOfUnit(unit, DATABASES) : null;
    if (touches === null) continue;
    if (isNew.has(unit.entry)) {
      dirty.push(touches);
      continue;
    }
    if (unit.entry.envelope.at <= cutAt) continue;
    const old = wasDenied.get(`${unit.entry.id}${unit.index}`);
    const isFlipped = (old === "denied") !== (unit.outcome === "denied");
    if (!isFlipped && !dirty.some((each) => conflict(each ?? [], touches))) continue;
    affected.push(unit);
    dirty.push(touches);
  }
  const commands = affected.reduce((sum, unit) => sum + unit.commands.length, 0);
  return { units: affected.length, commands };
}

test("the units of an entry are distinguished like in the naive fold", () => {
  const random = new SeededRandom(seed);
  const fold = new Fold({
    database: new Database(),
    ring: genesisRing({ hasRoots: true }),
    cutAt: EPOCH,
  });
  const entries = new RandomTimeline(random).entries(50);
  fold.merge(entries).forEach(({ answers }, i) => {
    assert.equal(answers.length, naiveUnits(entries[i] as Entry).length);
  });
});

test("a unit touches each database once, however many of its commands touch all databases", () => {
  const commands = Array.from({ length: 1000 }, (_, i) => [i % 2 === 0 ? "DBSIZE" : "FLUSHALL"]);
  const [unit] = unitsOf(entry("u", 1, commands, { multi: true }), DATABASES);
  findTouches(unit as FoldUnit, DATABASES, SEMANTICS);
  const all = Array.from({ length: DATABASES }, (_, db) => ({ db, writes: true }));
  assert.deepEqual(unit?.databaseTouches, all);
});
