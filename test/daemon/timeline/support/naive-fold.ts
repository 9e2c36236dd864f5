/**
 * A simple and slow reference for the fold. It sorts all entries and applies them to an empty store. From the keys
 * that each unit touches, it also determines the units that a late one affects.
 */

import "../../../support/installed-families.js";
import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { commandTable } from "../../../../daemon/store/command-table.js";
import { Database } from "../../../../daemon/store/database.js";
import { isKeyCommand, type KeyRing } from "../../../../daemon/store/key-ring.js";
import { touchesOf } from "../../../../daemon/store/rows/key-spec.js";
import { connectionMistake, refusalOf } from "../../../../daemon/store/unit-permission.js";
import { compareEntries, type Entry } from "../../../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { implicitCondition } from "../../../../protocol/implicit-condition.js";
import { array, type Reply } from "../../../../protocol/reply.js";
import { type Condition, type Envelope, needsDaemon } from "../../../../protocol/version-2/envelope.js";
import { unitId } from "../../../../protocol/version-2/unit-names.js";

type Argv = readonly ByteString[];

export interface NaiveUnit {
  readonly entry: Entry;
  readonly index: number;
  readonly commands: readonly Argv[];
  reply: Reply;
  outcome: "applied" | "denied" | "unmet" | "malformed" | "too-much";
}

export interface NaiveState {
  readonly database: Database;
  readonly ring: KeyRing;
  /** All units in order. */
  readonly units: readonly NaiveUnit[];
}

export function naiveUnits(entry: Entry): NaiveUnit[] {
  const { commands, multi, units, if: conditions } = entry.envelope;
  const lengths = multi || conditions !== null ? [commands.length] : (units ?? commands.map(() => 1));
  const found: NaiveUnit[] = [];
  let index = 0;
  for (const length of lengths) {
    const own = commands.slice(index, index + length);
    found.push({ entry, index, commands: own, reply: { kind: "nil" }, outcome: "applied" });
    index += length;
  }
  return found;
}

/** Returns a unit's conditions, without the product's function. */
export const conditionsAt = (envelope: Envelope, index: number): readonly Condition[] | null =>
  envelope.if ?? envelope.ifs?.get(index) ?? null;

/** Folds entries. @param ring  the initial key ring, which the function changes */
export function naiveFold(entries: readonly Entry[], ring: KeyRing, databases: number): NaiveState {
  const database = new Database({ databases });
  const units = entries.toSorted(compareEntries).flatMap(naiveUnits);
  for (const unit of units) {
    const { reply, outcome } = applied(unit, database, ring);
    unit.reply = reply;
    unit.outcome = outcome;
  }
  return { database, ring, units };
}

const TOO_MUCH =
  "TOOMUCH the command would produce or read more than the members of the list run in one step: split it";

function applied(
  { entry, index, commands }: NaiveUnit,
  database: Database,
  ring: KeyRing,
): Pick<NaiveUnit, "reply" | "outcome"> {
  const { key, at, seq, db, multi, decided } = entry.envelope;
  const conditions = conditionsAt(entry.envelope, index);
  const unit = { at, seq, db, id: unitId(entry.id, index) };
  const signer = ring.find(key);
  const { table } = ring;
  if (table === null) return { reply: { kind: "nil" }, outcome: "malformed" };
  database.table = table;

  const refusal = refusalOf(
    { key, at, commands, conditions, needsDaemon: needsDaemon(entry.envelope) },
    signer,
    ring,
  );
  if (refusal !== null)
    return { reply: refusal, outcome: refusal.text.startsWith("NOPERM") ? "denied" : "malformed" };

  for (const argv of commands) {
    const command = table.resolve(argv);
    if (command instanceof CommandFailure) return { reply: command.reply, outcome: "malformed" };
  }

  const argv = commands[0] as Argv;
  if (isKeyCommand(argv)) {
    const by = signer ?? ring.introduction(commands, key, at);
    if (by === null) throw new Error("it has no signer");
    const replies = commands.map((each) => ring.execute(each, unit, by));
    return {
      reply: multi || commands.length > 1 ? array(replies) : (replies[0] as Reply),
      outcome: "applied",
    };
  }

  if (db >= database.keyspaces.length)
    return { reply: { kind: "error", text: "ERR DB index is out of range" }, outcome: "malformed" };
  if (decided?.outcomes[0] === "too-much")
    return { reply: { kind: "error", text: TOO_MUCH }, outcome: "too-much" };
  if (decided !== null) {
    // Only units of one command each have other indexes than 0, and these are their numbers.
    const isUnmet = decided.outcomes[index] === "unmet";
    const implicit = multi ? null : implicitCondition(argv);
    if (isUnmet && implicit !== null && conditions === null)
      return { reply: implicit.unmet, outcome: "applied" };
    if (isUnmet) return { reply: { kind: "nil-array" }, outcome: "unmet" };
    if (implicit !== null) {
      const command = table.resolve(implicit.unconditional);
      if (command instanceof CommandFailure) return { reply: command.reply, outcome: "malformed" };
      const reply = database.execute(implicit.unconditional, unit);
      return { reply: reply.kind === "error" ? reply : (implicit.applied ?? reply), outcome: "applied" };
    }
  } else if (conditions !== null && !database.holds(conditions, at))
    return { reply: { kind: "nil-array" }, outcome: "unmet" };

  const choices = ofUnit(entry.envelope.choices, index);
  const expiries = ofUnit(entry.envelope.expiries, index);
  const [choice, expiry] = [choices.get(0), expiries.get(0)];
  const isSeveral = multi || commands.length > 1;
  const reply = isSeveral
    ? database.executeMulti(commands, { ...unit, choices, expiries })
    : database.execute(argv, { ...unit, choice, expiry });
  return { reply, outcome: "applied" };
}

/** Returns what is recorded for a unit's commands, by their indexes in the unit. @param first  its first command */
const ofUnit = <Value>(recorded: ReadonlyMap<number, Value> | null, first: number): Map<number, Value> =>
  new Map([...(recorded ?? [])].map(([at, value]) => [at - first, value]));

/** A touched key, as in KeySpec, with the database's number or -1. */
export interface NaiveTouch {
  readonly db: number;
  readonly key: ByteString | null;
  readonly writes: boolean;
}

/** Returns the keys that a unit touches, or null if the command tables name none, so the unit cannot affect data. */
export function touchesOfUnit(unit: NaiveUnit, databases: number): NaiveTouch[] | null {
  const { db } = unit.entry.envelope;
  const conditions = conditionsAt(unit.entry.envelope, unit.index);
  if (db >= databases || unit.commands.some((argv) => isKeyCommand(argv) || connectionMistake(argv) !== null))
    return null;
  const touches: NaiveTouch[] = (conditions ?? []).map((each) => ({ ...each, writes: false }));
  for (const argv of unit.commands) {
    const command = commandTable.resolve(argv);
    if (command instanceof CommandFailure) return null;
    for (const touch of touchesOf(command.keys, argv))
      touches.push({ db: touch.db ?? db, key: touch.key, writes: touch.access === "write" });
  }
  return touches.filter((touch) => touch.db < databases);
}

/** Whether a command of the unit may write. */
export function mayWrite({ commands }: NaiveUnit): boolean {
  return commands.some((argv) => {
    const command = commandTable.resolve(argv);
    return !(command instanceof CommandFailure) && command.flags.includes("write");
  });
}

export function conflict(some: readonly NaiveTouch[], others: readonly NaiveTouch[]): boolean {
  return some.some((one) =>
    others.some((other) => {
      if (!one.writes && !other.writes) return false;
      const sameDb = one.db === other.db || one.db === -1 || other.db === -1;
      return sameDb && (one.key === other.key || one.key === null || other.key === null);
    }),
  );
}
