/**
 * The command path of a daemon with a timeline: writes are signed with the daemon's own key and recorded; reads are
 * answered from the state.
 */

import { replyOf } from "../../engine/answers/refusal-reply.js";
import { UnitRefused } from "../../engine/answers/unit-limits.js";
import type { CheckedCommand } from "../../engine/backends/checked-command.js";
import type { KeyChangeObservers } from "../../engine/backends/key-change-observers.js";
import type { KeyCounts } from "../../engine/backends/key-counts.js";
import type { LocalUnits } from "../../engine/backends/local-units.js";
import type { WriteObserver } from "../../engine/backends/write-observer.js";
import {
  ALL_COMMANDS_SUPPORTED,
  type CommandPath,
  type CommandSender,
  type ReplyWaiter,
  type StepRunner,
  type WaitingSender,
  type Writers,
} from "../../engine/users/command-path.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { array, NIL_ARRAY, type Reply } from "../../protocol/reply.js";
import type { Condition } from "../../protocol/version-2/envelope.js";
import type { Command } from "../../store/rows/command-row.js";
import type { Gateway } from "./gateway.js";
import type { TimelineBackend } from "./timeline-backend.js";
import { TrialRun } from "./trial-run.js";

export class RecordedPath implements CommandPath {
  readonly records = true;
  readonly forwards = false;
  readonly unsupported = ALL_COMMANDS_SUPPORTED;
  readonly #backend: TimelineBackend;
  readonly #gateway: Gateway;
  readonly #units: LocalUnits;
  readonly #others: () => number | null;

  /**
   * @param units  creates the units for reads, whose ids seed random choices
   * @param others  returns the number of other daemons that are connected, or null if this daemon is alone
   */
  constructor(backend: TimelineBackend, gateway: Gateway, units: LocalUnits, others: () => number | null) {
    this.#backend = backend;
    this.#gateway = gateway;
    this.#units = units;
    this.#others = others;
  }

  get others(): number | null {
    return this.#others();
  }

  get databases(): number {
    return this.#backend.databases;
  }

  get changes(): KeyChangeObservers {
    return this.#backend.changes;
  }

  execute(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply> {
    if (!command.writes) return this.#read(command, argv, sender);
    this.#notifySent(command, argv, sender.db);
    return this.#gateway.execute(argv, sender).then(replyOf);
  }

  send<Waiter extends ReplyWaiter>(
    command: Command,
    argv: readonly ByteString[],
    sender: WaitingSender<Waiter>,
  ): Reply | Promise<Reply> | Waiter {
    if (!command.writes) return this.#read(command, argv, sender);
    const waiter = sender.waiter();
    this.#notifySent(command, argv, sender.db);
    const refusal = this.#gateway.send(argv, sender, waiter);
    return refusal === null ? waiter : replyOf(refusal);
  }

  executeTogether(
    calls: readonly CheckedCommand[],
    conditions: readonly Condition[],
    sender: CommandSender,
  ): Reply | Promise<Reply> {
    if (calls.some(({ command }) => command.writes)) {
      const commands = calls.map(({ argv }) => argv);
      this.#backend.observer?.sent(calls, sender.db);
      return this.#gateway.executeTogether(commands, conditions, sender).then(replyOf);
    }
    if (!this.hold(conditions)) return NIL_ARRAY;
    const backend = this.#backend;
    const read = () => calls.map(({ command, argv }) => this.#read(command, argv, sender));
    const replies = backend.database.sharing(read, backend.unitSteps);
    return replies.some((reply) => reply instanceof Promise)
      ? Promise.all(replies).then(array)
      : array(replies as Reply[]);
  }

  sharing<Result>(run: () => Result): Result {
    return run();
  }

  executeInSteps(
    program: (run: StepRunner) => Reply,
    conditions: readonly Condition[],
    sender: CommandSender,
  ): Reply | Promise<Reply> {
    const [backend, gateway] = [this.#backend, this.#gateway];
    const { standstill } = backend;
    if (standstill !== null) return standstill;
    const position = gateway.begin();
    if (!this.hold(conditions)) return NIL_ARRAY;
    const trial = new TrialRun(backend.database, backend.unitSteps, position, sender);
    let reply: Reply;
    try {
      reply = trial.run(program);
    } catch (problem) {
      if (problem instanceof UnitRefused) return problem.reply;
      throw problem;
    }
    const { calls, db, choices } = trial;
    if (calls.length === 0) return reply;
    backend.observer?.sent(calls, db);
    const commands = calls.map(({ argv }) => argv);
    const { as, isStable, replicated, lastWrite } = sender;
    return gateway
      .recordNow({ commands, conditions, ...choices }, position.date, {
        db,
        as,
        isStable,
        replicated,
        lastWrite,
      })
      .then(replyOf)
      .then((answer) => (answer.kind === "error" ? answer : reply));
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
    return keys.map((key) => this.#backend.writerOf(db, key));
  }

  hold(conditions: readonly Condition[]): boolean {
    const backend = this.#backend;
    // At a standstill the conditions do not matter, because the commands themselves are refused.
    if (backend.standstill !== null) return true;
    return conditions.every(({ db, key, writer }) => backend.writerOf(db, key) === writer);
  }

  #notifySent(command: Command, argv: readonly ByteString[], db: number): void {
    const { observer } = this.#backend;
    if (observer?.awaits) observer.sent([{ command, argv }], db);
  }

  #read(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply> {
    return this.#backend.run(command, argv, this.#units.joined(sender), sender.now);
  }
}
