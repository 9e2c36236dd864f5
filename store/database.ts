/**
 * The in-memory database: keyspaces and the commands on them. Deterministic: time, seed and database number come with
 * the unit; there is no clock, no randomness and no IO in here.
 */
import type { ByteString } from "../protocol/byte-string.js";
import { array, type Reply } from "../protocol/reply.js";
import { settled } from "../protocol/step-reply.js";
import type { Condition } from "../protocol/version-2/envelope.js";
import { CommandFailure } from "./arguments/errors.js";
import { commandTable } from "./command-table.js";
import type { ChangeListener } from "./events/change-listener.js";
import { Effort, TooMuch, tooMuch, UNCOUNTED_EFFORT } from "./keyspace/effort.js";
import { isExpired, Keyspace } from "./keyspace/keyspace.js";
import type { Lookups } from "./keyspace/lookups.js";
import { Data } from "./keyspace/mutators.js";
import type { StringForms } from "./keyspace/string-forms.js";
import { type UndoRecord, undo } from "./keyspace/undo.js";
import type { Unit } from "./keyspace/unit.js";
import type { Usage } from "./keyspace/usage.js";
import { expiredWrites, lookFor, noteUse } from "./looked-for.js";
import type { Command } from "./rows/command.js";
import type { CommandIndex } from "./rows/command-index.js";

const isBounded = ({ writes, isQuery }: Command): boolean => writes || isQuery;

/** Number of databases, as Redis has by default. */
export const DATABASES_DEFAULT = 16;

export class Database {
  readonly #keyspaces: Keyspace[];
  readonly #data: Data;
  /** Records how keys are used, for eviction; null: not recorded. */
  readonly usage: Usage | null;
  #expired = 0;
  /** Receives what commands do to keys; null: no listener. */
  listener: ChangeListener | null = null;
  /** Records of the unit at hand up to here are of keys whose time was over. */
  #expiredTo = 0;
  /** The semantics of commands in the newest state; `executeMulti` and `run` receive those of other states. */
  table: CommandIndex = commandTable;
  /** Whether the commands that run were applied before, and are applied again after earlier ones were inserted. */
  isRedoing = false;
  readonly #effort = new Effort();

  constructor({
    databases = DATABASES_DEFAULT,
    usage = null,
    forms = null,
  }: { databases?: number; usage?: Usage | null; forms?: StringForms | null } = {}) {
    this.usage = usage;
    this.#keyspaces = Array.from({ length: databases }, () => new Keyspace(usage !== null));
    this.#data = new Data(this.#keyspaces, usage, forms);
  }

  /** The data, for tests, snapshots and the state's digest; not to be changed. */
  get keyspaces(): readonly Keyspace[] {
    return this.#keyspaces;
  }

  /**
   * Returns the number of keys that have expired, for statistics: a unit that is applied again counts its own again.
   * @param at  milliseconds since 1970
   */
  expiredKeys(at: number): number {
    return this.#keyspaces.reduce((sum, keyspace) => sum + keyspace.expired(at), this.#expired);
  }

  /** Looks for keys that have expired, so that counting them is quick. @param most  approximate number of keys to check in each database */
  lookForExpired(at: number, most: number): void {
    for (const keyspace of this.#keyspaces) keyspace.lookForExpired(at, most);
  }

  /**
   * Runs one command.
   * @param argv     name and arguments
   * @param records  receives what `undo` needs to take the command back; without it nothing is remembered
   * @returns the reply; errors are replies as well, and have changed nothing
   */
  execute(argv: readonly ByteString[], unit: Unit, records: UndoRecord[] | null = null): Reply {
    const command = this.table.resolve(argv);
    return command instanceof CommandFailure ? command.reply : this.run(command, argv, unit, records);
  }

  /**
   * Runs several commands as one unit, as EXEC does: if one is unknown or has too few or too many arguments none is run and the reply is
   * that error; errors while running are in the array of replies, and the remaining commands have run.
   * @param commands  each with its name and arguments
   * @param table     their semantics
   */
  executeMulti(
    commands: readonly (readonly ByteString[])[],
    unit: Unit,
    records: UndoRecord[] | null = null,
    table = this.table,
  ): Reply {
    const resolved: Command[] = [];
    for (const argv of commands) {
      const command = table.resolve(argv);
      if (command instanceof CommandFailure) return command.reply;
      resolved.push(command);
    }
    return this.runMulti(resolved, commands, unit, records, table);
  }

  /**
   * Runs commands as `executeMulti` does, after they were resolved for these arguments. @param table  the table that they were resolved in
   */
  runMulti(
    resolved: readonly Command[],
    commands: readonly (readonly ByteString[])[],
    unit: Unit,
    records: UndoRecord[] | null = null,
    table = this.table,
  ): Reply {
    const { at, seq, db, id, readsAll, encoding } = unit;
    const effort = this.#effort;
    const isCounted = resolved.some(isBounded) && effort.begin(table.producedMax);
    return array(
      // Later commands of the unit may change the data that a reply in steps would still read.
      commands.map((argv, step) => {
        const command = resolved[step] as Command;
        const own = { at, seq, db, id, step, readsAll, encoding };
        const reply =
          isCounted && !command.isLinear
            ? this.#applyBounded(command, argv, own, records ?? [])
            : this.#apply(command, argv, own, records, UNCOUNTED_EFFORT);
        return settled(reply);
      }),
    );
  }

  /** Bounds what a unit makes this daemon go through, in steps, where units are not folded: beyond it is an error of the command. */
  set unitStepsMax(steps: number) {
    this.#effort.stepsMax = steps;
  }

  /** Runs units that are not recorded yet. @param stepsMax  for all together @throws TooMuch  the last command has changed nothing */
  admitting<Result>(stepsMax: number, run: () => Result): Result {
    return this.#effort.admitting(stepsMax, run);
  }

  /**
   * Runs the commands of a transaction or a script, none of which is folded, under one budget: those beyond it get an error.
   * @param stepsMax  default: that of all units
   */
  sharing<Result>(run: () => Result, stepsMax?: number): Result {
    return this.#effort.sharing(run, stepsMax);
  }

  /**
   * Whether each key was last changed by the unit that its condition names, or is absent where it names none.
   * @param at  milliseconds since 1970; a key that has expired by then is absent
   */
  holds(conditions: readonly Condition[], at: number): boolean {
    return conditions.every(({ db, key, writer }) => writer === this.writerOf(db, key, at));
  }

  /**
   * The unit that changed a key last; empty: it is absent.
   * @param at  milliseconds since 1970; a key that has expired by then is absent
   */
  writerOf(db: number, key: ByteString, at: number): ByteString {
    const entry = this.#keyspaces[db]?.find(key);
    return entry === undefined || isExpired(entry, at) ? "" : entry.writer;
  }

  /** Undoes the changes in `records`, newest first. */
  undo(records: readonly UndoRecord[]): void {
    undo(this.#keyspaces, records);
    this.listener?.redone(records);
  }

  /** Counters of the look-ups of keys to read. */
  get lookups(): Lookups {
    return this.#data.lookups;
  }

  /** Takes over the listener and the counters of the database that this one replaces. */
  inherit(other: Database): void {
    this.listener = other.listener;
    other.listener = null;
    this.#data.lookups.add(other.lookups);
    this.listener?.replaced();
  }

  /** Runs what will leave no effect, without notifying the listener. */
  silently<Result>(run: () => Result): Result {
    const { listener } = this;
    this.listener = null;
    try {
      return run();
    } finally {
      this.listener = listener;
    }
  }

  /**
   * Notifies the listener of keys that have expired, so that no client sees them. @param at  milliseconds since 1970; none are looked for
   * before the latest
   */
  tellExpired(at: number): void {
    if (this.listener === null) return;
    for (const [db, keyspace] of this.#keyspaces.entries())
      for (const key of keyspace.takeExpired(at)) this.listener.gone(db, key, "expired");
  }

  /**
   * Drops keys that have expired before a time. Only for times that no unit to come is dated at: the fold must not see it.
   * @returns how many were dropped, `limit` at most
   */
  dropExpired(before: number, limit: number): number {
    this.tellExpired(before);
    let dropped = 0;
    for (const keyspace of this.#keyspaces) dropped += keyspace.dropExpired(before, limit - dropped);
    this.#expired += dropped;
    return dropped;
  }

  /** Drops a key to free its memory. Only where nothing is folded: other daemons would still have it. */
  drop(db: number, key: ByteString): void {
    this.#keyspaces[db]?.delete(key);
    this.listener?.gone(db, key, "evicted");
  }

  /**
   * Runs a command as `execute` does, after it was resolved for these arguments. @param table  the table that it was resolved in; null: the
   * newest state's
   */
  run(
    command: Command,
    argv: readonly ByteString[],
    unit: Unit,
    records: UndoRecord[] | null = null,
    table: CommandIndex | null = null,
  ): Reply {
    const isCounted = command.writes ? !command.isLinear : command.isQuery && unit.takesSteps !== true;
    if (isCounted && this.#effort.begin((table ?? this.table).producedMax))
      return this.#applyBounded(command, argv, unit, records ?? []);
    return this.#apply(command, argv, unit, records, UNCOUNTED_EFFORT);
  }

  /** Applies a command and counts it; undoes it if it exceeds a budget. @throws TooMuch  the unit is not recorded yet */
  #applyBounded(command: Command, argv: readonly ByteString[], unit: Unit, records: UndoRecord[]): Reply {
    const before = records.length;
    const reply = this.#effort.bound(argv, (effort) => this.#apply(command, argv, unit, records, effort));
    if (!(reply instanceof TooMuch)) return reply;
    this.#data.lookups.missed = null;
    this.undo(records.splice(before));
    if (this.#effort.isAdmitting) throw reply;
    return tooMuch(command).reply;
  }

  /** Applies a command: directly in the usual case, in which no listener waits for changes and a write counts no look-ups. */
  #apply(
    command: Command,
    argv: readonly ByteString[],
    unit: Unit,
    records: UndoRecord[] | null,
    effort: Effort,
  ): Reply {
    if (this.listener !== null || command.lookedUp !== null)
      return this.#applyAndNotify(command, argv, unit, records, effort);
    this.#data.begin(unit, records, command.reads, effort);
    if (command.writes) this.#removeExpired(command, argv, unit);
    return this.#carryOut(command, argv, unit);
  }

  /** Applies a command, and notifies the listener, if there is one, of what it changed and of the keys that it missed. */
  #applyAndNotify(
    command: Command,
    argv: readonly ByteString[],
    unit: Unit,
    records: UndoRecord[] | null,
    effort: Effort,
  ): Reply {
    const { listener } = this;
    if (listener === null) return this.#applyWithLookups(command, argv, unit, records, effort);
    const kept = records ?? [];
    const before = kept.length;
    const { lookups } = this.#data;
    this.tellExpired(command.reads ? unit.at : 0);
    const missed: ByteString[] = [];
    lookups.missed = missed;
    const reply = this.#applyWithLookups(command, argv, unit, kept, effort);
    lookups.missed = null;
    if (this.isRedoing) listener.redone(kept.slice(before));
    else {
      const changes = kept.slice(this.#expiredTo);
      listener.applied({ command, argv, unit, reply, records: changes, keyspaces: this.#keyspaces, missed });
    }
    return reply;
  }

  /** Applies a command, and counts the look-ups of one that writes (GETDEL, say). */
  #applyWithLookups(
    command: Command,
    argv: readonly ByteString[],
    unit: Unit,
    records: UndoRecord[] | null,
    effort: Effort,
  ): Reply {
    this.#data.begin(unit, records, command.reads, effort);
    if (command.writes) this.#removeExpired(command, argv, unit);
    this.#expiredTo = records?.length ?? 0;
    const looked =
      command.lookedUp === null
        ? []
        : lookFor(this.#keyspaces[unit.db], command.lookedUp(command.keys, argv), unit.at);
    const reply = this.#carryOut(command, argv, unit);
    if (reply.kind !== "error") for (const { key, isFound } of looked) this.#data.lookups.note(key, isFound);
    return reply;
  }

  #carryOut(command: Command, argv: readonly ByteString[], unit: Unit): Reply {
    try {
      const reply = command.run(this.#data, argv, unit);
      if (this.usage !== null) noteUse(this.usage, this.#keyspaces, command, argv, unit);
      return reply;
    } catch (failure) {
      if (failure instanceof CommandFailure) return failure.reply;
      throw failure;
    }
  }

  /** Whether `tellExpired` has reported keys of this expiry time. */
  #isTold(db: number, expire: number): boolean {
    return this.isRedoing || this.#keyspaces[db]!.hasTaken(expire);
  }

  /** A key that a unit may write and finds expired is removed first, so that undo brings it back. */
  #removeExpired(command: Command, argv: readonly ByteString[], unit: Unit): void {
    for (const { db, key, expire } of expiredWrites(this.#keyspaces, command, argv, unit)) {
      this.#data.delete(key, db);
      this.#expired++;
      if (this.listener !== null && !this.#isTold(db, expire)) this.listener.gone(db, key, "expired");
    }
  }
}
