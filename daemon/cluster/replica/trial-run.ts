/**
 * Runs a program's commands on the state, within a trial of several units whose changes the caller undoes in the same
 * turn. The caller then records the commands as one unit, so that the fold never has to run the program. The recorded
 * commands contain the results of random choices, so they have the same effect whenever they are folded. If the program
 * exceeds a limit, the caller records nothing.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { error, type Reply } from "../../../protocol/reply.js";
import { withItemsFound } from "../../../protocol/step-reply.js";
import type { Choice, Choices } from "../../../protocol/version-2/envelope.js";
import type { EnvelopeDate } from "../../../protocol/version-2/messages-v2.js";
import { UnitLimits, UnitRefused, withinLimits } from "../../engine/answers/unit-limits.js";
import type { CheckedCommand } from "../../engine/backends/checked-command.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import type { Database } from "../../store/database.js";
import { BudgetExceeded, budgetExceeded } from "../../store/keyspace/effort-budget.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import type { Unit } from "../../store/keyspace/unit.js";
import { type Command, isClaim } from "../../store/rows/command-row.js";
import { rowIn } from "../../store/semantics.js";
import { expiryBefore, recordedForm } from "./recorded-choices.js";
import type { Program } from "./waiting-group.js";

const ONE_DATABASE = error(
  "ERR nothing was done, because a script or transaction that is recorded can write to only one database",
);

/** The position of a unit that is tried. Its final id is not known yet, so `id` is another id of the same form. */
export interface UnitPosition {
  readonly date: EnvelopeDate;
  readonly id: ByteString;
}

export class TrialRun {
  readonly #database: Database;
  readonly #position: UnitPosition;
  readonly #program: Program;
  readonly #records: UndoRecord[];
  #choices: Map<number, Choice> | null = null;
  #expiries: Map<number, number> | null = null;
  readonly #calls: CheckedCommand[] = [];
  readonly #limits = new UnitLimits();
  /** The number of the database that the commands write to, or null if no command has written yet. */
  #db: number | null = null;

  /**
   * @param position  the position whose id seeds random choices and ids
   * @param records   receives the undo records of the commands
   */
  constructor(database: Database, position: UnitPosition, program: Program, records: UndoRecord[]) {
    this.#database = database;
    this.#position = position;
    this.#program = program;
    this.#records = records;
  }

  /** The commands that have changed something, in order. */
  get calls(): readonly CheckedCommand[] {
    return this.#calls;
  }

  get db(): number {
    return this.#db ?? this.#program.sender.db;
  }

  /** What the commands in `calls` have chosen. */
  get choices(): Choices {
    return { choices: this.#choices, expiries: this.#expiries };
  }

  /** Runs the program. @throws UnitRefused  the program exceeds a limit */
  run(): Reply {
    return withItemsFound(this.#program.run((command, argv, db) => this.#runCommand(command, argv, db)));
  }

  #runCommand(newest: Command, argv: readonly ByteString[], db: number): Reply {
    const { table } = this.#database;
    // Look up the command again: programs use the newest table, but the fold uses the table that is valid at the unit's
    // position.
    const command = rowIn(table, newest, argv);
    if (command instanceof CommandFailure) return command.reply;
    if (!command.writes) return this.#bounded(command, argv, db);
    if (this.#db !== null && this.#db !== db) throw new UnitRefused(ONE_DATABASE);
    const before = this.#records.length;
    const taken = isClaim(command, argv) ? [] : undefined;
    const expiry = expiryBefore(this.#database, command, argv, { db, at: this.#position.date.at });
    const reply = this.#bounded(command, argv, db, taken);
    if (this.#records.length === before && !isSetAgain(command, argv, reply)) return reply;
    this.#db = db;
    if (taken !== undefined) (this.#choices ??= new Map()).set(this.#calls.length, taken);
    if (expiry !== undefined) (this.#expiries ??= new Map()).set(this.#calls.length, expiry);
    const recorded = recordedForm(command, argv, reply);
    this.#limits.add(recorded ?? argv);
    this.#calls.push(
      recorded === null ? { command, argv } : { command: table.resolve(recorded) as Command, argv: recorded },
    );
    return reply;
  }

  #bounded(command: Command, argv: readonly ByteString[], db: number, taken?: ByteString[]): Reply {
    try {
      const unit = this.#unit(db, taken);
      return withinLimits(withItemsFound(this.#database.run(command, argv, unit, this.#records)));
    } catch (problem) {
      if (problem instanceof BudgetExceeded) throw new UnitRefused(budgetExceeded(command).reply);
      throw problem;
    }
  }

  #unit(db: number, taken: ByteString[] | undefined): Unit {
    const { date, id } = this.#position;
    const { at, seq } = date;
    const { readsAll, encoding } = this.#program.sender;
    return { at, seq, db, id, step: this.#calls.length, readsAll, encoding, taken };
  }
}

/** Whether a call that has changed nothing is recorded. */
const isSetAgain = ({ setsAgain }: Command, argv: readonly ByteString[], reply: Reply): boolean =>
  reply.kind !== "error" && (typeof setsAgain === "function" ? setsAgain(argv, reply) : setsAgain === true);
