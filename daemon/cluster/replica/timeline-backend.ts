/**
 * The timeline's state as a backend. It executes only reads, because writes are recorded and folded instead. The time
 * at which reads are executed never decreases, even if the clock is set back.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { finishReply } from "../../../protocol/lazy-replies.js";
import { error, type Reply } from "../../../protocol/reply.js";
import type { Condition } from "../../../protocol/version-2/envelope.js";
import type { FlushingState } from "../../engine/answers/safe-answers.js";
import { readsOrRefusal } from "../../engine/answers/unit-limits.js";
import type { Backend, Outcome } from "../../engine/backends/backend.js";
import type { ClosedDates, WriteObserver } from "../../engine/backends/command-path.js";
import { answerWhenClosed, isFollowing } from "../../engine/backends/followed-streams.js";
import { KeyChangeObservers } from "../../engine/backends/key-change-observers.js";
import { type KeyCounts, keyCountsOf } from "../../engine/backends/key-counts.js";
import type { LocalUnit } from "../../engine/backends/local-units.js";
import { completeEntries, completeReply } from "../../engine/backends/run-steps-in-turns.js";
import { foreignCursor, foreignCursorAmong } from "../../engine/backends/scan-cursor.js";
import { type QuerySender, replyToUser, WorkingMemory } from "../../engine/backends/working-memory.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { DATABASES_DEFAULT, type Database } from "../../store/database.js";
import { type MemoryGrant, UNIT_STEPS_DEFAULT } from "../../store/keyspace/effort-budget.js";
import type { Unit } from "../../store/keyspace/unit.js";
import type { Command } from "../../store/rows/command-row.js";
import { readRow, rowIn } from "../../store/semantics.js";

/** The command group of the TIMELINE commands. It also contains many other commands. */
const PAST_GROUP = "server";

/** The commands about the past that report outcomes of units. */
const OUTCOME_COMMANDS: ReadonlySet<string> = new Set(["TIMELINE|BLAME", "TIMELINE|GET", "TIMELINE|LOG"]);

/** The number of keys in each database that one tick checks for expiry. */
const EXPIRED_PER_TICK = 5000;

/** The part of the timeline's state that is read here. */
export interface TimelineState extends FlushingState {
  readonly database: Database;
  readonly failure: string | null;
  /** The reason why this daemon has stopped applying units, or null if it applies them. */
  readonly standstill: string | null;
}

/** The executor of TIMELINE commands. */
export interface PastCommands {
  /** @returns null if the command is not a TIMELINE command */
  execute(name: string, argv: readonly ByteString[], unit: Unit): Reply | Promise<Reply> | null;
}

export class TimelineBackend implements Backend {
  readonly name = "memory";
  readonly databases = DATABASES_DEFAULT;
  /** Not used: the answer is available immediately. */
  timeout = 0;
  /** The observer of changes of the state, or null if no listener needs them. */
  observer: WriteObserver | null = null;
  /** Answers TIMELINE commands, or null to answer them as on a daemon that records nothing. */
  past: PastCommands | null = null;
  /** The dates that other daemons have closed, or null if no other daemon writes the same data. */
  closedDates: ClosedDates | null = null;
  readonly changes: KeyChangeObservers;
  /** The number of steps that a unit may use in one turn. */
  readonly unitSteps: number;
  /** The working memory of queries in steps. */
  workingMemory: WorkingMemory;
  readonly #timeline: TimelineState;
  readonly #environment: Environment;
  #hasLoggedStandstill = false;
  /** The latest time at which a read was executed. */
  #readAt = 0;

  constructor(timeline: TimelineState, environment: Environment, unitSteps = UNIT_STEPS_DEFAULT) {
    this.unitSteps = unitSteps;
    this.#timeline = timeline;
    this.workingMemory = new WorkingMemory(environment);
    this.changes = new KeyChangeObservers(timeline);
    this.#environment = environment;
  }

  /** The current database. A caller that changes its contents must undo the changes in the same turn. */
  get database(): Database {
    return this.#timeline.database;
  }

  /** Settles when everything that reads see now is as safe as --fsync requires, or null if it already is. */
  get flushing(): Promise<void> | null {
    return this.#timeline.flushing;
  }

  /** The number of times that the state was replaced by one without the writes that a failed disk does not have. */
  get undone(): number {
    return this.#timeline.undone;
  }

  /** Always true, because the database is in memory. The daemon's state reports a failure of the disk. */
  readonly up = true;

  /** Does nothing: the owner of the timeline starts and stops it. */
  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  /**
   * Counts expired keys, so that INFO and DBSIZE are fast. The fold drops such keys later, when no unit can see them
   * any longer. Also advances the time of the use of keys.
   */
  tick(): void {
    const { database } = this.#timeline;
    const now = this.#environment.clock();
    database.usage.tick(now);
    database.lookForExpired(now, EXPIRED_PER_TICK);
    database.reportExpired(now);
    this.#invalidateCopies();
  }

  /**
   * When a standstill begins, invalidates the copies of keys that clients have cached, because later changes are not
   * applied and would not invalidate them.
   */
  #invalidateCopies(): void {
    const isStill = this.standstill !== null;
    if (isStill && !this.#hasLoggedStandstill) this.changes.replaced();
    this.#hasLoggedStandstill = isStill;
  }

  execute(argv: readonly ByteString[], unit: Unit): Outcome | Promise<Outcome> {
    const command = readRow(this.database.table, argv);
    if (command instanceof CommandFailure) return command.reply;

    const other =
      this.#refusalOf(command) ?? this.#ofPast(command, argv, unit) ?? foreignCursor(command, argv);
    if (other !== null) return other;

    if (command.isQuery && unit.takesSteps !== false) return this.#query(command, argv, unit, unit.client);
    if (this.closedDates !== null && isFollowing(command) && unit.takesSteps !== false) {
      const read = () => this.#timeline.database.run(command, argv, this.#dated(unit));
      return answerWhenClosed(this.closedDates, read(), read);
    }

    const reply = finishReply(this.#timeline.database.run(command, argv, this.#dated(unit)));
    return unit.takesSteps === false ? reply : completeEntries(reply, this.#environment.uptime);
  }

  #query(
    command: Command,
    argv: readonly ByteString[],
    { db, id, step = 0, caller }: Unit,
    sender?: QuerySender,
  ): Outcome | Promise<Outcome> {
    const start = (memory: MemoryGrant): Reply => {
      const { standstill } = this;
      if (standstill !== null) return standstill;
      const dated = this.#dated({ at: 0, db, id, step });
      return this.#timeline.database.run(command, argv, { ...dated, takesSteps: true, memory });
    };
    return this.workingMemory.run({ caller: caller ?? "", argv, start, sender });
  }

  /**
   * Like `execute`, for a command that the caller has already looked up.
   * @param unit  receives the date of the read
   * @param now   milliseconds since 1970
   */
  run(command: Command, argv: readonly ByteString[], unit: LocalUnit, now: number): Reply | Promise<Reply> {
    const other = this.#refusalOf(command) ?? this.#ofPast(command, argv, unit);
    if (other !== null) return other;
    unit.at = this.#readDate(now);
    const { database } = this.#timeline;
    // Listeners look up commands in the newest command table, but the state may use an older one.
    const here = rowIn(database.table, command, argv);
    if (here instanceof CommandFailure) return here.reply;
    if (here.isQuery && unit.takesSteps === true)
      return replyToUser(this.#query(here, argv, unit, unit.sender));
    return database.run(here, argv, unit);
  }

  /**
   * The error for reads at a standstill, or null if there is none. Without this error, a client would assume that it
   * reads the newest state.
   */
  get standstill(): Reply | null {
    const { standstill } = this.#timeline;
    return standstill === null ? null : error(`ERR semantics-unknown: ${standstill}`);
  }

  #refusalOf(command: Command): Reply | null {
    return this.shows(command) ? this.standstill : null;
  }

  /** Whether the reply to a command shows data, or outcomes of units. */
  shows({ reads, name }: Command): boolean {
    return reads || OUTCOME_COMMANDS.has(name);
  }

  /** Answers a command about the past, or returns null if it is a different command. */
  #ofPast(command: Command, argv: readonly ByteString[], unit: Unit): Reply | Promise<Reply> | null {
    if (command.writes) throw new Error(`${command.name} is recorded, not executed`);
    if (this.past === null || command.group !== PAST_GROUP) return null;
    return this.past.execute(command.name, argv, unit);
  }

  /** Returns a reply with all its items, or its promise if finding them takes longer than one turn. */
  complete(reply: Reply): Reply | Promise<Reply> {
    return completeReply(reply, this.#environment.uptime);
  }

  executeTogether(commands: readonly (readonly ByteString[])[], unit: Unit): Reply {
    const { database } = this.#timeline;
    const run = () => readsOrRefusal(database, () => database.executeMulti(commands, this.#dated(unit)));
    const refused = this.standstill ?? foreignCursorAmong(commands, (argv) => database.table.resolve(argv));
    return refused ?? database.sharing(run, this.unitSteps);
  }

  /** Whether the conditions hold. Returns true at a standstill, because the commands themselves are then refused. */
  holds(conditions: readonly Condition[], unit: Unit): boolean {
    return this.standstill !== null || this.#timeline.database.holds(conditions, this.#dated(unit).at);
  }

  /** The number of keys that have expired but are still stored. */
  get expiredKeys(): number {
    return this.#timeline.database.expiredKeys(this.#environment.clock());
  }

  /** Counts of the databases that are not empty. */
  get keyCounts(): readonly KeyCounts[] {
    return keyCountsOf(this.#timeline.database, this.#environment.clock());
  }

  /** Returns the id of the unit that changed a key last, or an empty string if the key does not exist. */
  writerOf(db: number, key: ByteString): ByteString {
    return this.#timeline.database.writerOf(db, key, this.#environment.clock());
  }

  /** Executes all later reads as of the current time, even if their senders have read the clock earlier. */
  readFromNow(): void {
    this.#readDate(this.#environment.clock());
  }

  #readDate(now: number): number {
    if (now > this.#readAt) this.#readAt = now;
    return this.#readAt;
  }

  #dated({ db, id, step = 0 }: Unit): Unit {
    return { at: this.#readDate(this.#environment.clock()), db, id, step };
  }
}
