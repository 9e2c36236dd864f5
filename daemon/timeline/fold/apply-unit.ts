/**
 * Applies one unit: obtains the verdict of the key ring, checks the conditions, and runs the commands. Usual entries
 * are applied without unit objects (`applyOrdinary`). Serving, recovery, undo and redo all use this code, so that a
 * unit has the same effect wherever it is applied.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { implicitCondition } from "../../../protocol/implicit-condition.js";
import { finishReply } from "../../../protocol/lazy-replies.js";
import { array, type ErrorReply, error, NIL_ARRAY, OK, type Reply } from "../../../protocol/reply.js";
import {
  conditionsOf,
  type DecidedOutcome,
  type Envelope,
  needsDaemon,
  outcomeAt,
} from "../../../protocol/version-2/envelope.js";
import { CommandFailure, dbIndexOutOfRange } from "../../store/arguments/command-errors.js";
import type { Database } from "../../store/database.js";
import type { KeyRing } from "../../store/key-ring.js";
import { BudgetExceeded } from "../../store/keyspace/effort-budget.js";
import { throwOutOfMemory } from "../../store/keyspace/out-of-memory.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import { FoldedUnit, type Unit } from "../../store/keyspace/unit.js";
import type { DecidedPatterns } from "../../store/rights/decided-patterns.js";
import { type KeyRecord, validity } from "../../store/rights/key-record.js";
import { MissingCode } from "../../store/rows/command-families.js";
import type { CommandIndex } from "../../store/rows/command-index.js";
import type { Command } from "../../store/rows/command-row.js";
import { isDenied, type JudgedUnit, refusalOf } from "../../store/unit-permission.js";
import type { Entry } from "../entries/entry.js";
import type { BetweenUnits } from "./entry-batch.js";
import type { FoldUnit, UnitAnswer } from "./fold-unit.js";
import type { Undoing } from "./tail.js";
import { isVoid, VOID } from "./void-units.js";

/** Our own error instead of the engine's message, which differs between versions. */
const INTERNAL = error("ERR internal error, and nothing was changed");
const TOO_MUCH = error(
  "TOOMUCH the command would produce or read more than the members of the list run in one step: split it",
);
const UNKNOWN_MEANING = error("ERR this release does not know the semantics version at this position");

/** The signer and the command table at a unit's position. */
export interface UnitContext {
  /** The signer's record. */
  readonly signer: KeyRecord | undefined;
  /** The table of commands, or null if this release does not know the semantics version. */
  readonly table: CommandIndex | null;
  /** The patterns whose keys only decided units may write. */
  readonly decided: DecidedPatterns;
}

/**
 * Applies a unit that is not for the key ring.
 * @param records  empty; receives the undo records of the unit
 * @throws OutOfMemory, MissingCode  the unit may be partly applied, and the caller discards the state
 * @throws BudgetExceeded   the unit is not recorded yet, and exceeds the daemon's budget; nothing of it is applied
 */
export function applyUnit(
  unit: FoldUnit,
  { signer, table, decided: patterns }: UnitContext,
  ring: KeyRing,
  database: Database,
  records: UndoRecord[],
): UnitAnswer {
  if (table === null) return unknownMeaning(unit);
  unit.setTable(table);

  const isVoidUnit = unit.isRunnable && isVoid(unit, patterns);
  const refusal = verdictOn(unit, signer, ring) ?? (isVoidUnit ? VOID : null);
  unit.isDenied = refusal !== null;
  if (refusal !== null) return answer(refusal, isDenied(refusal) ? "denied" : "malformed", unit);
  if (!unit.isRunnable) return answer(errorOf(unit), "malformed", unit);
  const { envelope, index } = unit;
  const { decided } = envelope;
  if (decided?.outcomes[0] === "too-much") return answer(TOO_MUCH, "too-much", unit);
  if (decided !== null && envelope.decide)
    return applyDecided(unit, outcomeAt(decided, index), database, records);
  if (envelope.if !== null && !database.holds(envelope.if, envelope.at))
    return answer(NIL_ARRAY, "unmet", unit);
  return answer(run(unit, database, records), "applied", unit);
}

/**
 * Applies a unit on whose outcome the members have decided. Its conditions are not evaluated: entries with earlier
 * dates may have arrived since the decision.
 */
function applyDecided(
  unit: FoldUnit,
  outcome: DecidedOutcome,
  database: Database,
  records: UndoRecord[],
): UnitAnswer {
  const implicit = unit.command === null ? null : implicitCondition(unit.argv);
  if (outcome === "unmet")
    return implicit === null || conditionsOf(unit.envelope, unit.index) !== null
      ? answer(NIL_ARRAY, "unmet", unit)
      : answer(implicit.unmet, "applied", unit);
  if (implicit === null) return answer(run(unit, database, records), "applied", unit);
  const argv = implicit.unconditional;
  const command = unit.table.resolve(argv);
  if (command instanceof CommandFailure) return answer(command.reply, "malformed", unit);
  const folded = new FoldedUnit(unit.entryId, unit.envelope, unit.index);
  const reply = runCommand(database, command, argv, folded, records);

  const isError = reply.kind === "error" || implicit.applied === null;
  return answer(isError ? reply : (implicit.applied as Reply), "applied", unit);
}

/** Whether the conditions of the unit with an index hold, for the decision on it. */
export function conditionsHold(envelope: Envelope, index: number, database: Database): boolean {
  const { commands, at, db, multi } = envelope;
  const conditions = conditionsOf(envelope, index);
  if (conditions !== null && !database.holds(conditions, at)) return false;
  const implicit = multi ? null : implicitCondition(commands[index] ?? []);
  if (implicit === null) return true;
  const reply = database.execute(implicit.check, { at, db, id: "" });
  // If the key has another type, the command's own error is the answer.
  return reply.kind !== "integer" || Number(reply.value) > 0 === implicit.expected > 0;
}

/**
 * Returns the answer of a unit whose semantics version this release does not know: the state does not change, and no
 * client receives this answer.
 */
export function unknownMeaning(unit: FoldUnit): UnitAnswer {
  unit.isDenied = false;
  return answer(UNKNOWN_MEANING, "malformed", unit);
}

/**
 * Returns the error of a unit that is not permitted or cannot be run, judged by its current command table; null if the
 * unit may be run.
 */
export function verdictOn(unit: FoldUnit, signer: KeyRecord | undefined, ring: KeyRing) {
  const { key, at } = unit.envelope;
  const conditions = conditionsOf(unit.envelope, unit.index);
  if (signer !== undefined && isPlainlyPermitted(unit, signer)) return null;
  const { commands } = unit;
  const judged: JudgedUnit = { key, at, commands, conditions, needsDaemon: needsDaemon(unit.envelope) };
  return refusalOf(judged, signer, ring, unit.table);
}

/**
 * Whether a unit is the usual case, which needs no further check by the ring: one permitted command on data, or several
 * commands of a key that may do everything, and no conditions.
 */
function isPlainlyPermitted(unit: FoldUnit, signer: KeyRecord): boolean {
  const { kind, command, envelope } = unit;
  const { role, acl } = signer;
  if ((kind !== "data" && kind !== "read") || !unit.isRunnable) return false;
  if (conditionsOf(envelope, unit.index) !== null) return false;
  if (needsDaemon(envelope) && role !== "daemon") return false;
  if (validity(signer, envelope.at) !== "valid") return false;
  return command === null ? acl.isUnlimited : acl.denial(command, unit.argv) === null;
}

/** Applies a unit for the ring. @param ring  the ring before the unit */
export function applyToRing(unit: FoldUnit, ring: KeyRing): UnitAnswer {
  const { envelope, commands } = unit;
  const { key, at, db } = envelope;
  ring.named.addOf(commands);

  // If this release does not know the semantics version, it may not know all names in the unit's rules either.
  if (ring.table === null) return unknownMeaning(unit);
  unit.setTable(ring.table);

  const known = ring.find(key);
  const refusal = verdictOn(unit, known, ring);
  unit.isDenied = refusal !== null;
  if (refusal !== null) return answer(refusal, isDenied(refusal) ? "denied" : "malformed", unit);
  const signer = known ?? (ring.introduction(commands, key, at) as KeyRecord);
  const replies = commands.map((argv) => {
    try {
      return ring.execute(argv, { at, db, id: unit.id, isDecided: envelope.decided !== null }, signer);
    } catch (problem) {
      throwOwn(problem);
      return INTERNAL;
    }
  });

  const isSeveral = envelope.multi || replies.length > 1;
  return answer(isSeveral ? array(replies) : (replies[0] as Reply), "applied", unit);
}

function answer(reply: Reply, outcome: UnitAnswer["outcome"], { isLate }: FoldUnit): UnitAnswer {
  return { reply, outcome, late: isLate };
}

function run(unit: FoldUnit, database: Database, records: UndoRecord[]): Reply {
  const { envelope, command } = unit;
  if (command !== null) {
    const folded = new FoldedUnit(unit.entryId, envelope, unit.index);
    return runCommand(database, command, unit.argv, folded, records);
  }
  const { at, db, seq, choices, expiries } = envelope;
  try {
    const { id, index, entryId } = unit;
    const origin = { at, db, id, envelope: entryId, index, seq, choices, expiries };
    return database.executeMulti(unit.commands, origin, records, unit.table);
  } catch (problem) {
    throwOwn(problem);
    return undo(database, records, problem);
  }
}

/**
 * Runs a command that is a complete unit.
 * @param records  empty; receives its undo records
 * @throws OutOfMemory, MissingCode  the unit may be partly applied, and the caller discards the state
 * @throws BudgetExceeded   the unit is not recorded yet, and exceeds the daemon's budget; nothing is changed
 */
export function runCommand(
  database: Database,
  command: Command,
  argv: readonly ByteString[],
  origin: Unit,
  records: UndoRecord[],
): Reply {
  try {
    // Complete the reply now, so that later units cannot change it.
    return finishReply(database.run(command, argv, origin, records));
  } catch (problem) {
    throwOwn(problem);
    return undo(database, records, problem);
  }
}

/**
 * Rethrows a problem of this daemon alone: other daemons apply the unit, so it must not be answered with an error.
 * @throws OutOfMemory, MissingCode
 */
function throwOwn(problem: unknown): void {
  if (problem instanceof MissingCode) throw problem;
  throwOutOfMemory(problem);
}

/**
 * Undoes a unit that failed, because no other daemon would have the state after a part of a unit.
 * @throws BudgetExceeded  if `problem` is a `BudgetExceeded`
 */
function undo(database: Database, records: UndoRecord[], problem: unknown): Reply {
  database.undo(records);
  records.length = 0;
  if (problem instanceof BudgetExceeded) throw problem;
  return INTERNAL;
}

/** Removes a unit's records from the array. @returns the records; a single record is returned without an array */
export function takeRecords(records: UndoRecord[]): UndoRecord | UndoRecord[] | null {
  // They are removed one by one, so that the array retains its capacity.
  if (records.length <= 1) return records.pop() ?? null;
  const taken = records.slice();
  while (records.length > 0) records.pop();
  return taken;
}

/** Returns the error of a permitted unit that cannot be run. */
function errorOf(unit: FoldUnit): Reply {
  for (const argv of unit.commands) {
    const command = unit.table.resolve(argv);
    if (command instanceof CommandFailure) return command.reply;
  }
  return dbIndexOutOfRange().reply;
}

/** The result of an entry's units. */
export interface AppliedEntry {
  readonly answers: readonly UnitAnswer[];
  readonly undoing: Undoing[];
  /** The number of units that may change data. */
  readonly count: number;
}

/** The state that an entry is applied to. */
interface State {
  readonly ring: KeyRing;
  readonly database: Database;
  /** Empty before and after each unit. */
  readonly records: UndoRecord[];
  /** Called after each unit, or null. */
  readonly between: BetweenUnits | null;
}

/**
 * Applies the usual kind of entry: each of its commands is a separate unit, and it comes after all applied entries. The
 * commands are applied directly, without unit objects, at half the cost. Unit objects are created only if an entry
 * arrives later that belongs before this entry.
 * @param commands  the entry's commands, from `ordinaryCommands`
 */
export function applyOrdinary(entry: Entry, commands: readonly Command[], state: State): AppliedEntry {
  const { ring, database, records, between } = state;
  const { commands: argvs, key, at } = entry.envelope;
  const isForDaemons = needsDaemon(entry.envelope);
  const signer = ring.find(key);
  const isValid = signer !== undefined && validity(signer, at) === "valid";
  const acl = isValid && (!isForDaemons || signer.role === "daemon") ? signer.acl : null;
  const answers = new Array<UnitAnswer>(commands.length);
  const undoing = new Array<Undoing>(commands.length);
  // One object is reused for all commands.
  const unit = new FoldedUnit(entry.id, entry.envelope, 0);
  let count = 0;
  for (let i = 0; i < commands.length; i++) {
    const command = commands[i] as Command;
    const argv = argvs[i] as (typeof argvs)[number];
    if (command.writes) count++;
    const isPermitted = acl !== null && acl.denial(command, argv) === null;
    const refusal = isPermitted
      ? null
      : refusalOf({ key, at, commands: [argv], conditions: null, needsDaemon: isForDaemons }, signer, ring);
    if (refusal === null) {
      unit.index = i;
      const reply = command.isLinear
        ? runCommand(database, command, argv, unit, records)
        : runOrUndo(() => runCommand(database, command, argv, unit, records), database, undoing);
      answers[i] = reply === OK ? APPLIED_OK : applied(reply);
      undoing[i] = takeRecords(records);
    } else {
      answers[i] = refused(refusal);
      undoing[i] = "denied";
    }
    between?.(i + 1);
  }
  return { answers, undoing, count };
}

/** @param undoing  the undo records of the preceding commands, which are undone with this one @throws BudgetExceeded */
function runOrUndo(run: () => Reply, database: Database, undoing: readonly Undoing[]): Reply {
  try {
    return run();
  } catch (problem) {
    if (problem instanceof BudgetExceeded)
      for (const one of undoing.toReversed())
        if (one !== undefined && one !== null && one !== "denied")
          database.undo(Array.isArray(one) ? one : [one]);
    throw problem;
  }
}

const applied = (reply: Reply): UnitAnswer => ({ reply, outcome: "applied", late: false });

/** The answer of each SET; one object is shared. */
const APPLIED_OK = applied(OK);

const refused = (reply: ErrorReply): UnitAnswer => ({
  reply,
  outcome: isDenied(reply) ? "denied" : "malformed",
  late: false,
});
