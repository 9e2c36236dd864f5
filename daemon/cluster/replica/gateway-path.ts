/**
 * The command path of a daemon that records writes: its gateway signs and records them; reads are
 * answered from the state, as soon as everything that they may show is on disk. Commands of one sender run in the order
 * of their arrival, without waiting for the answers.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { finishReply, SteppedReply } from "../../../protocol/lazy-replies.js";
import { array, error, NIL_ARRAY, type Reply } from "../../../protocol/reply.js";
import type { Condition } from "../../../protocol/version-2/envelope.js";
import { type Refused, refused, replyOf } from "../../engine/answers/request.js";
import { readsOrRefusal } from "../../engine/answers/unit-limits.js";
import {
  ALL_COMMANDS_SUPPORTED,
  type CheckedCommand,
  type ClosedDates,
  type CommandPath,
  type CommandSender,
  type DecidedCommands,
  type LastWrite,
  type LocalData,
  type ProgramOutline,
  type ReplyWaiter,
  type StepRunner,
  type WaitingSender,
  type WriteObserver,
  type Writers,
} from "../../engine/backends/command-path.js";
import type { KeyChangeObservers } from "../../engine/backends/key-change-observers.js";
import type { KeyCounts } from "../../engine/backends/key-counts.js";
import type { LocalUnits } from "../../engine/backends/local-units.js";
import { isStepped } from "../../engine/backends/run-steps-in-turns.js";
import { TAKES_ELSEWHERE } from "../../store/rights/decided-patterns.js";
import { type Command, isClaim } from "../../store/rows/command-row.js";
import { beginDeciding, leavesUnknown, NOT_SENT } from "./decision-queue.js";
import type { Gateway } from "./gateway.js";
import { HeldAnswers, type HeldWaiter } from "./held-answers.js";
import type { TimelineBackend } from "./timeline-backend.js";
import type { GatewayProgram } from "./waiting-group.js";

export class GatewayPath implements CommandPath, LocalData {
  readonly records = true;
  readonly localData: LocalData = this;
  readonly decided: DecidedCommands;
  readonly unsupported = ALL_COMMANDS_SUPPORTED;
  readonly #backend: TimelineBackend;
  readonly #gateway: Gateway;
  readonly #units: LocalUnits;
  readonly #others: () => number | null;
  readonly #held: HeldAnswers;

  /**
   * @param units  creates the units for reads, whose ids seed random choices
   * @param others  returns the number of other daemons that are connected, or null if this daemon is alone
   */
  constructor(backend: TimelineBackend, gateway: Gateway, units: LocalUnits, others: () => number | null) {
    this.#backend = backend;
    this.#gateway = gateway;
    this.#units = units;
    this.#others = others;
    this.#held = new HeldAnswers(backend);

    this.decided = {
      get signer() {
        return gateway.own.signer;
      },
      isOfDaemon: (id) => gateway.ring.find(id)?.role === "daemon",
      covers: (argv, db) => gateway.writesDecidedKeys(argv, db),
    };
  }

  get appliesAhead(): boolean {
    return this.#gateway.appliesAhead;
  }

  get decides(): boolean {
    return this.#gateway.decides;
  }

  mayBeOutdated(key: ByteString, { db }: CommandSender): boolean {
    return this.#gateway.writesDecidedKeys(["DEL", key], db) || this.#gateway.refusesWrites;
  }

  get others(): number | null {
    return this.#others();
  }

  get closedDates(): ClosedDates | null {
    return this.#backend.closedDates;
  }

  get databases(): number {
    return this.#backend.databases;
  }

  get changes(): KeyChangeObservers {
    return this.#backend.changes;
  }

  execute(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply> {
    const before = this.#mustFollow(command, argv, sender);
    if (before !== null) return this.#runAfter(before, command, argv, sender);
    if (!command.writes) {
      const reply = this.#read(command, argv, sender);
      return this.#backend.shows(command) ? this.#whenRead(reply) : reply;
    }
    if (isClaim(command, argv) && this.#takesElsewhere([{ command, argv }], sender)) return MIXED;
    this.#notifySent(command, argv, sender.db);
    return this.#gateway.execute(argv, sender).then(replyOf);
  }

  inspect(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply> {
    return command.writes ? this.execute(command, argv, sender) : this.#read(command, argv, sender);
  }

  whenSafe(reply: Reply): Reply | Promise<Reply> {
    return this.#held.whenSafe(reply);
  }

  send<Waiter extends ReplyWaiter>(
    command: Command,
    argv: readonly ByteString[],
    sender: WaitingSender<Waiter>,
  ): Reply | Promise<Reply> | Waiter {
    const before = this.#mustFollow(command, argv, sender);
    if (before !== null) return this.#runAfter(before, command, argv, sender);
    if (!command.writes) return this.#sendRead(command, argv, sender);
    if (isClaim(command, argv) && this.#takesElsewhere([{ command, argv }], sender)) return MIXED;
    const waiter = sender.waiter();
    this.#notifySent(command, argv, sender.db);
    const refusal = this.#gateway.send(argv, sender, waiter);
    return refusal === null ? waiter : replyOf(refusal);
  }

  executeTogether(
    calls: readonly CheckedCommand[],
    conditions: readonly Condition[],
    sender: CommandSender,
    isDecided = true,
  ): Reply | Promise<Reply> {
    const before = undecided(sender);
    if (before !== null)
      return afterDecision(before, () => this.executeTogether(calls, conditions, sender, isDecided));

    if (calls.some(({ command }) => command.writes)) {
      const commands = calls.map(({ argv }) => argv);
      if (this.#takesElsewhere(calls, sender)) return MIXED;
      const writesDecidedKeys = calls.some(({ command, argv }) =>
        this.#writesDecidedKeys(command, argv, sender),
      );
      this.#backend.observer?.sent(calls, sender.db);
      return new Promise((resolve) =>
        this.#gateway.sendTogether(
          { commands, conditions, needsDecision: isDecided, writesDecidedKeys },
          sender,
          (answer) => resolve(replyOf(answer)),
        ),
      );
    }

    if (!this.#mustWait(sender)) return this.#whenRead(this.#readTogether(calls, conditions, sender));
    return new Promise((answered) => {
      this.#readLater(sender, { answered: (answer) => answered(replyOf(answer)) }, () =>
        this.#readTogether(calls, conditions, sender),
      );
    });
  }

  #readTogether(
    calls: readonly CheckedCommand[],
    conditions: readonly Condition[],
    sender: CommandSender,
  ): Reply | Promise<Reply> {
    if (!this.areMet(conditions)) return NIL_ARRAY;
    const backend = this.#backend;
    const read = () => calls.map(({ command, argv }) => this.#read(command, argv, sender));
    const { database } = backend;
    const replies = readsOrRefusal(database, () => database.withSharedBudget(read, backend.unitSteps));
    if ("kind" in replies) return replies;
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
    outline: ProgramOutline,
  ): Promise<Reply> {
    const before = undecided(sender);
    const isDecided = this.#touchesDecided(outline, sender);
    if (before !== null && !(isDecided && before.following === 0))
      return afterDecision(before, () => this.executeInSteps(program, conditions, sender, outline));

    const { lastWrite } = sender;
    // Whether the members decide on it is known for certain only once it has run. Its sender's later commands wait.
    const mayBeDecided = !this.#gateway.patterns.isEmpty && !outline.readsOnly;
    const settled = mayBeDecided ? beginDeciding(lastWrite, !isDecided) : NOTHING_SETTLED;

    return new Promise((resolve) => {
      const backend = this.#backend;
      const { readsOnly } = outline;
      const recorded = new WaitingProgram({
        path: this,
        backend,
        program,
        conditions,
        readsOnly,
        sender,
        resolve,
        settled,
      });

      if (isDecided)
        this.#gateway.decideOnProgram(
          recorded,
          outline.keys().map((key) => ({ db: sender.db, key })),
        );
      else this.#gateway.sendProgram(recorded);
    });
  }

  /** Whether a program is likely to touch decided keys. */
  #touchesDecided({ readsOnly, keys }: ProgramOutline, { db }: CommandSender): boolean {
    const { patterns } = this.#gateway;
    return !readsOnly && !patterns.isEmpty && keys().some((key) => patterns.hasKey(db, key));
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

  areMet(conditions: readonly Condition[]): boolean {
    const backend = this.#backend;
    // At a standstill the conditions do not matter, because the commands themselves are refused.
    if (backend.standstill !== null) return true;
    return conditions.every(({ db, key, writer }) => backend.writerOf(db, key) === writer);
  }

  #writesDecidedKeys(command: Command, argv: readonly ByteString[], { db }: CommandSender): boolean {
    return command.writes && this.#gateway.writesDecidedKeys(argv, db);
  }

  /** Returns what a command of a sender must wait for, because it may not join the envelope that is being decided. */
  #mustFollow(command: Command, argv: readonly ByteString[], sender: CommandSender): Undecided | null {
    const before = undecided(sender);
    const mayJoin = before?.following === 0 && sender.isPatient !== true;
    const joins = mayJoin && this.#writesDecidedKeys(command, argv, sender);
    return joins ? null : before;
  }

  /** Runs a command after the members have decided on those before it. */
  #runAfter(
    before: Undecided,
    command: Command,
    argv: readonly ByteString[],
    sender: CommandSender,
  ): Promise<Reply> {
    return afterDecision(before, () => {
      const isReadAfterWrites = !command.writes && this.#backend.shows(command) && this.#mustWait(sender);
      if (!isReadAfterWrites || undecided(sender) !== null) return this.execute(command, argv, sender);
      return new Promise((answered) => {
        const waiter = { answered: (answer: Reply | Refused) => answered(replyOf(answer)) };
        this.#readLater(sender, waiter, () => this.#read(command, argv, sender));
      });
    });
  }

  /** Whether commands write decided keys, and take elements from other keys, too, whose contents may still change. */
  #takesElsewhere(calls: readonly CheckedCommand[], { db }: CommandSender): boolean {
    const { patterns } = this.#gateway;
    if (patterns.isEmpty) return false;
    return patterns.isMixed(calls.map(({ command, argv }) => ({ command, argv, db })));
  }

  #notifySent(command: Command, argv: readonly ByteString[], db: number): void {
    const { observer } = this.#backend;
    if (observer?.awaits) observer.sent([{ command, argv }], db);
  }

  #read(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply> {
    return this.#backend.run(command, argv, this.#units.joined(sender), sender.now);
  }

  /** Whether a command must run after commands of the same sender that are not applied yet. */
  #mustWait({ lastWrite }: CommandSender): boolean {
    return lastWrite !== undefined && lastWrite.unapplied > 0 && this.appliesAhead;
  }

  #sendRead<Waiter extends ReplyWaiter>(
    command: Command,
    argv: readonly ByteString[],
    sender: WaitingSender<Waiter>,
  ): Reply | Promise<Reply> | Waiter {
    if (!this.#backend.shows(command)) return this.#read(command, argv, sender);
    if (this.#mustWait(sender)) {
      const waiter = sender.waiter();
      this.#readLater(sender, waiter, () => this.#read(command, argv, sender));
      return waiter;
    }
    const reply = this.#read(command, argv, sender);
    if (!this.#held.areHeld || reply instanceof Promise || isStepped(reply)) return this.#whenRead(reply);
    const waiter = sender.waiter();
    this.#held.send(reply, waiter);
    return waiter;
  }

  /** Runs a read after the commands of its sender that are not applied yet. Its steps do not count for them. */
  #readLater(sender: CommandSender, waiter: HeldWaiter, read: () => Reply | Promise<Reply>): void {
    let reply: Reply | Promise<Reply> = NIL_ARRAY;

    const run = () => {
      // The commands before it were dated after it arrived.
      this.#backend.readFromNow();
      reply = this.#backend.database.runUncounted(read);
      if (!(reply instanceof Promise)) reply = finishReply(reply);
    };
    const end = () => {
      if (reply instanceof Promise) this.#held.sendLater(reply, waiter);
      else this.#held.send(reply, waiter);
    };

    this.#gateway.readAfter(sender, { run, end });
  }

  /** Returns the reply to a read that has begun in this turn, once everything that it may show is on disk. */
  #whenRead(reply: Reply | Promise<Reply>): Reply | Promise<Reply> {
    return this.#held.whenSafe(
      reply instanceof Promise ? reply.then((settled) => this.#complete(settled)) : this.#complete(reply),
    );
  }

  #complete(reply: Reply): Reply | Promise<Reply> {
    // The items of a SteppedReply may show later changes, so it must be complete before it can wait.
    const mustComplete = reply instanceof SteppedReply || (this.#held.areHeld && isStepped(reply));
    return mustComplete ? this.#backend.complete(reply) : reply;
  }
}

/** A sender with commands on which the members have not decided yet. */
type Undecided = LastWrite & { readonly deciding: Promise<boolean> };

const isUndecided = (lastWrite: LastWrite): lastWrite is Undecided => lastWrite.deciding !== null;

const undecided = ({ lastWrite }: CommandSender): Undecided | null =>
  lastWrite !== undefined && isUndecided(lastWrite) ? lastWrite : null;

/**
 * Runs a command after the members have decided on those before it, unless the effect of one is unknown. Commands that
 * wait run in order: each waits again if the one before it has requested another decision.
 */
async function afterDecision(before: LastWrite, run: () => Reply | Promise<Reply>): Promise<Reply> {
  before.following++;
  let isKnown = true;
  while (isKnown && isUndecided(before)) isKnown = await before.deciding;
  before.following--;
  return isKnown ? await run() : replyOf(refused("cannot-decide", NOT_SENT));
}

const NOTHING_SETTLED = (): void => {};

const MIXED = error(`ERR nothing was done, because ${TAKES_ELSEWHERE}`);

interface ProgramCall {
  readonly path: GatewayPath;
  readonly backend: TimelineBackend;
  readonly program: (run: StepRunner) => Reply;
  readonly conditions: readonly Condition[];
  readonly readsOnly: boolean;
  readonly sender: CommandSender;
  /** Receives the answer. */
  readonly resolve: (reply: Reply | Promise<Reply>) => void;
  /** Called with whether the effect is known, after the answer, or once no decision on it is needed. */
  readonly settled: (isKnown: boolean) => void;
}

/** A program, and the waiter for its answer: its own reply, unless its unit is refused. */
class WaitingProgram implements GatewayProgram {
  readonly sender: CommandSender;
  readonly conditions: readonly Condition[];
  readonly readsOnly: boolean;
  readonly #call: ProgramCall;
  #reply: Reply = NIL_ARRAY;
  #isSettled = false;

  constructor(call: ProgramCall) {
    this.sender = call.sender;
    this.conditions = call.conditions;
    this.readsOnly = call.readsOnly;
    this.#call = call;
  }

  get isStable(): boolean {
    return this.sender.isStable;
  }

  get replicated(): CommandSender["replicated"] {
    return this.sender.replicated;
  }

  get lastWrite(): CommandSender["lastWrite"] {
    return this.sender.lastWrite;
  }

  run(run: StepRunner): Reply {
    const { backend, path, program } = this.#call;
    return backend.standstill ?? (path.areMet(this.conditions) ? program(run) : NIL_ARRAY);
  }

  recording(calls: readonly CheckedCommand[], db: number, reply: Reply, isDecided: boolean): void {
    const { backend } = this.#call;
    this.#reply = reply;
    if (!isDecided) this.#settle(true);
    backend.observer?.sent(calls, db);
    backend.readFromNow();
  }

  answerRead(reply: Reply): void {
    const { path, resolve } = this.#call;
    resolve(path.whenSafe(reply));
    this.#settle(true);
  }

  answered(answer: Reply | Refused): void {
    const reply = replyOf(answer);
    this.#call.resolve(reply.kind === "error" ? reply : this.#reply);
    this.#settle(!leavesUnknown(answer));
  }

  #settle(isKnown: boolean): void {
    if (!this.#isSettled) this.#call.settled(isKnown);
    this.#isSettled = true;
  }
}
