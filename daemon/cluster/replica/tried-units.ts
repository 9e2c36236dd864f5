/**
 * Runs the units of a group one after the other on the state, and undoes them in the same turn. A group is tried if it
 * contains programs: the commands of a program are known only when it has run after the units before it. The caller
 * then records the commands in a few envelopes, each with one signature. Source: docs/decisions/0067.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { finishReply } from "../../../protocol/lazy-replies.js";
import { type ErrorReply, error, type Reply } from "../../../protocol/reply.js";
import {
  type Choice,
  type Choices,
  COMMANDS_MAX,
  type Envelope,
  NO_CHOICES,
} from "../../../protocol/version-2/envelope.js";
import type { EnvelopeDate } from "../../../protocol/version-2/messages-v2.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import { type Refused, refused } from "../../engine/answers/request.js";
import {
  COMMAND_BYTES_MAX,
  choicesBytes,
  UnitLimits,
  UnitRefused,
  withinLimits,
} from "../../engine/answers/unit-limits.js";
import type { CheckedCommand } from "../../engine/backends/command-path.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import type { Database } from "../../store/database.js";
import { BudgetExceeded, unitRefusal } from "../../store/keyspace/effort-budget.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import type { Unit } from "../../store/keyspace/unit.js";
import { SCRIPT_WEIGHT } from "../../store/read-allowance.js";
import { type Command, isClaim } from "../../store/rows/command-row.js";
import { rowIn } from "../../store/semantics.js";
import { expiryBefore, recordedForm, recordedOf, type TrialState } from "./recorded-choices.js";
import { bytesOfAll, GROUP_BYTES, type Program, type WaitingGroup } from "./waiting-group.js";

/** The outcome of a unit that was tried. */
export type TriedUnit =
  /** It was undone, and is not recorded. */
  | { readonly kind: "refused"; readonly answer: Refused | ErrorReply }
  /** A program that has written nothing. */
  | { readonly kind: "read"; readonly program: Program; readonly reply: Reply }
  | WritingUnit;

/** A unit that is to be recorded. */
export interface WritingUnit {
  readonly kind: "writes";
  readonly db: number;
  readonly commands: Envelope["commands"];
  /** What the commands have chosen, by their indexes in the unit. */
  readonly chosen: Choices;
  /** Bytes of the commands and choices, estimated. */
  readonly bytes: number;
  /** The number of steps that it has used; recorded, it uses no more. */
  steps: number;
  /** The program that has chosen the commands, or null. */
  readonly ran: RanProgram | null;
}

interface RanProgram {
  readonly program: Program;
  readonly calls: readonly CheckedCommand[];
  readonly reply: Reply;
}

export interface TrialOptions {
  readonly state: TrialState;
  /** The date with which the units will be signed, later than everything in the state. */
  readonly date: EnvelopeDate;
  /** Why no write is recorded now; programs that only read are answered nevertheless. */
  readonly refusal: Refused | null;
  /** Whether the remaining units have to wait for a later turn. */
  readonly isOver: () => boolean;
}

/**
 * Tries the units of a group.
 * @returns the outcomes of its first units, at least one; the remaining ones have not run
 */
export function tryUnits(group: WaitingGroup, options: TrialOptions): readonly TriedUnit[] {
  const { database, unitId: randomUnitId } = options.state;
  const entryId = randomUnitId().slice(0, ENTRY_ID_BYTES);
  const tried: TriedUnit[] = [];
  let commandsBefore = 0;
  database.tryOut(Number.POSITIVE_INFINITY, (records) => {
    const { state, date, refusal, isOver } = options;
    const { db } = group.head;
    const trial: Trial = { state, date, refusal, isOver, db, id: "", unit: [], records };
    const run = () => ("run" in trial.unit ? ofProgram(trial.unit, trial) : ofCommands(trial.unit, trial));
    for (const unit of group.units()) {
      if (tried.length > 0 && isOver()) return;
      const before = records.length;
      trial.id = unitId(entryId, commandsBefore);
      trial.unit = unit;
      const outcome = outcomeOf(run, options.state);
      if (outcome.kind === "writes") commandsBefore += outcome.commands.length;
      else database.undo(records.splice(before));
      tried.push(outcome);
    }
  });

  return tried;
}

const ENTRY_ID_BYTES = 32;

interface Trial extends TrialOptions {
  /** The id of the current unit in this trial. */
  id: ByteString;
  unit: Program | Envelope["commands"];
  /** The database of the units that are commands. */
  readonly db: number;
  /** Receives the undo records. */
  readonly records: UndoRecord[];
}

function outcomeOf(run: () => TriedUnit, { database, stepsMax }: TrialState): TriedUnit {
  try {
    const outcome = database.withBudget(stepsMax, () => database.readingTogether(run, SCRIPT_WEIGHT));
    if (outcome.kind !== "writes") return outcome;
    if (outcome.bytes > COMMAND_BYTES_MAX) return refusing(takesTooMuch(outcome.bytes));
    outcome.steps = database.stepsUsed;
    return outcome;
  } catch (problem) {
    if (problem instanceof UnitRefused || problem instanceof CommandFailure) return refusing(problem.reply);
    if (problem instanceof BudgetExceeded) return refusing(refused("too-much", "on this daemon's state"));
    throw problem;
  }
}

const refusing = (answer: Refused | ErrorReply): TriedUnit => ({ kind: "refused", answer });

/** @throws UnitRefused */
function ofProgram(program: Program, { state: { database }, refusal, date, id, records }: Trial): TriedUnit {
  const run = new TrialRun(database, { date, id }, program, records);
  const reply = run.run();
  const { calls, db, choices: chosen } = run;
  if (refusal !== null && run.mayWrite) return refusing(refusal);
  if (calls.length === 0) return { kind: "read", program, reply };
  const commands = calls.map(({ argv }) => argv);
  return writing(commands, db, chosen, { program, calls, reply });
}

/** @throws BudgetExceeded */
function ofCommands(
  commands: Envelope["commands"],
  { state: { database }, refusal, date: { at, seq }, db, id, records }: Trial,
): TriedUnit {
  if (refusal !== null) return refusing(refusal);

  const rows: Command[] = [];
  for (const argv of commands) {
    const command = database.table.resolve(argv);
    // The fold refuses the complete unit.
    if (command instanceof CommandFailure) return writing(commands, db, NO_CHOICES);
    rows.push(command);
  }

  const recorded = [...commands];
  const choices = new Map<number, Choice>();
  const expiries = new Map<number, number>();
  for (const [step, command] of rows.entries()) {
    if (!command.writes) continue;
    const argv = commands[step] as readonly ByteString[];
    const expiry = expiryBefore(database, command, argv, { db, at });
    if (expiry !== undefined) expiries.set(step, expiry);
    const taken = isClaim(command, argv) ? [] : undefined;
    const reply = finishReply(database.run(command, argv, { at, seq, db, id, step, taken }, records));
    // The units after it may read the id that it chooses, which would be another one in the envelope.
    recorded[step] = recordedForm(command, argv, reply) ?? argv;
    if (taken !== undefined) choices.set(step, taken);
  }
  return writing(recorded, db, recordedOf(choices, expiries));
}

function writing(
  commands: Envelope["commands"],
  db: number,
  chosen: Choices,
  ran: RanProgram | null = null,
): WritingUnit {
  const bytes = bytesOfAll(commands) + choicesBytes(chosen);
  return { kind: "writes", db, commands, chosen, bytes, steps: 0, ran };
}

/** Units that are recorded as one envelope. */
export interface TriedEnvelope {
  readonly db: number;
  /** The indexes of the units in the group. */
  readonly indexes: number[];
  readonly units: WritingUnit[];
  readonly commands: Envelope["commands"][number][];
  readonly choices: Map<number, Choice>;
  readonly expiries: Map<number, number>;
  bytes: number;
  steps: number;
}

/** Divides the units that have written into envelopes. @param stepsMax  the maximum number of steps of an envelope */
export function envelopesOf(tried: readonly TriedUnit[], stepsMax: number): readonly TriedEnvelope[] {
  const envelopes: TriedEnvelope[] = [];
  for (const [index, unit] of tried.entries()) {
    if (unit.kind !== "writes") continue;
    let envelope = envelopes.at(-1);
    if (envelope === undefined || !hasRoom(envelope, unit, stepsMax)) {
      const [choices, expiries] = [new Map(), new Map()];
      envelope = { db: unit.db, indexes: [], units: [], commands: [], choices, expiries, bytes: 0, steps: 0 };
      envelopes.push(envelope);
    }
    const first = envelope.commands.length;
    for (const argv of unit.commands) envelope.commands.push(argv);
    for (const [step, choice] of unit.chosen.choices ?? []) envelope.choices.set(first + step, choice);
    for (const [step, expiry] of unit.chosen.expiries ?? []) envelope.expiries.set(first + step, expiry);
    envelope.indexes.push(index);
    envelope.units.push(unit);
    envelope.bytes += unit.bytes;
    envelope.steps += unit.steps;
  }
  return envelopes;
}

const hasRoom = (envelope: TriedEnvelope, unit: WritingUnit, stepsMax: number): boolean =>
  envelope.db === unit.db &&
  envelope.commands.length + unit.commands.length <= COMMANDS_MAX &&
  envelope.bytes + unit.bytes <= GROUP_BYTES &&
  envelope.steps + unit.steps <= stepsMax;

export const takesTooMuch = (bytes: number): Refused =>
  refused("command-too-long", `signed with what it takes, it takes ${bytes} bytes: request less at once`);

const ONE_DATABASE = error(
  "ERR nothing was done, because a script or transaction that is recorded can write to only one database",
);

/** The position of a unit that is tried. Its final id is not known yet, so `id` is another id of the same form. */
interface UnitPosition {
  readonly date: EnvelopeDate;
  readonly id: ByteString;
}

/**
 * A run of a program's commands on the state, within a trial of several units whose changes the caller undoes in the
 * same turn. The caller then records the commands as one unit, so that the fold never has to run the program. The
 * recorded commands contain the results of random choices, so they have the same effect whenever they are folded. If
 * the program exceeds a limit, the caller records nothing.
 */
class TrialRun {
  readonly #database: Database;
  readonly #position: UnitPosition;
  readonly #program: Program;
  readonly #records: UndoRecord[];
  #choices: Map<number, Choice> | null = null;
  #expiries: Map<number, number> | null = null;
  readonly #calls: CheckedCommand[] = [];
  readonly #limits = new UnitLimits();
  #mayWrite = false;
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

  /** Whether it has run a command that may write, also if this has changed nothing. */
  get mayWrite(): boolean {
    return this.#mayWrite;
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
    return finishReply(this.#program.run((command, argv, db) => this.#runCommand(command, argv, db)));
  }

  #runCommand(newest: Command, argv: readonly ByteString[], db: number): Reply {
    const { table } = this.#database;
    // Look up the command again: programs use the newest table, but the fold uses the table that is valid at the unit's
    // position.
    const command = rowIn(table, newest, argv);
    if (command instanceof CommandFailure) return command.reply;
    if (!command.writes) return this.#bounded(command, argv, db);
    this.#mayWrite = true;
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
      return withinLimits(finishReply(this.#database.run(command, argv, unit, this.#records)));
    } catch (problem) {
      if (problem instanceof BudgetExceeded) throw new UnitRefused(unitRefusal(problem, command).reply);
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
