/** Decides whether a unit may be run at its position: by the key ring, the decided keys and the command table there. */

import { type ErrorReply, error, type Reply } from "../../../protocol/reply.js";
import { conditionsOf, type Envelope, needsDaemon } from "../../../protocol/version-2/envelope.js";
import { CommandFailure, dbIndexOutOfRange } from "../../store/arguments/command-errors.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { DecidedPatterns } from "../../store/rights/decided-patterns.js";
import { type KeyRecord, validity } from "../../store/rights/key-record.js";
import { isDenied, type JudgedUnit, refusalOf } from "../../store/unit-permission.js";
import type { FoldUnit, UnitAnswer } from "./fold-unit.js";

/** The error of a void unit. */
export const VOID = error(
  "NOPERM this write is void: the members decide on its keys, and have not decided on it (CLUSTER DECIDE)",
);

/**
 * Whether a unit writes a decided key without a decision. Daemons send no such unit: this one is from before a folder
 * was restored, or from a member that lies.
 */
export function isVoid({ envelope, commands, table }: FoldUnit, { begun }: DecidedPatterns): boolean {
  if (begun.isEmpty || envelope.decided !== null) return false;
  return begun.findIn({ commands, db: envelope.db }, { table }) !== null;
}

/** Whether an answer is that of a void unit. */
export const isVoidAnswer = ({ reply }: UnitAnswer): boolean => reply === VOID;

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
  if ((kind !== "data" && kind !== "read") || !unit.isRunnable) return false;
  if (conditionsOf(envelope, unit.index) !== null) return false;
  const rights = usualRights(envelope, signer);
  if (rights === null) return false;
  return command === null ? rights.isUnlimited : rights.denial(command, unit.argv) === null;
}

/** Returns the rights of a key that may sign an envelope at its date; null if the ring has to decide on it. */
export function usualRights(envelope: Envelope, signer: KeyRecord): KeyRecord["acl"] | null {
  if (needsDaemon(envelope) && signer.role !== "daemon") return null;
  return validity(signer, envelope.at) === "valid" ? signer.acl : null;
}

/** Returns the outcome of a unit that is answered with an error of `verdictOn`. */
export const refusedOutcome = (refusal: ErrorReply): "denied" | "malformed" =>
  isDenied(refusal) ? "denied" : "malformed";

/** Returns the error of a permitted unit that cannot be run. */
export function errorOf(unit: FoldUnit): Reply {
  for (const argv of unit.commands) {
    const command = unit.table.resolve(argv);
    if (command instanceof CommandFailure) return command.reply;
  }
  return dbIndexOutOfRange().reply;
}
