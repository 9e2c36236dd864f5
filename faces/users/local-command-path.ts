import {
  ALL_COMMANDS_SUPPORTED,
  type CheckedCommand,
  type CommandPath,
  type CommandSender,
  type LocalData,
  type StepRunner,
  type WriteObserver,
  type Writers,
} from "../../daemon/engine/backends/command-path.js";
import type { KeyChangeObservers } from "../../daemon/engine/backends/key-change-observers.js";
import type { KeyCounts } from "../../daemon/engine/backends/key-counts.js";
import type { LocalUnits } from "../../daemon/engine/backends/local-units.js";
import type { MemoryBackend } from "../../daemon/engine/backends/memory-backend.js";
import { SCRIPT_WEIGHT } from "../../daemon/store/read-allowance.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { finishReply } from "../../protocol/lazy-replies.js";
import { array, type ErrorReply, NIL_ARRAY, type Reply } from "../../protocol/reply.js";
import type { Condition } from "../../protocol/version-2/envelope.js";

/**
 * The path of commands that are applied in memory, in the turn in which they arrive. Only queries may take several
 * turns.
 */
export class LocalPath implements CommandPath, LocalData {
  readonly records = false;
  readonly localData: LocalData = this;
  readonly closedDates = null;
  readonly decided = null;
  readonly unsupported = ALL_COMMANDS_SUPPORTED;
  readonly others = null;
  /** The reply to a write never arrives later, so the sender's waiters are not used. */
  readonly send = this.execute;
  readonly appliesAhead = false;
  readonly decides = false;
  readonly #backend: MemoryBackend;
  readonly #units: LocalUnits;

  constructor(backend: MemoryBackend, units: LocalUnits) {
    this.#backend = backend;
    this.#units = units;
  }

  mayBeOutdated(): boolean {
    return false;
  }

  get databases(): number {
    return this.#backend.databases;
  }

  get changes(): KeyChangeObservers {
    return this.#backend.changes;
  }

  execute(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply> {
    const reply = this.#backend.run(command, argv, this.#units.joined(sender), sender.now);
    if (command.group === "dbsync") this.#units.part();
    return reply;
  }

  inspect(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply> {
    return this.execute(command, argv, sender);
  }

  whenSafe(reply: Reply): Reply {
    return reply;
  }

  /** Runs a command as `execute` does, but always in this turn. */
  protected executeNow(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply {
    const reply = this.#backend.runNow(command, argv, this.#units.joined(sender), sender.now);
    if (command.group === "dbsync") this.#units.part();
    return finishReply(reply);
  }

  executeTogether(
    calls: readonly CheckedCommand[],
    conditions: readonly Condition[],
    sender: CommandSender,
  ): Reply {
    if (!this.areMet(conditions)) return NIL_ARRAY;
    return this.sharing(() =>
      array(calls.map(({ command, argv }) => this.executeNow(command, argv, sender))),
    );
  }

  sharing<Result>(run: () => Result): Result | ErrorReply {
    return this.#backend.asUnit(run);
  }

  executeInSteps(
    program: (run: StepRunner) => Reply,
    conditions: readonly Condition[],
    { now, as, isStable, lastWrite, readsAll, encoding }: CommandSender,
  ): Reply {
    if (!this.areMet(conditions)) return NIL_ARRAY;
    const sender = { db: 0, now, as, isStable, lastWrite, readsAll, encoding };
    const run = () =>
      program((command, argv, db) => {
        sender.db = db;
        return this.executeNow(command, argv, sender);
      });

    return this.#backend.asUnit(run, SCRIPT_WEIGHT);
  }

  get expiredKeys(): number {
    return this.#backend.expiredKeys;
  }

  get keyCounts(): readonly KeyCounts[] {
    return this.#backend.keyCounts;
  }

  observeWrites(observer: WriteObserver): void {
    this.#backend.observer = observer;
  }

  writersOf(db: number, keys: readonly ByteString[]): Writers {
    this.#units.part();
    return keys.map((key) => this.#backend.writerOf(db, key));
  }

  areMet(conditions: readonly Condition[]): boolean {
    return conditions.every(({ db, key, writer }) => this.#backend.writerOf(db, key) === writer);
  }
}

/**
 * The path of commands while this daemon may still be fetching its documents. Document commands are refused until it
 * has fetched them.
 */
export class LoadingPath extends LocalPath {
  readonly #backend: MemoryBackend;

  constructor(backend: MemoryBackend, units: LocalUnits) {
    super(backend, units);
    this.#backend = backend;
  }

  override execute(
    command: Command,
    argv: readonly ByteString[],
    sender: CommandSender,
  ): Reply | Promise<Reply> {
    return this.#backend.refusalOf(command) ?? super.execute(command, argv, sender);
  }

  protected override executeNow(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply {
    return this.#backend.refusalOf(command) ?? super.executeNow(command, argv, sender);
  }
}
