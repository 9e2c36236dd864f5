/**
 * What a unit costs, counted as it runs: what it produces, and what it goes through besides. Counts, never time: what is
 * produced follows from the state and the unit alone, so that every daemon refuses the same one.
 * Source: docs/decisions/0047-budgets-count-what-is-produced.md.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { CommandFailure } from "../arguments/errors.js";

/** Bytes that count as much as an element. */
export const BYTES_A_STEP = 64;
/** Elements that are only looked at, and count as much as one that is produced. */
export const LOOKS_A_STEP = 16;
/** Steps of a member that goes into a set, a hash or a sorted set, or out of it, where it is looked for. */
export const MEMBER_STEPS = 4;
/** Steps for each element or `BYTES_A_STEP` bytes of the arguments. */
const STEPS_GRANTED = 4;
/** Steps that a unit may produce wherever it is folded, from CLUSTER SEMANTICS 2 on. */
export const PRODUCED_MAX = 16_000_000;
/** Steps that a daemon takes in one go unless `--max-unit-steps` says otherwise. */
export const UNIT_STEPS_DEFAULT = 1_000_000;

/** A unit went beyond a budget. Not a failure of the command: what it has done is still to be undone. */
export class TooMuch extends Error {
  override readonly name = "TooMuch";
}

/** Error reply where a unit is not refused whole. */
export const tooMuch = (): CommandFailure =>
  new CommandFailure(
    "TOOMUCH the command would produce or go through too much in one step: do it in parts, or raise --max-unit-steps",
  );

export class Effort {
  /** Steps of the unit so far, as every daemon counts them. */
  produced = 0;
  /** These, and what this daemon goes through besides. */
  steps = 0;
  producedMax = Number.POSITIVE_INFINITY;
  stepsMax = Number.POSITIVE_INFINITY;

  /** Steps that the arguments so far are worth: what came with a unit is not held against it. */
  #granted = 0;

  /** Whether units run that are not recorded yet: beyond a budget they leave no trace, not even a reply. */
  isAdmitting = false;

  /**
   * Begins another unit; units that are admitted together are counted together.
   * @param producedMax  steps that the unit may produce
   * @returns whether anything bounds the unit
   */
  begin(producedMax: number): boolean {
    this.produced = 0;
    this.producedMax = producedMax;
    if (!this.isAdmitting) this.#reset();
    return this.stepsMax !== Number.POSITIVE_INFINITY || producedMax !== Number.POSITIVE_INFINITY;
  }

  /** Bounds what several units make this daemon go through together. @throws TooMuch */
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

  #grant(argv: readonly ByteString[]): void {
    let bytes = 0;
    for (const { length } of argv) bytes += length;
    this.#granted += STEPS_GRANTED * (argv.length + bytes / BYTES_A_STEP);
  }

  #reset(): void {
    this.steps = 0;
    this.#granted = 0;
  }

  /** Runs a command that is counted, unless its unit is beyond a budget already. @returns its reply, or that it is too much */
  bound(argv: readonly ByteString[], run: (effort: this) => Reply): Reply | TooMuch {
    try {
      this.work(0);
      this.#grant(argv);
      const reply = run(this);
      this.work("items" in reply ? reply.items.length : 1);
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
    if (this.produced > this.producedMax + this.#granted) throw new TooMuch("it would produce too much");
    this.work(steps);
  }

  /** Counts elements and bytes that are about to be looked at. @throws TooMuch */
  look(elements: number, bytes = 0): void {
    this.work((elements + bytes / BYTES_A_STEP) / LOOKS_A_STEP);
  }

  /** Counts steps that are no product. @throws TooMuch */
  work(steps: number): void {
    this.steps += steps;
    if (this.steps > this.stepsMax + this.#granted) throw new TooMuch("it would go through too much");
  }
}

/** Counts for commands whose effect is as long as their arguments; nothing bounds it. */
export const UNCOUNTED_EFFORT = new Effort();
