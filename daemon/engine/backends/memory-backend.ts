/** The in-memory database as a backend. It replies in the same turn, except to long queries. */

import type { ByteString } from "../../../protocol/byte-string.js";
import { finishReply } from "../../../protocol/lazy-replies.js";
import { type ErrorReply, error, type Reply } from "../../../protocol/reply.js";
import { BACKGROUND_TURN_MS, inTurns, type Steps } from "../../../protocol/steps.js";
import type { Condition } from "../../../protocol/version-2/envelope.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { commandTable } from "../../store/command-table.js";
import { DATABASES_DEFAULT, Database } from "../../store/database.js";
import { BudgetExceeded, type MemoryGrant, unitRefusal } from "../../store/keyspace/effort-budget.js";
import { KeyUsage, type UsageKind } from "../../store/keyspace/key-usage.js";
import { StringForms } from "../../store/keyspace/string-parts.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import type { Unit } from "../../store/keyspace/unit.js";
import type { Command } from "../../store/rows/command-row.js";
import { readsOrRefusal, UnitLimits, UnitRefused, withinLimits } from "../answers/unit-limits.js";
import type { Backend, Outcome } from "./backend.js";
import type { WriteObserver } from "./command-path.js";
import { KeyChangeObservers } from "./key-change-observers.js";
import { type KeyCounts, keyCountsOf } from "./key-counts.js";
import type { LocalUnit } from "./local-units.js";
import { completeEntries } from "./run-steps-in-turns.js";
import { foreignCursor } from "./scan-cursor.js";
import { type QuerySender, replyToUser, WorkingMemory } from "./working-memory.js";

/** The interval between two rounds of dropping expired keys, and between ticks of the use of keys, in milliseconds. */
const SWEEP_INTERVAL_MS = 100;
/** The number of keys that are dropped in one step, which takes well under a millisecond. */
const KEYS_PER_STEP = 500;
/** The command group of the commands that read and write documents. */
const DOCUMENT_GROUP = "document";

/** A script or transaction that is running, whose commands are applied one by one. */
interface RunningUnit {
  readonly records: UndoRecord[];
  readonly limits: UnitLimits;
}

export class MemoryBackend implements Backend {
  readonly name = "memory";
  readonly databases = DATABASES_DEFAULT;
  readonly up = true;
  /** Unused: the reply is immediate. */
  timeout = 0;
  /** The observer of writes, or null if there is none. */
  observer: WriteObserver | null = null;
  readonly changes: KeyChangeObservers;
  /** The working memory of queries in steps. */
  workingMemory: WorkingMemory;
  /**
   * Returns the reason why document commands are refused now, or null if they are accepted. The field itself is null if
   * document commands are never refused.
   */
  loading: (() => string | null) | null = null;
  readonly #environment: Environment;
  /**
   * The maximum age in milliseconds of a unit that may still arrive. Keys that expired earlier than that can be
   * dropped.
   */
  readonly #maxUnitAge: number;
  readonly #database: Database;
  #timer: NodeJS.Timeout | null = null;
  /** Whether a round of dropping expired keys is still running. */
  #isSweeping = false;
  /** The latest date at which a read was executed; it never decreases. */
  #readAt = 0;
  #unit: RunningUnit | null = null;

  /** @param usage  the kind of key usage that is tracked */
  constructor(environment: Environment, maxUnitAge = 0, usage: UsageKind = "lru") {
    this.#environment = environment;
    this.workingMemory = new WorkingMemory(environment);
    this.#maxUnitAge = maxUnitAge;
    this.#database = new Database({
      usage: new KeyUsage(usage, environment.random),
      forms: new StringForms(),
    });
    this.changes = new KeyChangeObservers(this);
  }

  /** The database, for callers that know that no other daemon has the same data. */
  get database(): Database {
    return this.#database;
  }

  async start(): Promise<void> {
    const clock = {
      uptime: this.#environment.uptime,
      soon: (step: () => void) => void setImmediate(step).unref(),
    };
    const options = { milliseconds: BACKGROUND_TURN_MS };

    const { usage } = this.#database;
    usage.tick(this.#environment.clock());
    const sweep = () => {
      usage.tick(this.#environment.clock());
      if (!this.#isSweeping) void inTurns(this.#sweep(), clock, options);
    };
    this.#timer = setInterval(sweep, SWEEP_INTERVAL_MS).unref();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  execute(argv: readonly ByteString[], unit: Unit): Outcome | Promise<Outcome> {
    const command = commandTable.resolve(argv);
    if (command instanceof CommandFailure) return command.reply;
    const refused =
      (this.loading === null ? null : this.refusalOf(command)) ??
      (command.writes ? null : foreignCursor(command, argv));
    if (refused !== null) return refused;
    const { clock } = this.#environment;
    if (command.isQuery && unit.takesSteps !== false) return this.#query(command, argv, unit, unit.client);
    const reply = finishReply(this.#run(command, argv, command.reads ? this.#dated(unit, clock()) : unit));
    return unit.takesSteps === false ? reply : completeEntries(reply, this.#environment.uptime);
  }

  /**
   * Returns the error for a document command while the documents are still being fetched, or null if the command may
   * run.
   */
  refusalOf({ group }: Command): ErrorReply | null {
    if (this.loading === null || group !== DOCUMENT_GROUP) return null;
    const reason = this.loading();
    return reason === null ? null : error(`LOADING ${reason}`);
  }

  /**
   * Executes a command that the caller has already looked up.
   * @param unit  receives the date of the read, if the command reads
   * @param now   milliseconds since 1970
   * @returns a promise if the command is a query that takes several turns
   */
  run(command: Command, argv: readonly ByteString[], unit: LocalUnit, now: number): Reply | Promise<Reply> {
    if (command.isQuery && unit.takesSteps === true)
      return replyToUser(this.#query(command, argv, unit, unit.sender));
    return this.runNow(command, argv, unit, now);
  }

  /** Executes a command as `run` does, but always in this turn. */
  runNow(command: Command, argv: readonly ByteString[], unit: LocalUnit, now: number): Reply {
    if (command.reads) unit.at = this.#readDate(now);
    const reply =
      this.#unit === null
        ? this.#database.run(command, argv, unit)
        : this.#runInUnit(command, argv, unit, this.#unit);
    if (this.observer !== null && command.writes) this.observer.written(command, argv, unit.db, reply);
    return reply;
  }

  /**
   * Runs a function in this turn, whose commands form one unit: they take effect together, or not at all. A unit within
   * a unit is part of it.
   * @param readWeight  the factor of the steps of its reads
   * @returns the error of the limit that the unit exceeds, if any; nothing of the unit was done then
   */
  asUnit<Result>(run: () => Result, readWeight = 1): Result | ErrorReply {
    const database = this.#database;
    const reading = () => database.readingTogether(run, readWeight);
    if (this.#unit !== null) return reading();
    const records: UndoRecord[] = [];
    this.#unit = { records, limits: new UnitLimits() };
    try {
      return database.reportingAfter(() => database.withBudget(database.unitStepsMax, reading));
    } catch (problem) {
      database.undo(records);
      if (problem instanceof UnitRefused) return problem.reply;
      throw problem;
    } finally {
      this.#unit = null;
    }
  }

  /** @throws UnitRefused  the command exceeds a limit of its unit */
  #runInUnit(
    command: Command,
    argv: readonly ByteString[],
    unit: Unit,
    { records, limits }: RunningUnit,
  ): Reply {
    const before = records.length;
    try {
      const reply = withinLimits(this.#database.run(command, argv, unit, records));
      if (records.length > before) limits.add(argv);
      return reply;
    } catch (problem) {
      if (problem instanceof BudgetExceeded) throw new UnitRefused(unitRefusal(problem, command).reply);
      throw problem;
    }
  }

  #query(
    command: Command,
    argv: readonly ByteString[],
    { db, id, step = 0, caller }: Unit,
    sender?: QuerySender,
  ): Outcome | Promise<Outcome> {
    const start = (memory: MemoryGrant) => {
      const at = this.#readDate(this.#environment.clock());
      return this.#run(command, argv, { at, db, id, step, takesSteps: true, memory });
    };
    return this.workingMemory.run({ caller: caller ?? "", argv, start, sender });
  }

  #run(command: Command, argv: readonly ByteString[], unit: Unit): Reply {
    const reply = this.#database.run(command, argv, unit);
    if (this.observer !== null && command.writes) this.observer.written(command, argv, unit.db, reply);
    return reply;
  }

  /** The number of keys that have expired but are still stored. */
  get expiredKeys(): number {
    return this.#database.expiredKeys(this.#environment.clock());
  }

  /** The key counts of all databases that are not empty. */
  get keyCounts(): readonly KeyCounts[] {
    return keyCountsOf(this.#database, this.#environment.clock());
  }

  /** Returns the id of the unit that changed a key last, or an empty string if the key does not exist. */
  writerOf(db: number, key: ByteString): ByteString {
    return this.#database.writerOf(db, key, this.#environment.clock());
  }

  executeTogether(commands: readonly (readonly ByteString[])[], unit: Unit): Reply {
    const resolved: Command[] = [];
    let failure: Reply | null = null;
    for (const argv of commands) {
      const command = commandTable.resolve(argv);
      if (command instanceof CommandFailure) {
        failure ??= command.reply;
        continue;
      }
      const refused = this.refusalOf(command);
      if (refused !== null) return refused;
      resolved.push(command);
    }

    if (failure !== null) return failure;
    if (!resolved.every(({ reads }) => reads)) {
      const reply = this.asUnit(() => this.#runMulti(resolved, commands, unit));
      this.observer?.changed();
      return reply;
    }

    for (const [i, command] of resolved.entries()) {
      const foreign = foreignCursor(command, commands[i] as readonly ByteString[]);
      if (foreign !== null) return foreign;
    }

    const dated = this.#dated(unit, this.#environment.clock());
    return readsOrRefusal(this.#database, () => this.#database.runMulti(resolved, commands, dated));
  }

  /** @throws UnitRefused  the commands exceed a limit of their unit */
  #runMulti(resolved: readonly Command[], commands: readonly (readonly ByteString[])[], unit: Unit): Reply {
    const { records } = this.#unit as RunningUnit;
    try {
      return this.#database.runMulti(resolved, commands, unit, records);
    } catch (problem) {
      if (problem instanceof BudgetExceeded)
        throw new UnitRefused(
          unitRefusal(problem, { isQuery: resolved.some(({ isQuery }) => isQuery) }).reply,
        );
      throw problem;
    }
  }

  holds(conditions: readonly Condition[], unit: Unit): boolean {
    return this.#database.holds(conditions, unit.at);
  }

  /** Returns the date of a read: the current time, but never earlier than the previous read. */
  #readDate(now: number): number {
    if (now > this.#readAt) this.#readAt = now;
    return this.#readAt;
  }

  #dated({ db, id, step = 0 }: Unit, now: number): Unit {
    return { at: this.#readDate(now), db, id, step };
  }

  /**
   * Drops expired keys in several turns, because a million keys may expire together. Only one round runs at a time,
   * because concurrent rounds would make clients wait for several turns in a row.
   */
  *#sweep(): Steps<void> {
    this.#isSweeping = true;
    while (this.#timer !== null) {
      const now = this.#environment.clock();
      this.#database.reportExpired(now);
      if (this.#database.dropExpired(now - this.#maxUnitAge, KEYS_PER_STEP) < KEYS_PER_STEP) break;
      yield;
    }
    this.#isSweeping = false;
  }
}
