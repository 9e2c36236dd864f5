/**
 * The in-memory database: keyspaces and the commands that run on them. It is deterministic: time, seed and database
 * number are part of the unit; it uses no clock, no randomness and no IO.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { finishReply } from "../../protocol/lazy-replies.js";
import { array, type Reply } from "../../protocol/reply.js";
import type { Condition } from "../../protocol/version-2/envelope.js";
import { CommandFailure } from "./arguments/command-errors.js";
import type { ChangeObserver } from "./change-observer.js";
import { commandTable } from "./command-table.js";
import {
  BudgetExceeded,
  budgetExceeded,
  EffortBudget,
  STATEMENT_STEPS,
  UNCOUNTED_EFFORT,
} from "./keyspace/effort-budget.js";
import { KeyUsage, type Lookups } from "./keyspace/key-usage.js";
import { isExpired, Keyspace } from "./keyspace/keyspace.js";
import { Data } from "./keyspace/mutators.js";
import type { StringForms } from "./keyspace/string-parts.js";
import { type UndoRecord, undo } from "./keyspace/undo.js";
import type { SeveralCommands, Unit } from "./keyspace/unit.js";
import type { ReadLimits } from "./read-allowance.js";
import { LimitedReads } from "./reads.js";
import type { CommandIndex } from "./rows/command-index.js";
import type { Command } from "./rows/command-row.js";
import { touchesOf } from "./rows/key-spec.js";

/** The unit of one of several commands, until the next command. */
type MutableStep = { -readonly [Name in keyof Unit]: Unit[Name] };

const isBounded = ({ writes, isQuery }: Command): boolean => writes || isQuery;

/** The number of databases, as in Redis by default. */
export const DATABASES_DEFAULT = 16;

export class Database {
  readonly #keyspaces: Keyspace[];
  readonly #data: Data;
  /** How recently or how often keys are used. */
  readonly usage: KeyUsage;
  #expired = 0;
  #countsReads = false;
  /** Receives the changes that commands make to keys, or null if nothing observes them. */
  observer: ChangeObserver | null = null;
  /**
   * Index of the current command's first undo record. The records before it include those of the expired keys that were
   * removed for the command.
   */
  #expiredTo = 0;
  /**
   * The table of commands in the newest state; `executeMulti` receives the table of other states as an argument.
   */
  table: CommandIndex = commandTable;
  #isRedoing = false;
  readonly #effort = new EffortBudget();
  readonly #reads: LimitedReads;

  constructor({
    databases = DATABASES_DEFAULT,
    usage = new KeyUsage(),
    forms = null,
  }: { databases?: number; usage?: KeyUsage; forms?: StringForms | null } = {}) {
    this.usage = usage;
    this.#keyspaces = Array.from({ length: databases }, () => new Keyspace(usage));
    this.#data = new Data(this.#keyspaces, usage, forms);
    this.#reads = new LimitedReads(this.#keyspaces, this.#applyRead);
  }

  /** The data, for tests, snapshots and the state's digest; the caller must not change it. */
  get keyspaces(): readonly Keyspace[] {
    return this.#keyspaces;
  }

  /**
   * Returns the number of keys that have expired, for statistics. If a unit is applied again, the expired keys that it
   * removes are counted again.
   * @param at milliseconds since 1970
   */
  expiredKeys(at: number): number {
    return this.#keyspaces.reduce((sum, keyspace) => sum + keyspace.expired(at), this.#expired);
  }

  /**
   * Searches for expired keys in advance, so that `expiredKeys` takes little time.
   * @param max approximate number of keys to check in each database
   */
  lookForExpired(at: number, max: number): void {
    for (const keyspace of this.#keyspaces) keyspace.lookForExpired(at, max);
  }

  /**
   * Runs one command.
   * @param argv the name and the arguments
   * @param records receives the records with which `undo` reverts the command; null if none are recorded
   * @returns the reply; if it is an error, nothing has changed
   */
  execute(argv: readonly ByteString[], unit: Unit, records: UndoRecord[] | null = null): Reply {
    const command = this.table.resolve(argv);
    return command instanceof CommandFailure ? command.reply : this.run(command, argv, unit, records);
  }

  /**
   * Runs several commands as one unit, as EXEC does. If one is unknown or has the wrong number of arguments, none is
   * run and the reply is that error. Errors at run time are elements of the reply, and the remaining commands are still
   * run. If the unit produces more than the fold permits, nothing is changed and the reply is that error.
   * @param commands the commands, each with its name and arguments
   * @param table the table of commands
   */
  executeMulti(
    commands: readonly (readonly ByteString[])[],
    unit: SeveralCommands,
    records: UndoRecord[] | null = null,
    table = this.table,
  ): Reply {
    const resolved: Command[] = [];
    for (const argv of commands) {
      const command = table.resolve(argv);
      if (command instanceof CommandFailure) return command.reply;
      resolved.push(command);
    }
    return this.runMulti(resolved, commands, unit, records);
  }

  /** Runs commands as `executeMulti` does, after the caller has resolved them for these arguments. */
  runMulti(
    resolved: readonly Command[],
    commands: readonly (readonly ByteString[])[],
    unit: SeveralCommands,
    records: UndoRecord[] | null = null,
  ): Reply {
    const { at, seq, db, id, envelope, index, readsAll, encoding, choices, expiries } = unit;
    const first = index ?? 0;
    const isCounted = resolved.some(isBounded);
    const undoable = records ?? (isCounted ? [] : null);
    const before = undoable?.length ?? 0;
    if (isCounted) this.#effort.begin();
    else this.#reads.begin(resolved, commands, db);
    const replies: Reply[] = [];
    // One object is reused for all commands.
    const stepUnit: MutableStep = {
      at,
      seq,
      db,
      id,
      envelope,
      index,
      step: 0,
      readsAll,
      encoding,
      choice: undefined,
      expiry: undefined,
    };
    for (let i = 0; i < commands.length; i++) {
      const argv = commands[i] as readonly ByteString[];
      const command = resolved[i] as Command;
      stepUnit.step = i;
      stepUnit.choice = choices?.get(first + i);
      stepUnit.expiry = expiries?.get(first + i);
      let reply: Reply | null;
      if (!isCounted) reply = this.#reads.run(command, argv, stepUnit);
      else if (command.isLinear) reply = this.#apply(command, argv, stepUnit, undoable, UNCOUNTED_EFFORT);
      else reply = this.#applyCounted(command, argv, stepUnit, undoable as UndoRecord[]);
      if (reply === null) {
        this.undo((undoable as UndoRecord[]).splice(before));
        return budgetExceeded(command).reply;
      }
      // Later commands of the unit may change the data that a lazy reply has not read yet.
      replies.push(finishReply(reply));
    }
    return array(replies);
  }

  /** The limits for the reads of a transaction, a script, or a recorded envelope. */
  get readLimits(): ReadLimits {
    return this.#reads.limits;
  }

  set readLimits(limits: ReadLimits) {
    this.#reads.limits = limits;
  }

  /**
   * The maximum number of steps of a unit, for a database whose units are not folded. A command that exceeds it returns
   * an error.
   */
  get unitStepsMax(): number {
    return this.#effort.stepsMax;
  }

  set unitStepsMax(steps: number) {
    this.#effort.stepsMax = steps;
  }

  /**
   * Runs units that may still be refused.
   * @param stepsMax maximum number of steps of all units together
   * @throws BudgetExceeded if a command exceeds it; that command has changed nothing
   */
  withBudget<Result>(stepsMax: number, run: () => Result): Result {
    return this.#effort.withBudget(stepsMax, run);
  }

  /**
   * Runs a transaction or a script: its reads share one budget. A unit within a unit is part of it.
   * @param weight  the factor of the steps of the reads
   * @throws UnitReadsExceeded if they exceed it; the caller undoes what the unit has written
   */
  readingTogether<Result>(run: () => Result, weight = 1): Result {
    return this.#reads.together(run, weight);
  }

  /** The number of steps that the units of the latest budget have used. */
  get stepsUsed(): number {
    return this.#effort.steps;
  }

  /** Runs reads between two units that share a budget: their steps do not count for the units. */
  aside<Result>(run: () => Result): Result {
    return this.#effort.aside(run);
  }

  /**
   * Runs the commands of a transaction or a script, none of which is folded, under one budget: commands that exceed it
   * return an error.
   * @param stepsMax maximum number of steps; default: the limit for units
   */
  sharing<Result>(run: () => Result, stepsMax?: number): Result {
    return this.#effort.sharing(run, stepsMax);
  }

  /**
   * Whether all conditions hold: the last writer of a condition's key must be the unit that the condition names or, if
   * it names no unit, the key must be absent.
   * @param at milliseconds since 1970; a key that has expired by then is absent
   */
  holds(conditions: readonly Condition[], at: number): boolean {
    return conditions.every(({ db, key, writer }) => writer === this.writerOf(db, key, at));
  }

  /**
   * Returns the unit that changed a key last; empty if the key is absent.
   * @param at milliseconds since 1970; a key that has expired by then is absent
   */
  writerOf(db: number, key: ByteString, at: number): ByteString {
    const entry = this.#keyspaces[db]?.find(key);
    return entry === undefined || isExpired(entry, at) ? "" : entry.writer;
  }

  /** Whether the current commands are applied again, because a late entry was inserted before them. */
  get isRedoing(): boolean {
    return this.#isRedoing;
  }

  set isRedoing(isRedoing: boolean) {
    this.#isRedoing = isRedoing;
    this.usage.isPaused = isRedoing;
  }

  /** Undoes the changes in `records`, newest first. */
  undo(records: readonly UndoRecord[]): void {
    undo(this.#keyspaces, records);
    this.observer?.redone(records);
  }

  /** Counters of the look-ups of keys for reading. */
  get lookups(): Lookups {
    return this.#data.lookups;
  }

  /** Takes over the observer and the counters from the database that this one replaces. */
  inherit(other: Database): void {
    this.observer = other.observer;
    this.readLimits = other.readLimits;
    other.observer = null;
    this.#data.lookups.add(other.lookups);
    this.observer?.replaced();
  }

  /** Runs a unit that may be refused, and reports its events afterwards. If the function throws, they are dropped. */
  reportingAfter<Result>(run: () => Result): Result {
    const { observer } = this;
    if (observer === null) return run();
    observer.holdEvents();
    let isDone = false;
    try {
      const result = run();
      isDone = true;
      return result;
    } finally {
      observer.releaseEvents(isDone);
    }
  }

  /**
   * Runs units and undoes them, without notifying the observer and without counting look-ups.
   * @param stepsMax maximum number of steps of all units together
   * @param run receives the array to which it adds the undo records
   * @param countsReads whether the steps of all reads count, and not only those of queries and of units that write
   * @throws BudgetExceeded if a command exceeds it
   */
  tryOut<Result>(stepsMax: number, run: (records: UndoRecord[]) => Result, countsReads = false): Result {
    const { observer } = this;
    const expired = this.#expired;
    const { hits, misses } = this.lookups;
    const records: UndoRecord[] = [];
    this.#countsReads = countsReads;
    this.observer = null;
    try {
      return this.withBudget(stepsMax, () => run(records));
    } finally {
      this.#countsReads = false;
      this.undo(records);
      this.observer = observer;
      this.#expired = expired;
      Object.assign(this.lookups, { hits, misses });
    }
  }

  /**
   * Notifies the observer of keys that have expired, so subscribers learn of them although no command removed them.
   * @param at milliseconds since 1970; an earlier time than in the latest call has no effect
   */
  reportExpired(at: number): void {
    if (this.observer === null) return;
    for (const [db, keyspace] of this.#keyspaces.entries())
      for (const key of keyspace.takeExpired(at)) this.observer.removed(db, key, "expired");
  }

  /**
   * Drops keys that expired before the given time. The caller must know that no later unit has an earlier date;
   * otherwise the drop would change the result of the fold.
   * @returns the number of dropped keys, at most `limit`
   */
  dropExpired(before: number, limit: number): number {
    this.reportExpired(before);
    let dropped = 0;
    for (const keyspace of this.#keyspaces) dropped += keyspace.dropExpired(before, limit - dropped);
    this.#expired += dropped;
    return dropped;
  }

  /**
   * Drops a key to free its memory. Must be used only for databases without a fold, because with a fold other daemons
   * would still have the key.
   */
  drop(db: number, key: ByteString): void {
    this.#keyspaces[db]?.delete(key);
    this.observer?.removed(db, key, "evicted");
  }

  /** Runs a command as `execute` does, after the caller has resolved it for these arguments. */
  run(command: Command, argv: readonly ByteString[], unit: Unit, records: UndoRecord[] | null = null): Reply {
    const isCounted = command.writes
      ? !command.isLinear
      : (command.isQuery && unit.takesSteps !== true) || this.#countsReads;
    if (!isCounted) {
      if (command.isQuery) return this.#query(command, argv, unit);
      if (command.writes) return this.#apply(command, argv, unit, records, UNCOUNTED_EFFORT);
      this.#reads.begin(command, argv, unit.db);
      return this.#reads.run(command, argv, unit);
    }
    this.#effort.begin();
    return this.#applyCounted(command, argv, unit, records ?? []) ?? budgetExceeded(command).reply;
  }

  /** Applies a read. @throws BudgetExceeded */
  readonly #applyRead = (command: Command, argv: readonly ByteString[], unit: Unit, effort: EffortBudget) => {
    try {
      return this.#apply(command, argv, unit, null, effort);
    } catch (problem) {
      this.#data.lookups.missed = null;
      throw problem;
    }
  };

  /** Begins a query whose later steps run while other commands run, so it has its own counter. */
  #query(command: Command, argv: readonly ByteString[], unit: Unit): Reply {
    return this.#applyRead(command, argv, unit, EffortBudget.ofQuery(unit.memory));
  }

  /**
   * Applies a command and counts its steps. Undoes the command if it exceeds a budget.
   * @returns null if the command exceeds a budget
   * @throws BudgetExceeded if it exceeds a budget, and its unit may still be refused
   */
  #applyCounted(
    command: Command,
    argv: readonly ByteString[],
    unit: Unit,
    records: UndoRecord[],
  ): Reply | null {
    const before = records.length;
    const reply = this.#effort.bound(argv, (effort) => {
      if (command.isStatement) effort.work(STATEMENT_STEPS);
      const isFolded = unit.seq !== undefined && !effort.areUnrecorded;
      if (command.writes || command.isQuery || !isFolded)
        return this.#apply(command, argv, unit, records, effort);
      return this.#reads.runInFold(argv, unit, effort, () =>
        this.#apply(command, argv, unit, records, effort),
      );
    });
    if (!(reply instanceof BudgetExceeded)) return reply;
    this.#data.lookups.missed = null;
    this.undo(records.splice(before));
    if (this.#effort.areUnrecorded) throw reply;
    return null;
  }

  /**
   * Applies a command. In the usual case, this takes a short path: there is no observer for changes, and the command is
   * not a write that counts look-ups.
   */
  #apply(
    command: Command,
    argv: readonly ByteString[],
    unit: Unit,
    records: UndoRecord[] | null,
    effort: EffortBudget,
  ): Reply {
    if (this.observer !== null || command.lookedUp !== null)
      return this.#applyAndNotify(command, argv, unit, records, effort);
    this.#data.begin(unit, records, command, effort);
    if (this.#mayWriteExpired(command, unit)) this.#removeExpired(command, argv, unit);
    return this.#carryOut(command, argv, unit);
  }

  /**
   * Applies a command and notifies the observer, if there is one, of its changes and of the keys that it did not find.
   */
  #applyAndNotify(
    command: Command,
    argv: readonly ByteString[],
    unit: Unit,
    records: UndoRecord[] | null,
    effort: EffortBudget,
  ): Reply {
    const { observer } = this;
    if (observer === null) return this.#applyWithLookups(command, argv, unit, records, effort);
    const undoRecords = records ?? [];
    const before = undoRecords.length;
    const { lookups } = this.#data;
    this.reportExpired(command.reads ? unit.at : 0);
    const missed: ByteString[] = [];
    lookups.missed = missed;
    const reply = this.#applyWithLookups(command, argv, unit, undoRecords, effort);
    lookups.missed = null;
    if (this.isRedoing) observer.redone(undoRecords.slice(before));
    else {
      const changes = undoRecords.slice(this.#expiredTo);
      observer.applied({ command, argv, unit, reply, records: changes, keyspaces: this.#keyspaces, missed });
    }
    return reply;
  }

  /** Applies a command and counts its look-ups if it writes (GETDEL, for example). */
  #applyWithLookups(
    command: Command,
    argv: readonly ByteString[],
    unit: Unit,
    records: UndoRecord[] | null,
    effort: EffortBudget,
  ): Reply {
    this.#data.begin(unit, records, command, effort);
    if (this.#mayWriteExpired(command, unit)) this.#removeExpired(command, argv, unit);
    this.#expiredTo = records?.length ?? 0;
    const looked =
      command.lookedUp === null
        ? []
        : lookUpKeys(this.#keyspaces[unit.db], command.lookedUp(command.keys, argv), unit.at);
    const reply = this.#carryOut(command, argv, unit);
    if (reply.kind !== "error") for (const { key, isFound } of looked) this.#data.lookups.note(key, isFound);
    return reply;
  }

  #carryOut(command: Command, argv: readonly ByteString[], unit: Unit): Reply {
    try {
      const reply = command.run(this.#data, argv, unit);
      if (this.usage.kind === "lfu") countUse(this.usage, this.#keyspaces, command, argv, unit);
      return reply;
    } catch (failure) {
      if (failure instanceof CommandFailure) return failure.reply;
      throw failure;
    }
  }

  /** Whether `reportExpired` has already reported keys with this expiry time. */
  #isReported(db: number, expire: number): boolean {
    return this.isRedoing || this.#keyspaces[db]!.hasTaken(expire);
  }

  /**
   * Whether a command may write expired keys. Most commands write only keys of their own database, and most databases
   * have no key that expires.
   */
  #mayWriteExpired({ writes, writesOtherDatabases }: Command, { db }: Unit): boolean {
    return writes && (writesOtherDatabases || this.#keyspaces[db]?.expiring !== 0);
  }

  /** Before a command runs, removes the expired keys that it may write, so that undo restores them. */
  #removeExpired(command: Command, argv: readonly ByteString[], unit: Unit): void {
    for (const { db, key, expire } of expiredWrites(this.#keyspaces, command, argv, unit)) {
      this.#data.delete(key, db);
      this.#expired++;
      if (this.observer !== null && !this.#isReported(db, expire))
        this.observer.removed(db, key, "expired", true);
    }
  }
}

/** Counts a use of each key that a command touches. */
function countUse(
  usage: KeyUsage,
  keyspaces: readonly Keyspace[],
  { isUse, keys }: Command,
  argv: readonly ByteString[],
  unit: Unit,
): void {
  if (!isUse) return;
  for (const { db, key } of touchesOf(keys, argv)) {
    const entry = key === null ? undefined : keyspaces[db ?? unit.db]?.find(key);
    if (entry !== undefined) usage.count(entry, unit.at);
  }
}

/** Returns which keys exist. @param at milliseconds since 1970; a key that has expired by then counts as absent */
function lookUpKeys(
  keyspace: Keyspace | undefined,
  keys: readonly ByteString[],
  at: number,
): readonly { readonly key: ByteString; readonly isFound: boolean }[] {
  return keys.map((key) => {
    const entry = keyspace?.find(key);
    return { key, isFound: entry !== undefined && !isExpired(entry, at) };
  });
}

interface ExpiredKey {
  readonly db: number;
  readonly key: ByteString;
  /** The expiry time, in milliseconds since 1970. */
  readonly expire: number;
}

/**
 * Yields the keys that a command may write and that have expired by the unit's date. Each key is yielded only once,
 * provided that the caller removes it before the next step.
 */
function* expiredWrites(
  keyspaces: readonly Keyspace[],
  { keys }: Command,
  argv: readonly ByteString[],
  unit: Unit,
): Generator<ExpiredKey> {
  for (const { db, key, access } of touchesOf(keys, argv)) {
    if (key === null || access === "read") continue;
    const number = db ?? unit.db;
    const entry = keyspaces[number]?.find(key);
    if (entry !== undefined && isExpired(entry, unit.at)) yield { db: number, key, expire: entry.expire };
  }
}
