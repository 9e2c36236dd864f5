/** Runs the reads of a database within their limits: alone, in a transaction or script, and in a recorded envelope. */
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

/** The allowance of reads whose unit has a budget. */
const NOTHING_MORE = (): number => 0;

export class LimitedReads {
  /** The limits for all reads of a transaction, a script, or a recorded envelope. */
  limits: ReadLimits = READ_LIMITS_DEFAULT;
  readonly #apply: Apply;
  /** The count of the reads that run now, unless they are in a unit that writes. */
  readonly #effort = new EffortBudget();
  readonly #reads: { -readonly [Name in keyof Reads]: Reads[Name] } = { command: [], argv: [], db: 0 };
  readonly #allowance: () => number;
  /** The count of the reads of the transaction or script that runs now, or null. */
  #unit: ReadCount | null = null;
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

  /** Runs a command that changes nothing, and counts its steps unless it counts them itself. */
  run(command: Command, argv: Argv, unit: Unit): Reply {
    if (this.#unit !== null) return this.#runInUnit(command, argv, unit, this.#unit);
    if (unit.seq === undefined) return this.#runAlone(command, argv, unit);
    const effort = this.#effort;
    return this.runInFold(argv, unit, effort, () => this.#runAlone(command, argv, unit));
  }

  /**
   * Runs a read of a recorded envelope, unless the envelope's earlier reads have exceeded the limits.
   * @param effort  counts the steps of the read
   */
  runInFold(argv: Argv, unit: Unit, effort: EffortBudget, run: () => Reply): Reply {
    const { steps } = effort;
    return this.#folded.count(argv, unit, this.limits, () => ({
      reply: run(),
      get steps() {
        return effort.steps - steps;
      },
    }));
  }

  /** Runs a transaction or a script. @see Database.readingTogether */
  together<Result>(run: () => Result, weight: number): Result {
    const outer = this.#unit;
    const count = outer ?? new ReadCount(this.limits);
    const { weight: before } = count;
    count.weight = weight;
    this.#unit = count;
    try {
      return run();
    } finally {
      count.weight = before;
      this.#unit = outer;
    }
  }

  /** Runs a read of a transaction or script. @throws UnitReadsExceeded */
  #runInUnit(command: Command, argv: Argv, unit: Unit, count: ReadCount): Reply {
    const effort = this.#effort;
    effort.beginReads(count.stepsLeft, NOTHING_MORE);
    try {
      const reply = this.#apply(command, argv, unit, command.countsOwnSteps ? UNCOUNTED_EFFORT : effort);
      count.add(effort.steps, argv, reply);
      if (!count.isExceeded) return reply;
    } catch (problem) {
      if (!(problem instanceof BudgetExceeded)) throw problem;
    }
    throw new UnitReadsExceeded("its reads would take too much");
  }

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
