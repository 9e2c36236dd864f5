/**
 * Applies one unit: obtains the verdict of the key ring, checks the conditions, and runs the commands. Usual entries
 * are applied without unit objects (ordinary-entry.ts). Serving, recovery, undo and redo all use this code, so that a
 * unit has the same effect wherever it is applied.
 */

import { implicitCondition } from "../../../protocol/implicit-condition.js";
import { array, error, NIL_ARRAY, type Reply } from "../../../protocol/reply.js";
import {
  conditionsOf,
  type DecidedOutcome,
  type Envelope,
  outcomeAt,
} from "../../../protocol/version-2/envelope.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import type { Database } from "../../store/database.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import { FoldedUnit } from "../../store/keyspace/unit.js";
import type { DecidedPatterns } from "../../store/rights/decided-patterns.js";
import type { KeyRecord } from "../../store/rights/key-record.js";
import type { CommandIndex } from "../../store/rows/command-index.js";
import type { FoldUnit, UnitAnswer } from "./fold-unit.js";
import { INTERNAL, runCommand, runUnit, throwOwn } from "./run-unit.js";
import { errorOf, isVoid, refusedOutcome, VOID, verdictOn } from "./unit-verdict.js";

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

  const refusal = isVoid(unit, patterns) ? VOID : verdictOn(unit, signer, ring);
  unit.isDenied = refusal !== null;
  if (refusal !== null) return answerTo(unit, refusal, refusedOutcome(refusal));
  if (!unit.isRunnable) return answerTo(unit, errorOf(unit), "malformed");

  const { envelope, index } = unit;
  const { decided } = envelope;
  if (decided !== null && envelope.decide)
    return applyDecided(unit, outcomeAt(decided, index), database, records);
  if (envelope.if !== null && !database.holds(envelope.if, envelope.at))
    return answerTo(unit, NIL_ARRAY, "unmet");

  return answerTo(unit, runUnit(unit, database, records), "applied");
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
      ? answerTo(unit, NIL_ARRAY, "unmet")
      : answerTo(unit, implicit.unmet, "applied");

  if (implicit === null) return answerTo(unit, runUnit(unit, database, records), "applied");
  const argv = implicit.unconditional;
  const command = unit.table.resolve(argv);
  if (command instanceof CommandFailure) return answerTo(unit, command.reply, "malformed");

  const folded = new FoldedUnit(unit.entryId, unit.envelope, unit.index);
  const reply = runCommand(database, command, argv, folded, records);

  const isError = reply.kind === "error" || implicit.applied === null;
  return answerTo(unit, isError ? reply : (implicit.applied as Reply), "applied");
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
  return answerTo(unit, UNKNOWN_MEANING, "malformed");
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
  if (refusal !== null) return answerTo(unit, refusal, refusedOutcome(refusal));

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
  return answerTo(unit, isSeveral ? array(replies) : (replies[0] as Reply), "applied");
}

/** Returns the answer to a unit. */
function answerTo({ isLate }: FoldUnit, reply: Reply, outcome: UnitAnswer["outcome"]): UnitAnswer {
  return { reply, outcome, late: isLate };
}
