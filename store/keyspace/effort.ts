/**
 * Counts the cost of a unit while it runs: what it produces, and what it reads. Counts, never time: what is
 * produced follows from the state and the unit alone, so that every daemon refuses the same unit.
 * Source: docs/decisions/0047-budgets-count-what-is-produced.md.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { ManyBulks } from "../../protocol/many-bulks.js";
import type { Reply } from "../../protocol/reply.js";
import { CommandFailure } from "../arguments/errors.js";

/** Bytes that count as one element. */
export const BYTES_A_STEP = 64;
/** Elements that are only read and together count as one produced element. */
export const LOOKS_A_STEP = 16;
/** Steps for each member added to, removed from or looked up in a set, a hash or a sorted set. */
export const MEMBER_STEPS = 4;
/** Steps of a member that goes into a sorted set, or out of it; also of an entry of a stream that changes hands. */
export const SORTED_MEMBER_STEPS = 12;
/** Steps of copying a list's element that goes, which brings it back, besides the step that counts it as produced. */
export const REMOVED_ELEMENT_STEPS = 7;
/** Steps for each element that is read into a reply, besides the step of the reply's item. */
const ANSWERED_ELEMENT_STEPS = 3;
/** Steps for each key of a database that is passed over to find some of them. */
export const WALKED_KEY_STEPS = 1;
/** Steps for each element or `BYTES_A_STEP` bytes of the arguments. */
export const STEPS_GRANTED = 4;
/** Steps that a unit may produce wherever it is folded, from CLUSTER SEMANTICS 2 on. */
export const PRODUCED_MAX = 16_000_000;
/** Default of `--max-unit-steps`. */
export const UNIT_STEPS_DEFAULT = 1_000_000;

/** A unit exceeded a budget. Not a failure of the command: the caller has to undo its changes. */
export class TooMuch extends Error {
  override readonly name = "TooMuch";
}

/** Returns the error of a single command that exceeds a budget. */
export const tooMuch = ({ isQuery }: { isQuery?: boolean }): CommandFailure =>
  new CommandFailure(
    isQuery
      ? "TOOMUCH the query would go through too much in one step: send it by itself, outside of MULTI and scripts, or to the --sql listener, or raise --max-unit-steps"
      : "TOOMUCH the command would produce or go through too much in one step: do it in parts, or raise --max-unit-steps",
  );

/** Returns the items of a reply, with those of the replies in it. */
function itemsOf(reply: Reply): number {
  // Its items are only made to be counted otherwise.
  if (reply instanceof ManyBulks) return reply.values.length;
  if (!("items" in reply)) return 1;
  let count = 0;
  for (const item of reply.items) count += itemsOf(item);
  return count;
}

export class Effort {
  /** Steps of the unit so far, as every daemon counts them. */
  produced = 0;
  /** Steps produced, and those that this daemon reads. */
  steps = 0;
  producedMax = Number.POSITIVE_INFINITY;
  stepsMax = Number.POSITIVE_INFINITY;

  /** Steps granted for the arguments so far: a unit may always produce as much as it was sent. */
  #granted = 0;
  /** The same of this unit alone: what a unit may produce must not depend on the units that are admitted with it. */
  #grantedToUnit = 0;

  /** Whether the units that run are not recorded yet: one that exceeds a budget is undone and gets no reply. */
  isAdmitting = false;
  /** Whether the units that run share one count, although each is applied by itself. */
  #isSharing = false;

  /**
   * Starts the count of another unit; units that are admitted or applied together share one count.
   * @param producedMax  steps that the unit may produce
   * @returns whether anything bounds the unit
   */
  begin(producedMax: number): boolean {
    this.produced = 0;
    this.producedMax = producedMax;
    this.#grantedToUnit = 0;
    if (!this.isAdmitting && !this.#isSharing) this.#reset();
    return this.stepsMax !== Number.POSITIVE_INFINITY || producedMax !== Number.POSITIVE_INFINITY;
  }

  /** Runs several units under one budget of `stepsMax` steps. @throws TooMuch */
  admitting<Result>(stepsMax: number, run: () => Result): Result {
    const before = this.stepsMax;
    this.#reset();
    this.stepsMax = stepsMax;
    this.isAdmitting = true;
    try {
      return run();
    } finally {
      this.stepsMax = before;
      this.isAdmitting = false;
    }
  }

  /** Runs the commands of a transaction or a script, which are applied one by one, under one budget of `stepsMax` steps. */
  sharing<Result>(run: () => Result, stepsMax = this.stepsMax): Result {
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

  #grant(argv: readonly ByteString[]): void {
    let bytes = 0;
    for (const { length } of argv) bytes += length;
    const steps = STEPS_GRANTED * (argv.length + bytes / BYTES_A_STEP);
    this.#granted += steps;
    this.#grantedToUnit += steps;
  }

  #reset(): void {
    this.steps = 0;
    this.#granted = 0;
  }

  /** Runs a command and counts it, unless its unit has exceeded a budget already. */
  bound(argv: readonly ByteString[], run: (effort: this) => Reply): Reply | TooMuch {
    try {
      this.work(0);
      this.#grant(argv);
      const reply = run(this);
      this.work(itemsOf(reply));
      return reply;
    } catch (problem) {
      if (problem instanceof TooMuch) return problem;
      throw problem;
    }
  }

  /** Counts what is about to be produced. @throws TooMuch */
  produce(elements: number, bytes = 0): void {
    const steps = elements + bytes / BYTES_A_STEP;
    this.produced += steps;
    if (this.produced > this.producedMax + this.#grantedToUnit)
      throw new TooMuch("it would produce too much");
    this.work(steps);
  }

  /** Counts elements and bytes that are about to be read. @throws TooMuch */
  look(elements: number, bytes = 0): void {
    this.work((elements + bytes / BYTES_A_STEP) / LOOKS_A_STEP);
  }

  /** Counts elements that are about to be read into a reply, besides the reply's items. @throws TooMuch */
  answer(elements: number): void {
    this.work(elements * ANSWERED_ELEMENT_STEPS);
  }

  /** Counts steps that produce nothing. @throws TooMuch */
  work(steps: number): void {
    this.steps += steps;
    if (this.steps > this.stepsMax + this.#granted) throw new TooMuch("it would go through too much");
  }
}

/** The counter without budgets, for commands whose effect is as long as their arguments. */
export const UNCOUNTED_EFFORT = new Effort();
