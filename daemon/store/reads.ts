/**
 * Runs the reads of a database within their limits. A read alone has its own budget. The reads of a transaction or
 * script share one count, and so do those of a recorded envelope.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import {
  BudgetExceeded,
  EffortBudget,
  readsExceeded,
  UNCOUNTED_EFFORT,
  UnitReadsExceeded,
} from "./keyspace/effort-budget.js";
import type { Keyspace } from "./keyspace/keyspace.js";
import type { Unit } from "./keyspace/unit.js";
import {
  allowanceOf,
  FoldedReads,
  READ_LIMITS_DEFAULT,
  READ_STEPS,
  ReadCount,
  type ReadLimits,
  type Reads,
} from "./read-allowance.js";
import type { Command } from "./rows/command-row.js";

type Argv = readonly ByteString[];
/** Applies a read. @throws BudgetExceeded if it exceeds the budget */
type Apply = (command: Command, argv: Argv, unit: Unit, effort: EffortBudget) => Reply;

/** The allowance of a read in a transaction or script: it gets no steps beyond those left in the shared count. */
const NO_EXTRA_STEPS = (): number => 0;

export class LimitedReads {
  /** The limits for all reads of a transaction, a script, or a recorded envelope. They may change at any time. */
  limits: ReadLimits = READ_LIMITS_DEFAULT;
  readonly #apply: Apply;
  /** Counts the steps of the current read, or of all reads of a read-only unit. */
  readonly #effort = new EffortBudget();
  /** The current read, or the reads of the current unit, from which the allowance follows. */
  readonly #reads: { -readonly [Name in keyof Reads]: Reads[Name] } = { command: [], argv: [], db: 0 };
  /** Returns the steps that the current reads may take because of the sizes of the values that they name. */
  readonly #allowance: () => number;
  /** The count of the reads of the current transaction or script, or null. */
  #sharedCount: ReadCount | null = null;
  readonly #folded = new FoldedReads();

  constructor(keyspaces: readonly Keyspace[], apply: Apply) {
    this.#apply = apply;
    this.#allowance = () => allowanceOf(this.#reads, keyspaces);
  }

  /** Begins the count of a read, or of all reads of a unit. */
  begin(command: Command | readonly Command[], argv: Reads["argv"], db: number): void {
    this.#reads.command = command;
    this.#reads.argv = argv;
    this.#reads.db = db;
    this.#effort.beginReads(READ_STEPS, this.#allowance);
  }

  /**
   * Runs a command that changes nothing, after `begin`, and counts its steps unless it counts them itself. Returns an
   * error reply if a read alone exceeds its budget.
   * @throws UnitReadsExceeded  the reads of the transaction or script exceed the limits
   */
  run(command: Command, argv: Argv, unit: Unit): Reply {
    if (this.#sharedCount !== null) return this.#runInUnit(command, argv, unit, this.#sharedCount);
    // Only the fold, which applies recorded envelopes, sets `seq`.
    if (unit.seq === undefined) return this.#runAlone(command, argv, unit);
    return this.runInFold(argv, unit, this.#effort, () => this.#runAlone(command, argv, unit));
  }

  /**
   * Runs a read of a recorded envelope, unless the envelope's earlier reads have exceeded the limits.
   * @param effort  counts the steps of the read, in addition to earlier ones
   */
  runInFold(argv: Argv, unit: Unit, effort: EffortBudget, run: () => Reply): Reply {
    const { steps } = effort;
    return this.#folded.count(argv, unit, this.limits, () => ({
      reply: run(),
      // Read after `run` has counted the read's steps.
      get steps() {
        return effort.steps - steps;
      },
    }));
  }

  /**
   * Runs a transaction or a script, whose reads share one count. A unit within a unit is part of it.
   * @param weight  the factor of the steps of the reads
   */
  readingTogether<Result>(run: () => Result, weight: number): Result {
    const outer = this.#sharedCount;
    const count = outer ?? new ReadCount(this.limits);
    const { weight: before } = count;
    count.weight = weight;
    this.#sharedCount = count;
    try {
      return run();
    } finally {
      count.weight = before;
      this.#sharedCount = outer;
    }
  }

  /** Runs a read of a transaction or script. @throws UnitReadsExceeded */
  #runInUnit(command: Command, argv: Argv, unit: Unit, count: ReadCount): Reply {
    const effort = this.#effort;
    effort.beginReads(count.stepsLeft, NO_EXTRA_STEPS);
    try {
      const reply = this.#apply(command, argv, unit, command.countsOwnSteps ? UNCOUNTED_EFFORT : effort);
      count.add(effort.steps, argv, reply);
      if (!count.isExceeded) return reply;
    } catch (problem) {
      if (!(problem instanceof BudgetExceeded)) throw problem;
    }
    throw new UnitReadsExceeded("its reads would take too much");
  }

  /** Runs a read within its own budget, and returns an error reply if it exceeds it. */
  #runAlone(command: Command, argv: Argv, unit: Unit): Reply {
    if (command.countsOwnSteps) return this.#apply(command, argv, unit, UNCOUNTED_EFFORT);
    try {
      return this.#apply(command, argv, unit, this.#effort);
    } catch (problem) {
      if (!(problem instanceof BudgetExceeded)) throw problem;
      return readsExceeded().reply;
    }
  }
}
