/**
 * A simple and slow reference for the fold. It sorts all entries and applies them to an empty store. From the keys
 * that each unit touches, it also determines the units that a late one affects.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, type Reply } from "../../../protocol/reply.js";
import { needsDaemon, unitId } from "../../../protocol/version-2/envelope.js";
import { CommandFailure } from "../../../store/arguments/command-errors.js";
import { commandTable } from "../../../store/command-table.js";
import { connectionMistake } from "../../../store/connection-mistake.js";
import { Database } from "../../../store/database.js";
import { isKeyCommand, type KeyRing } from "../../../store/key-ring.js";
import { touchesOf } from "../../../store/rows/key-spec.js";
import { refusalOf } from "../../../store/unit-permission.js";
import { compareEntries, type Entry } from "../../../timeline/entries/entry.js";

type Argv = readonly ByteString[];

export interface NaiveUnit {
  readonly entry: Entry;
  readonly index: number;
  readonly commands: readonly Argv[];
  reply: Reply;
  outcome: "applied" | "denied" | "unmet" | "malformed";
}

export interface NaiveState {
  readonly database: Database;
  readonly ring: KeyRing;
  /** All units in order. */
  readonly units: readonly NaiveUnit[];
}

export function naiveUnits(entry: Entry): NaiveUnit[] {
  const { commands, multi, if: conditions } = entry.envelope;
  const groups = multi || conditions !== null ? [commands] : commands.map((argv) => [argv]);
  return groups.map((group, index) => ({
    entry,
    index,
    commands: group,
    reply: { kind: "nil" },
    outcome: "applied",
  }));
}

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

function applied(
  { entry, index, commands }: NaiveUnit,
  database: Database,
  ring: KeyRing,
): Pick<NaiveUnit, "reply" | "outcome"> {
  const { key, at, seq, db, multi, if: conditions } = entry.envelope;
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
    return { reply: multi ? array(replies) : (replies[0] as Reply), outcome: "applied" };
  }
  if (db >= database.keyspaces.length)
    return { reply: { kind: "error", text: "ERR DB index is out of range" }, outcome: "malformed" };
  if (conditions !== null && !database.holds(conditions, at))
    return { reply: { kind: "nil-array" }, outcome: "unmet" };
  const { choices, expiries } = entry.envelope;
  const [choice, expiry] = [choices?.get(index), expiries?.get(index)];
  const reply = multi
    ? database.executeMulti(commands, { ...unit, choices, expiries })
    : database.execute(argv, { ...unit, choice, expiry });
  return { reply, outcome: "applied" };
}

/** A touched key, as in KeySpec, with the database's number or -1. */
export interface NaiveTouch {
  readonly db: number;
  readonly key: ByteString | null;
  readonly writes: boolean;
}

/** Returns the keys that a unit touches, or null if the command tables name none, so the unit cannot affect data. */
export function touchesOfUnit(unit: NaiveUnit, databases: number): NaiveTouch[] | null {
  const { db, if: conditions } = unit.entry.envelope;
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
