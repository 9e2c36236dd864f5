/**
 * Applies the usual kind of entry: each of its commands is a separate unit, and it comes after all applied entries. The
 * commands are applied directly, without unit objects, at half the cost. Unit objects are created only if an entry
 * arrives later that belongs before this entry.
 */
import { type ErrorReply, OK, type Reply } from "../../../protocol/reply.js";
import { needsDaemon } from "../../../protocol/version-2/envelope.js";
import type { Database } from "../../store/database.js";
import type { KeyRing } from "../../store/key-ring.js";
import { BudgetExceeded } from "../../store/keyspace/effort-budget.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import { FoldedUnit } from "../../store/keyspace/unit.js";
import { validity } from "../../store/rights/key-record.js";
import type { Command } from "../../store/rows/command-row.js";
import { isDenied, refusalOf } from "../../store/unit-permission.js";
import type { Entry } from "../entries/entry.js";
import { runCommand, takeRecords } from "./apply-unit.js";
import type { BetweenUnits } from "./entry-batch.js";
import type { UnitAnswer } from "./fold-unit.js";
import type { Undoing } from "./tail.js";

/** The result of an entry's units. */
export interface AppliedEntry {
  readonly answers: readonly UnitAnswer[];
  readonly undoing: Undoing[];
  /** The number of units that may change data. */
  readonly count: number;
}

/** The state that an entry is applied to. */
export interface State {
  readonly ring: KeyRing;
  readonly database: Database;
  /** Empty before and after each unit. */
  readonly records: UndoRecord[];
  /** Called after each unit, or null. */
  readonly between: BetweenUnits | null;
}

/** Applies an ordinary entry. @param commands  the entry's commands, from `ordinaryCommands` */
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
