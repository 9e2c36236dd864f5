/**
 * Finds what the commands of an envelope take on this daemon's state, and the expiries of keys that they keep, before
 * the daemon signs them. If a look at the state is not enough, it runs the commands and undoes them in the same turn.
 * The fold then takes the same, at whatever position it applies the envelope. Source: docs/decisions/0066.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { finishReply } from "../../../protocol/lazy-replies.js";
import type { Reply } from "../../../protocol/reply.js";
import {
  type Choice,
  type Choices,
  type Envelope,
  EXPIRY_MAX,
  NO_CHOICES,
} from "../../../protocol/version-2/envelope.js";
import type { EnvelopeDate } from "../../../protocol/version-2/messages-v2.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import type { Database } from "../../store/database.js";
import { BudgetExceeded } from "../../store/keyspace/effort-budget.js";
import { isExpired, NO_EXPIRY } from "../../store/keyspace/keyspace.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import { type Command, isClaim, PeekedKey } from "../../store/rows/command-row.js";
import { touchesOf } from "../../store/rows/key-spec.js";

/** What a daemon records for commands that it tries before it signs them. */
export interface Chosen extends Choices {
  /**
   * The commands that are recorded in another form than they were sent in, by their indexes; null: none. The form
   * contains the id that the command chose in the trial. As sent it would choose another one, because ids follow from
   * the signed bytes, which contain what the claims take.
   */
  readonly forms: ReadonlyMap<number, Argv> | null;
}

export const NOTHING_CHOSEN: Chosen = { ...NO_CHOICES, forms: null };

type Argv = readonly ByteString[];

/** Commands that are going to be signed as one envelope. */
export interface Unsigned extends Pick<Envelope, "db" | "multi" | "commands"> {
  readonly units?: Envelope["units"];
  readonly conditions: Envelope["if"];
}

/** The state on which commands are run, and undone. */
export interface TrialState {
  readonly database: Database;
  /** The maximum number of steps for all commands together. */
  readonly stepsMax: number;
  /** Returns a random id for a unit, which seeds its random choices. */
  readonly unitId: () => ByteString;
}

/** A command, or null for one that the fold refuses. */
type Runnable = Command | null;

/** The commands of an envelope, up to the last one for which something may have to be recorded. */
interface Found {
  readonly commands: readonly Runnable[];
  /** Whether none of them is a claim, and each that writes always keeps the expiry of the only key that it writes. */
  readonly onlyKeep: boolean;
}

/** @param date  the date with which the commands will be signed, later than everything in the state */
export function choicesOf(unsigned: Unsigned, date: EnvelopeDate, state: TrialState): Chosen {
  const { database } = state;
  const { db, conditions } = unsigned;
  const { commands, onlyKeep } = find(unsigned, database);
  const isExpiring = (database.keyspaces[db]?.expiring ?? 0) !== 0;
  // Most envelopes: these are recorded as fast as before choices were recorded.
  if (commands.length === 0 || (onlyKeep && !isExpiring)) return NOTHING_CHOSEN;

  const choices = new Map<number, Choice>();
  const expiries = new Map<number, number>();
  let forms: Chosen["forms"] = null;
  let { tried, isPeekable } = onlyKeep ? NOTHING_TRIED : planOf(commands, unsigned);
  const noteExpiry = (index: number) => {
    const command = commands[index] ?? null;
    const argv = argvAt(unsigned, index);
    const expiry = command === null ? undefined : expiryBefore(database, command, argv, { db, at: date.at });
    if (expiry !== undefined) expiries.set(index, expiry);
  };

  if (conditions !== null && !database.holds(conditions, date.at)) {
    // The claims take nothing, also at a position at which the conditions hold.
    for (const [index, command] of commands.entries())
      if (command !== null && isClaim(command, argvAt(unsigned, index))) choices.set(index, []);
  } else if (isPeekable && peekAll(commands, unsigned, { database, at: date.at, choices })) tried = 0;
  else if (tried > 0) {
    choices.clear();
    const id = state.unitId();
    try {
      forms = database.tryOut(state.stepsMax, (records) => {
        const unclaimed = new Map<number, Argv>();
        const claimed = new Map<number, Argv>();
        for (const [index, command] of commands.slice(0, tried).entries()) {
          if (command === null) continue;
          noteExpiry(index);
          const taken = isClaim(command, argvAt(unsigned, index)) ? [] : undefined;
          const omitsChanges = index === tried - 1;
          const run = { index, date, id, taken, omitsChanges, records };
          const form = command.writes ? runOne(database, command, unsigned, run) : null;
          if (form !== null) unclaimed.set(index, form);
          if (taken === undefined) continue;
          choices.set(index, taken);
          for (const [before, argv] of unclaimed) claimed.set(before, argv);
          unclaimed.clear();
        }
        return claimed.size > 0 ? claimed : null;
      });
    } catch (problem) {
      // The recorder refuses the envelope for the same reason.
      if (problem instanceof BudgetExceeded) return NOTHING_CHOSEN;
      throw problem;
    }
  }

  if (isExpiring) for (let index = tried; index < commands.length; index++) noteExpiry(index);
  const recorded = recordedOf(choices, expiries);
  return { choices: recorded.choices, expiries: recorded.expiries, forms };
}

/** Returns the commands as they are recorded. */
export const inRecordedForm = (commands: Envelope["commands"], { forms }: Chosen): Envelope["commands"] =>
  forms === null ? commands : commands.map((argv, index) => forms.get(index) ?? argv);

/**
 * Returns a command with the id that it has chosen, or null if it chooses none.
 * @param reply  its reply in the trial
 */
export const recordedForm = ({ recordedAs }: Command, argv: Argv, reply: Reply): Argv | null =>
  recordedAs === undefined || reply.kind === "error" ? null : recordedAs(argv, reply);

/** Returns what is recorded, by the indexes of the commands. */
export const recordedOf = (
  choices: NonNullable<Choices["choices"]>,
  expiries: NonNullable<Choices["expiries"]>,
): Choices => ({
  choices: choices.size > 0 ? choices : null,
  expiries: expiries.size > 0 ? expiries : null,
});

function find({ commands: argvs, multi, units = null }: Unsigned, { table }: Database): Found {
  const commands = new Array<Runnable>(argvs.length);
  let [count, onlyKeep] = [0, true];
  let keepsBefore = true;

  for (let index = 0; index < argvs.length; index++) {
    const argv = argvs[index] as readonly ByteString[];
    const command = table.resolve(argv);
    if (command instanceof CommandFailure) {
      // The fold refuses the command, and with `multi` all of them.
      if (multi) return NOTHING_FOUND;
      commands[index] = null;
      continue;
    }
    commands[index] = command;

    const isTaking = isClaim(command, argv);
    keepsBefore &&= !isTaking && (!command.writes || keepsOnlyKey(command));
    if (!isTaking && keptKey(command, argv) === undefined) continue;
    count = index + 1;
    onlyKeep = keepsBefore;
  }

  if (units !== null) refuseUnits(commands, units);
  commands.length = count;
  return { commands, onlyKeep };
}

/** Removes all commands of the units of which the fold refuses a command, because it refuses the complete unit. */
function refuseUnits(commands: Runnable[], units: readonly number[]): void {
  let first = 0;
  for (const length of units) {
    const end = first + length;
    if (commands.slice(first, end).includes(null)) commands.fill(null, first, end);
    first = end;
  }
}

const NOTHING_FOUND: Found = { commands: [], onlyKeep: true };

/** Whether a command always keeps the expiry of the only key that it names. */
function keepsOnlyKey({ keepsExpiryOf, keys }: Command): boolean {
  if (typeof keepsExpiryOf !== "number" || typeof keys === "function" || keys.length !== 1) return false;
  const [{ first, last }] = keys as readonly [(typeof keys)[number]];
  return first === keepsExpiryOf && last === first;
}

interface Peeking {
  readonly database: Database;
  /** The date of the commands. */
  readonly at: number;
  /** Receives what the claims take, by their indexes. */
  readonly choices: Map<number, Choice>;
}

/** Finds what all claims take without running a command. @returns false if a claim has to be run */
function peekAll(
  commands: readonly Runnable[],
  unsigned: Unsigned,
  { database, at, choices }: Peeking,
): boolean {
  const keyspace = database.keyspaces[unsigned.db];
  if (keyspace === undefined) return false;

  const known = new Map<ByteString, PeekedKey>();
  for (let index = 0; index < commands.length; index++) {
    const command = commands[index] ?? null;
    const argv = argvAt(unsigned, index);
    if (command?.peek === undefined || !isClaim(command, argv)) continue;

    const key = argv.at(command.peek.keyAt) as ByteString;
    let peeked = known.get(key);
    if (peeked === undefined) known.set(key, (peeked = new PeekedKey()));
    const entry = keyspace.find(key);
    const value = entry === undefined || isExpired(entry, at) ? undefined : entry.value;
    const choice = command.peek.find(value, argv, peeked);
    if (choice === null) return false;
    choices.set(index, choice);
  }
  return true;
}

interface Plan {
  /**
   * The number of commands that have to be run: up to the last claim, and up to the last command that keeps the expiry
   * of a key that an earlier command may have changed.
   */
  readonly tried: number;
  /** Whether the state shows what they take, unless a row reports otherwise, so that none has to be run. */
  readonly isPeekable: boolean;
}

const NOTHING_TRIED: Plan = { tried: 0, isPeekable: false };

function planOf(commands: readonly Runnable[], { commands: argvs }: Unsigned): Plan {
  let tried = 0;
  let isPeekable = true;
  /** The keys that a command before may change; null if all keys. */
  let changed: Set<ByteString> | null = new Set();
  /** Those of them that a command without `peek` may change. */
  const changedUnseen = new Set<ByteString>();

  for (let index = 0; index < commands.length; index++) {
    const command = commands[index] ?? null;
    if (command === null) continue;
    const argv = argvs[index] as readonly ByteString[];
    const { keys, keepsExpiryOf, peek } = command;
    const isTaking = isClaim(command, argv);
    const peekedKey = isTaking && peek !== undefined ? argv.at(peek.keyAt) : undefined;
    const keptAt = keptKey(command, argv);
    const isAfterChange =
      keptAt !== undefined && (changed === null || changed.has(argv[keptAt] as ByteString));

    if (isTaking || isAfterChange) {
      tried = index + 1;
      if (isAfterChange || peekedKey === undefined || changed === null || changedUnseen.has(peekedKey))
        isPeekable = false;
    }

    if (!command.writes || changed === null) continue;
    if (peekedKey !== undefined) {
      changed.add(peekedKey);
      continue;
    }

    for (const { key, access } of touchesOf(keys, argv)) {
      if (access !== "write") continue;
      if (key === null) {
        changed = null;
        break;
      }
      changedUnseen.add(key);
      // A command that always keeps the expiry of its key may still remove other keys, as LMOVE does.
      if (typeof keepsExpiryOf !== "number" || key !== argv[keepsExpiryOf]) changed.add(key);
    }
  }

  return { tried, isPeekable: isPeekable && tried > 0 };
}

const argvAt = ({ commands }: Pick<Unsigned, "commands">, index: number) =>
  commands[index] as readonly ByteString[];

const keptKey = ({ keepsExpiryOf }: Command, argv: readonly ByteString[]): number | undefined =>
  typeof keepsExpiryOf === "function" ? keepsExpiryOf(argv) : keepsExpiryOf;

/**
 * Returns the expiry of the key whose expiry a command keeps; undefined if there is none.
 * @param at  the command's date
 */
export function expiryBefore(
  database: Database,
  command: Command,
  argv: readonly ByteString[],
  { db, at }: { readonly db: number; readonly at: number },
): number | undefined {
  const keyspace = database.keyspaces[db];
  const index = keyspace === undefined || keyspace.expiring === 0 ? undefined : keptKey(command, argv);
  if (index === undefined) return undefined;
  const entry = keyspace?.find(argv[index] as ByteString);
  if (entry === undefined || entry.expire === NO_EXPIRY || isExpired(entry, at)) return undefined;
  return Math.min(entry.expire, EXPIRY_MAX);
}

interface Run {
  readonly index: number;
  readonly date: EnvelopeDate;
  readonly id: ByteString;
  readonly taken: ByteString[] | undefined;
  readonly omitsChanges: boolean;
  readonly records: UndoRecord[];
}

/** Runs a command that writes. @returns its recorded form, or null if it is recorded as it was sent */
function runOne(
  database: Database,
  command: Command,
  { db, multi, units = null, commands }: Unsigned,
  { index, date, id, taken, omitsChanges, records }: Run,
): Argv | null {
  const unit = {
    at: date.at,
    seq: date.seq,
    db,
    id,
    step: multi || units !== null ? index : 0,
    taken,
    omitsChanges,
  };
  const argv = argvAt({ commands }, index);
  return recordedForm(command, argv, finishReply(database.run(command, argv, unit, records)));
}
