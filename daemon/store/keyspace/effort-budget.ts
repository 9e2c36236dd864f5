/**
 * Counts the cost of a unit while it runs: how much it produces and how much it reads. The budgets count steps, never
 * time: what a unit produces follows from the state and the unit alone, so every daemon rejects the same units.
 * Source: docs/decisions/0047-budgets-limit-the-output-of-a-unit.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { LazyBulkReply } from "../../../protocol/lazy-replies.js";
import type { Reply } from "../../../protocol/reply.js";
import { CommandFailure } from "../arguments/command-errors.js";

/** Number of bytes that count as one element. */
export const BYTES_PER_STEP = 64;
/** Number of elements read that count as much as one element produced. */
export const READS_PER_STEP = 16;
/** Cost in steps of each member added to, removed from or looked up in a set, a hash or a sorted set. */
export const MEMBER_STEPS = 4;
/**
 * Cost in steps of a member added to or removed from a sorted set, and of a stream entry that is assigned to another
 * consumer.
 */
export const SORTED_MEMBER_STEPS = 12;
/**
 * Cost in steps of copying a removed list element for undo, in addition to the step that counts the element as
 * produced.
 */
export const REMOVED_ELEMENT_STEPS = 7;
/** Cost in steps of each element that is read into a reply, in addition to the step for the reply's item. */
const ANSWERED_ELEMENT_STEPS = 3;
/** Cost in steps of each key of a database that is skipped in a search. */
export const WALKED_KEY_STEPS = 1;
/**
 * Cost in steps of parsing a statement of SQL or a command of MongoDB, whatever it does: about three times the steps
 * that its arguments grant it.
 */
export const STATEMENT_STEPS = 50;
/** Number of bytes of working memory that count as one step of a unit that runs without interruption. */
export const HELD_BYTES_PER_STEP = 128;
/** Approximate memory of an element of an array, or of a field of a document. */
const ELEMENT_BYTES = 32;
/** Number of steps granted for each element, or each `BYTES_PER_STEP` bytes, of the arguments. */
export const STEPS_GRANTED = 4;
/** Maximum number of steps that a unit may produce, wherever it is folded. */
export const PRODUCED_MAX = 16_000_000;
/** The default of `--max-unit-steps`. */
export const UNIT_STEPS_DEFAULT = 1_000_000;
/** Maximum number of steps that a query in steps may produce: 8,000,000 elements, or 64 bytes each. */
export const QUERY_PRODUCED_MAX = 8_000_000;
/** Number of steps after which a query in steps yields: about a millisecond. */
export const SLICE_STEPS = 20_000;

/** Thrown when a unit exceeds a budget. The caller must undo the changes that have already been made. */
export class BudgetExceeded extends Error {
  override readonly name: string = "BudgetExceeded";
}

/** Thrown when the reads of a transaction or script exceed their budget. The caller refuses the complete unit. */
export class UnitReadsExceeded extends BudgetExceeded {
  override readonly name = "UnitReadsExceeded";
}

/** Returns the error of a unit whose command exceeds a budget. */
export const unitRefusal = (problem: BudgetExceeded, command: { isQuery?: boolean }): CommandFailure =>
  problem instanceof UnitReadsExceeded ? unitReadsExceeded() : budgetExceeded(command);

/** Returns the error of a unit whose reads exceed their budget, or of those reads of a recorded envelope. */
export const unitReadsExceeded = (): CommandFailure =>
  new CommandFailure(
    "TOOMUCH the reads of one transaction, script or envelope would take too long: send them separately, or raise --max-read-steps and --max-read-bytes",
  );

/** Returns the error of a single command that exceeds a budget. */
export const budgetExceeded = ({ isQuery }: { isQuery?: boolean }): CommandFailure =>
  new CommandFailure(
    isQuery
      ? "TOOMUCH the query would read too much in one step: send it by itself, outside of MULTI and scripts, or to the --sql listener, or raise --max-unit-steps"
      : "TOOMUCH the command would produce or read too much in one step: split it, or raise --max-unit-steps",
  );

/** Returns the error of reads that visit the same values too often. */
export const readsExceeded = (): CommandFailure =>
  new CommandFailure(
    "TOOMUCH the command would read the same values too often in one step: name each key once, or read less",
  );

const queryExceeded = (): CommandFailure =>
  new CommandFailure(
    `TOOMUCH the query would produce more than ${QUERY_PRODUCED_MAX} elements, or as many times ${BYTES_PER_STEP} bytes: request less`,
  );

/** Counts the items of a reply, including those of nested replies. */
function itemsOf(reply: Reply): number {
  // Reading the items would create them only for this count.
  if (reply instanceof LazyBulkReply) return reply.values.length;
  if (!("items" in reply)) return 1;
  let count = 0;
  for (const item of reply.items) count += itemsOf(item);
  return count;
}

export class EffortBudget {
  /** Cost in steps of what the unit has produced so far; the same on every daemon. */
  produced = 0;
  /** Cost in steps of what the unit has produced so far, and of what this daemon has read for the unit. */
  steps = 0;
  producedMax = Number.POSITIVE_INFINITY;
  stepsMax = Number.POSITIVE_INFINITY;

  /** Steps granted for the arguments so far: a unit may always produce as much as its sender has sent. */
  #granted = 0;
  /**
   * Steps granted for the arguments of the current unit alone: what a unit may produce must not depend on the units
   * that are admitted together with it.
   */
  #grantedToUnit = 0;

  /**
   * Whether the current units are not recorded yet. If one of them exceeds a budget, it is undone and receives no
   * reply.
   */
  areUnrecorded = false;
  /** Whether the current units share one count, although each is applied separately. */
  #isSharing = false;
  /** The working memory of a query in steps; null for units, which run without interruption. */
  #memory: MemoryGrant | null = null;
  /** Bytes of a query that were passed to `reserveMemory` and not to `reuseMemory`, and the maximum of them so far. */
  #held = 0;
  #reserved = 0;
  /** Returns further steps that the current reads may take; called once, when they exceed `stepsMax`. */
  #allowance: (() => number) | null = null;
  /** The value of `steps` at which the current slice ends. Only queries in steps have slices. */
  #sliceEnd = Number.POSITIVE_INFINITY;

  /**
   * Starts the count of reads that run together without interruption.
   * @param allowance  returns the steps that they may take in addition to `stepsMax`
   */
  beginReads(stepsMax: number, allowance: () => number): void {
    this.#reset();
    this.stepsMax = stepsMax;
    this.#allowance = allowance;
  }

  /** Returns the budget of one query that runs in steps. @param memory  default: unlimited */
  static ofQuery(memory: MemoryGrant = UNLIMITED_MEMORY): EffortBudget {
    const budget = new EffortBudget();
    budget.#memory = memory;
    budget.producedMax = QUERY_PRODUCED_MAX;
    budget.#sliceEnd = SLICE_STEPS;
    return budget;
  }

  /** Begins a slice: from now on, the caller yields whenever a slice ends. */
  beginSlices(): void {
    this.#sliceEnd = this.steps + SLICE_STEPS;
  }

  /** Whether the work is done in slices, between which it yields. */
  get hasSlices(): boolean {
    return this.#memory !== null;
  }

  /** Whether the work must yield now. */
  get isSliceOver(): boolean {
    return this.steps >= this.#sliceEnd;
  }

  /** Whether the work must yield now; a new slice begins then. */
  endsSlice(): boolean {
    if (!this.isSliceOver) return false;
    this.#sliceEnd = this.steps + SLICE_STEPS;
    return true;
  }

  /**
   * Starts the count of another unit; units that are admitted or applied together share one count.
   * @param producedMax maximum number of steps that the unit may produce
   */
  begin(producedMax = PRODUCED_MAX): void {
    this.produced = 0;
    this.producedMax = producedMax;
    this.#grantedToUnit = 0;
    if (!this.areUnrecorded && !this.#isSharing) this.#reset();
  }

  /** Runs several units under one budget of `stepsMax` steps. @throws BudgetExceeded */
  withBudget<Result>(stepsMax: number, run: () => Result): Result {
    const before = this.stepsMax;
    this.#reset();
    this.stepsMax = stepsMax;
    this.areUnrecorded = true;
    try {
      return run();
    } finally {
      this.stepsMax = before;
      this.areUnrecorded = false;
    }
  }

  /**
   * Runs the commands of a transaction or a script, which are applied one after the other, under one budget of
   * `stepsMax` steps.
   */
  withSharedBudget<Result>(run: () => Result, stepsMax = this.stepsMax): Result {
    const before = this.stepsMax;
    this.#reset();
    this.stepsMax = stepsMax;
    this.#isSharing = true;
    try {
      return run();
    } finally {
      this.stepsMax = before;
      this.#isSharing = false;
    }
  }

  /** Runs reads between two units: their steps do not count for the units. */
  runUncounted<Result>(run: () => Result): Result {
    const { produced, producedMax, steps, stepsMax, areUnrecorded } = this;
    const granted = this.#granted;
    const grantedToUnit = this.#grantedToUnit;
    this.stepsMax = Number.POSITIVE_INFINITY;
    this.areUnrecorded = false;
    try {
      return run();
    } finally {
      Object.assign(this, { produced, producedMax, steps, stepsMax, areUnrecorded });
      [this.#granted, this.#grantedToUnit] = [granted, grantedToUnit];
    }
  }

  #grant(argv: readonly ByteString[]): void {
    let bytes = 0;
    for (const { length } of argv) bytes += length;
    const steps = STEPS_GRANTED * (argv.length + bytes / BYTES_PER_STEP);
    this.#granted += steps;
    this.#grantedToUnit += steps;
  }

  #reset(): void {
    this.steps = 0;
    this.#granted = 0;
  }

  /** Runs a command and counts its steps, unless its unit has already exceeded a budget. */
  bound(argv: readonly ByteString[], run: (effort: this) => Reply): Reply | BudgetExceeded {
    try {
      this.countSteps(0);
      this.#grant(argv);
      const reply = run(this);
      this.countSteps(itemsOf(reply));
      return reply;
    } catch (problem) {
      if (problem instanceof BudgetExceeded) return problem;
      throw problem;
    }
  }

  /**
   * Counts elements and bytes that the command is about to produce. A query in steps also reserves memory for them.
   * @throws BudgetExceeded, or CommandFailure or WorkingMemoryExceeded in a query in steps
   */
  countProduced(elements: number, bytes = 0): void {
    const steps = elements + bytes / BYTES_PER_STEP;
    this.produced += steps;
    if (this.produced > this.producedMax + this.#grantedToUnit)
      throw this.hasSlices ? queryExceeded() : new BudgetExceeded("it would produce too much");
    this.#memory?.reserve(elements * ELEMENT_BYTES + bytes);
    this.countSteps(steps);
  }

  /** Counts elements and bytes that the command is about to read. @throws BudgetExceeded */
  countRead(elements: number, bytes = 0): void {
    this.countSteps((elements + bytes / BYTES_PER_STEP) / READS_PER_STEP);
  }

  /**
   * Counts elements that the command is about to read into its reply, in addition to the reply's items.
   * @throws BudgetExceeded
   */
  countAnswered(elements: number): void {
    this.countSteps(elements * ANSWERED_ELEMENT_STEPS);
  }

  /**
   * Reserves working memory that the command is about to fill, and that it may need until it ends.
   * @throws WorkingMemoryExceeded in a query in steps
   * @throws BudgetExceeded in a unit that runs without interruption, in which the bytes count as steps
   */
  reserveMemory(bytes: number): void {
    if (this.#memory === null) this.countSteps(bytes / HELD_BYTES_PER_STEP);
    else {
      this.#held += bytes;
      if (this.#held <= this.#reserved) return;
      this.#memory.reserve(this.#held - this.#reserved);
      this.#reserved = this.#held;
    }
  }

  /** Bytes that a query in steps holds; 0 in other units. */
  get held(): number {
    return this.#held;
  }

  /**
   * Permits the query to fill memory again that it held for a part which has ended. The memory remains reserved.
   * @param held  what `held` was before that part
   */
  reuseMemory(held: number): void {
    this.#held = held;
  }

  /** Counts steps that produce nothing. @throws BudgetExceeded */
  countSteps(steps: number): void {
    this.steps += steps;
    if (this.steps > this.stepsMax + this.#granted) this.#useAllowance();
  }

  /** @throws BudgetExceeded unless the current reads have a sufficient allowance */
  #useAllowance(): void {
    this.#granted += this.#allowance?.() ?? 0;
    this.#allowance = null;
    if (this.steps > this.stepsMax + this.#granted) throw new BudgetExceeded("it would read too much");
  }
}

/** A counter without budgets, for commands whose cost is proportional to their arguments. */
export const UNCOUNTED_EFFORT = new EffortBudget();

/**
 * The working memory of a long query: what it stores between its steps, while other commands run. The caller grants it,
 * because only the caller knows what other queries hold.
 */
export interface MemoryGrant {
  /**
   * Reserves bytes until the query ends.
   * @throws WorkingMemoryExceeded if the query may not hold more
   */
  reserve(bytes: number): void;
}

/** Thrown when a query needs more working memory than it may hold. The caller discards the work of the query. */
export class WorkingMemoryExceeded extends Error {
  override readonly name = "WorkingMemoryExceeded";
}

/** The working memory of queries in tests, and of a database that is not part of a daemon. */
const UNLIMITED_MEMORY: MemoryGrant = { reserve: () => {} };
