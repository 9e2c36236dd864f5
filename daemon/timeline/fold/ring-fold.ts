/**
 * The key ring at each position of the tail: its state at the cut, the units that have changed it since, and each
 * record's versions. It is folded separately, before the data. Data units then look up their signer and their command
 * table as of their position. Source: docs/architecture.md "How daemons agree".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { canonicalRecord } from "../../store/canonical-state.js";
import type { KeyRecord, KeyRing } from "../../store/key-ring.js";
import type { DecidedPatterns } from "../../store/rights/decided-patterns.js";
import type { CommandIndex } from "../../store/rows/command-index.js";
import type { OrderKey } from "../entries/entry.js";
import { applyToRing } from "./apply-unit.js";
import { compareUnits, type FoldUnit } from "./fold-unit.js";

/** A key's record after a unit. */
interface Version {
  readonly unit: FoldUnit;
  readonly record: KeyRecord;
}

/**
 * A unit after which commands have a different meaning, and their new table, or null if this release does not know it.
 */
interface Switch {
  readonly unit: FoldUnit;
  readonly table: CommandIndex | null;
}

/** The first unit at which a changed key's record differs from before, by the id of the key. */
export type ChangedKeys = ReadonlyMap<ByteString, FoldUnit>;

/** The decided patterns after a unit that has changed them. */
interface PatternVersion {
  readonly unit: FoldUnit;
  readonly patterns: DecidedPatterns;
}

export class RingFold {
  /** The ring as of the cut. */
  #base: KeyRing;
  /** The ring after all units; the base itself if there are none. */
  newest: KeyRing;
  /** The units that may change the ring, in order. */
  #units: FoldUnit[] = [];
  readonly #versions = new Map<ByteString, Version[]>();
  /** The switches in order; usually there are none. */
  #switches: Switch[] = [];
  /** The decided patterns after each change, in order. */
  #patterns: PatternVersion[] = [];
  /** The position from which the base's semantics version is unknown, or null if it is known. */
  #baseEnd: OrderKey | null;
  /** The unit that is being applied to the newest ring. */
  #current: FoldUnit | null = null;

  /** @param end  the position from which the base's semantics version is unknown, if it is */
  constructor(base: KeyRing, end: OrderKey | null) {
    this.#base = base;
    this.newest = base;
    this.#baseEnd = base.table === null ? end : null;
  }

  /** The first unit that could be undone. */
  get first(): FoldUnit | null {
    return this.#units[0] ?? null;
  }

  /** The number of units that could be undone. */
  get length(): number {
    return this.#units.length;
  }

  /** Returns a key's record as a unit at the given unit's position sees it. */
  recordAt(key: ByteString, unit: FoldUnit): KeyRecord | undefined {
    const versions = this.#versions.size === 0 ? undefined : this.#versions.get(key);
    if (versions === undefined) return this.#base.find(key);
    const version = versions.findLast((each) => compareUnits(each.unit, unit) < 0);
    return version === undefined ? this.#base.find(key) : version.record;
  }

  /**
   * Returns the command table at a unit's position, or null if this release does not know the semantics version there.
   */
  tableAt(unit: FoldUnit): CommandIndex | null {
    const last = this.#switches.findLast((each) => compareUnits(each.unit, unit) < 0);
    return last === undefined ? this.#base.table : last.table;
  }

  /** Returns the decided patterns at a unit's position. */
  patternsAt(unit: FoldUnit): DecidedPatterns {
    if (this.#patterns.length === 0) return this.#base.patterns;
    const last = this.#patterns.findLast((each) => compareUnits(each.unit, unit) < 0);
    return last === undefined ? this.#base.patterns : last.patterns;
  }

  /**
   * The first position from which this release does not know the semantics version, or null if it is known everywhere.
   */
  get end(): OrderKey | null {
    return this.#baseEnd ?? this.#switches.find(({ table }) => table === null)?.unit.orderKey ?? null;
  }

  /** Adds a unit that comes after all present units, and sets its answer. */
  append(unit: FoldUnit): void {
    unit.answer = this.#apply(unit);
  }

  /** Returns a copy with additional units at their positions, and sets the answers of these units. */
  refolded(units: readonly FoldUnit[]): RingFold {
    const other = new RingFold(this.#base, this.#baseEnd);
    const added = new Set(units);
    const all = [...this.#units, ...units].sort(compareUnits);

    // Mark the new units that are late.
    const last = this.#units.at(-1);
    for (const unit of units) unit.isLate = last !== undefined && compareUnits(unit, last) < 0;

    for (const unit of all) {
      const answer = other.#apply(unit);
      if (added.has(unit)) unit.answer = answer;
    }
    return other;
  }

  /** Returns the positions from which records differ from the records of another fold of the same base. */
  changedSince(before: RingFold): ChangedKeys {
    const changed = new Map<ByteString, FoldUnit>();
    for (const key of new Set([...before.#versions.keys(), ...this.#versions.keys()])) {
      const unit = firstDifference(before.#versions.get(key) ?? [], this.#versions.get(key) ?? []);
      if (unit !== null) changed.set(key, unit);
    }
    return changed;
  }

  /**
   * Returns the unit from which commands have a different meaning than in another fold of the same base, or null if
   * there is no such unit.
   */
  switchedSince(before: RingFold): FoldUnit | null {
    return firstOther(before.#switches, this.#switches);
  }

  /** Returns the unit from which the decided patterns differ from those of another fold of the same base, or null. */
  patternsChangedSince(before: RingFold): FoldUnit | null {
    return firstOther(before.#patterns, this.#patterns);
  }

  /** Drops the undo information of units dated at or before `at`. @returns these units */
  cut(at: number): readonly FoldUnit[] {
    let count = 0;
    while (count < this.#units.length && (this.#units[count] as FoldUnit).at <= at) count++;
    if (count === 0) return [];

    const cut = this.#units.splice(0, count);
    if (this.#units.length === 0) {
      this.#baseEnd = this.end;
      this.#base = this.newest;
      this.#versions.clear();
      this.#switches = [];
      this.#patterns = [];
      return cut;
    }

    for (const unit of cut) this.#applyToBase(unit);
    this.#switches = this.#switches.filter(({ unit }) => unit.at > at);
    this.#patterns = this.#patterns.filter(({ unit }) => unit.at > at);
    for (const [key, versions] of this.#versions) {
      const kept = versions.filter(({ unit }) => unit.at > at);
      if (kept.length === 0) this.#versions.delete(key);
      else this.#versions.set(key, kept);
    }
    return cut;
  }

  /** Applies a unit that will not be undone. No unit that could be undone may be present. */
  replay(unit: FoldUnit): void {
    unit.answer = this.#applyToBase(unit);
  }

  #applyToBase(unit: FoldUnit): ReturnType<typeof applyToRing> {
    const answer = applyToRing(unit, this.#base);
    if (this.#base.table === null) this.#baseEnd ??= unit.orderKey;
    return answer;
  }

  #apply(unit: FoldUnit): ReturnType<typeof applyToRing> {
    if (!unit.changesRing) return applyToRing(unit, this.newest);
    if (this.newest === this.#base) this.newest = this.#base.clone((record) => this.#note(record));

    this.#current = unit;
    this.#units.push(unit);
    const { semantics, patterns } = this.newest;
    const answer = applyToRing(unit, this.newest);
    this.#current = null;

    if (this.newest.patterns !== patterns) this.#patterns.push({ unit, patterns: this.newest.patterns });
    if (this.newest.semantics !== semantics) this.#switches.push({ unit, table: this.newest.table });
    return answer;
  }

  #note(record: KeyRecord): void {
    const unit = this.#current;
    // The unit is applied to the base, for which no versions are recorded.
    if (unit === null) return;
    const versions = this.#versions.get(record.id);
    const version = { unit, record };
    if (versions === undefined) this.#versions.set(record.id, [version]);
    else if (versions.at(-1)?.unit === unit) versions[versions.length - 1] = version;
    else versions.push(version);
  }
}

/** Returns the first unit that is in only one of two lists of changes, or null if they are equal. */
function firstOther(
  old: readonly { readonly unit: FoldUnit }[],
  now: readonly { readonly unit: FoldUnit }[],
): FoldUnit | null {
  for (let i = 0; i < old.length || i < now.length; i++) {
    const [one, other] = [old[i]?.unit, now[i]?.unit];
    if (one === other) continue;
    if (one === undefined || other === undefined) return one ?? other ?? null;
    return compareUnits(one, other) < 0 ? one : other;
  }
  return null;
}

/** Returns the first unit at which two histories of a record differ, or null if they are equal. */
function firstDifference(before: readonly Version[], after: readonly Version[]): FoldUnit | null {
  for (let i = 0; i < before.length || i < after.length; i++) {
    const [old, now] = [before[i], after[i]];
    if (old === undefined || now === undefined) return (old ?? (now as Version)).unit;
    if (old.unit !== now.unit) return compareUnits(old.unit, now.unit) < 0 ? old.unit : now.unit;
    if (canonicalRecord(old.record) !== canonicalRecord(now.record)) return old.unit;
  }
  return null;
}
