/**
 * The command path of a daemon with a timeline: writes are signed with the daemon's own key and recorded; reads are
 * answered from the state, as soon as everything that they may show is on disk. Commands of one sender run in the order
 * of their arrival, without waiting for the answers.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { finishReply, SteppedReply } from "../../../protocol/lazy-replies.js";
import { array, type ErrorReply, error, NIL_ARRAY, type Reply } from "../../../protocol/reply.js";
import type { Condition } from "../../../protocol/version-2/envelope.js";
import { type Refused, refused, replyOf } from "../../engine/answers/request.js";
import { type FlushingState, whenSafe } from "../../engine/answers/safe-answers.js";
import { readsOrRefusal, UnitRefused } from "../../engine/answers/unit-limits.js";
import {
  ALL_COMMANDS_SUPPORTED,
  type CheckedCommand,
  type ClosedDates,
  type CommandPath,
  type CommandSender,
  type LastWrite,
  type LocalData,
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
import type { Command } from "../../store/rows/command-row.js";
import { NOT_SENT } from "./decided-line.js";
import type { Gateway } from "./gateway.js";
import type { TimelineBackend } from "./timeline-backend.js";
import type { Program } from "./waiting-group.js";

export class RecordedPath implements CommandPath, LocalData {
  readonly records = true;
  readonly localData: LocalData = this;
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
  }

  get appliesAhead(): boolean {
    return this.#gateway.appliesAhead;
  }

  get decides(): boolean {
    return this.#gateway.decides;
  }

  writesDecided(command: Command, argv: readonly ByteString[], { db }: CommandSender): boolean {
    return command.writes && this.#gateway.writesDecided(argv, db);
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
    if (!this.#gateway.patterns.isEmpty && this.#takesElsewhere([{ command, argv }], sender))
      return ON_OTHER_KEYS;
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
    if (!this.#gateway.patterns.isEmpty && this.#takesElsewhere([{ command, argv }], sender))
      return ON_OTHER_KEYS;
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
      if (this.#takesElsewhere(calls, sender)) return ON_OTHER_KEYS;
      const writesDecided = calls.some(({ command, argv }) => this.writesDecided(command, argv, sender));
      this.#backend.observer?.sent(calls, sender.db);
      return new Promise((resolve) =>
        this.#gateway.sendTogether({ commands, conditions, isDecided, writesDecided }, sender, (answer) =>
          resolve(replyOf(answer)),
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
    if (!this.hold(conditions)) return NIL_ARRAY;
    const backend = this.#backend;
    const read = () => calls.map(({ command, argv }) => this.#read(command, argv, sender));
    const { database } = backend;
    const replies = readsOrRefusal(database, () => database.sharing(read, backend.unitSteps));
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
  ): Promise<Reply> {
    const before = undecided(sender);
    if (before !== null) return afterDecision(before, () => this.executeInSteps(program, conditions, sender));
    return new Promise((resolve) => {
      const backend = this.#backend;
      const permitted = (run: StepRunner) =>
        program((command, argv, db) => {
          if (command.writes && this.#gateway.writesDecided(argv, db)) throw new UnitRefused(ON_DECIDED_KEYS);
          return run(command, argv, db);
        });
      const recorded = new RecordedProgram({
        path: this,
        backend,
        program: permitted,
        conditions,
        sender,
        resolve,
      });
      this.#gateway.sendProgram(recorded, conditions);
    });
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

  /** Returns what a command of a sender must wait for, because it may not join the envelope that is being decided. */
  #mustFollow(command: Command, argv: readonly ByteString[], sender: CommandSender): Undecided | null {
    const before = undecided(sender);
    const joins = before?.following === 0 && this.writesDecided(command, argv, sender);
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
    return !patterns.isEmpty && patterns.isMixed(calls.map(({ command, argv }) => ({ command, argv, db })));
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
    return lastWrite.unapplied > 0 && this.appliesAhead;
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
      reply = this.#backend.database.aside(read);
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
  isUndecided(lastWrite) ? lastWrite : null;

/**
 * Runs a command after the members have decided on those before it, unless the effect of one is unknown. Commands that
 * wait run in order: each waits again if the one before it has requested another decision.
 */
async function afterDecision(before: Undecided, run: () => Reply | Promise<Reply>): Promise<Reply> {
  before.following++;
  const isKnown = await before.deciding;
  before.following--;
  return isKnown ? await run() : replyOf(refused("cannot-decide", NOT_SENT));
}

const ON_DECIDED_KEYS = error(
  "ERR nothing was done, because a script cannot write decided keys (CLUSTER DECIDE): send the commands in a transaction",
);
const ON_OTHER_KEYS = error(`ERR nothing was done, because ${TAKES_ELSEWHERE}`);

interface ProgramCall {
  readonly path: RecordedPath;
  readonly backend: TimelineBackend;
  readonly program: (run: StepRunner) => Reply;
  readonly conditions: readonly Condition[];
  readonly sender: CommandSender;
  /** Receives the answer. */
  readonly resolve: (reply: Reply | Promise<Reply>) => void;
}

/** A program, and the waiter for its answer: its own reply, unless its unit is refused. */
class RecordedProgram implements Program {
  readonly sender: CommandSender;
  readonly #path: RecordedPath;
  readonly #backend: TimelineBackend;
  readonly #program: ProgramCall["program"];
  readonly #conditions: readonly Condition[];
  readonly #resolve: ProgramCall["resolve"];
  #reply: Reply = NIL_ARRAY;

  constructor({ path, backend, program, conditions, sender, resolve }: ProgramCall) {
    this.sender = sender;
    this.#path = path;
    this.#backend = backend;
    this.#program = program;
    this.#conditions = conditions;
    this.#resolve = resolve;
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
    const { standstill } = this.#backend;
    return standstill ?? (this.#path.hold(this.#conditions) ? this.#program(run) : NIL_ARRAY);
  }

  recording(calls: readonly CheckedCommand[], db: number, reply: Reply): void {
    this.#reply = reply;
    this.#backend.observer?.sent(calls, db);
    this.#backend.readFromNow();
  }

  hasRead(reply: Reply): void {
    this.#resolve(this.#path.whenSafe(reply));
  }

  answered(answer: Reply | Refused): void {
    const reply = replyOf(answer);
    this.#resolve(reply.kind === "error" ? reply : this.#reply);
  }
}

type HeldWaiter = Pick<ReplyWaiter, "answered" | "prepare">;

interface Held {
  readonly waiter: HeldWaiter;
  readonly reply: Reply;
}

/**
 * The answers to reads that wait until every write that they may show is on disk. Execution does not wait: all answers
 * that wait for the same write of the disk are sent together.
 */
class HeldAnswers {
  readonly #state: FlushingState;
  /** What the newest answers wait for, or null if no answer has been held back. */
  #flushing: Promise<void> | null = null;
  /** The answers that wait for `#flushing`. */
  #held: Held[] = [];

  constructor(state: FlushingState) {
    this.#state = state;
  }

  /** Whether an answer that shows the current state would be held back. */
  get areHeld(): boolean {
    return this.#state.flushing !== null;
  }

  /** Sends the reply to a read of the current state, now or when everything that it may show is on disk. */
  send(reply: Reply, waiter: HeldWaiter): void {
    const { flushing } = this.#state;
    if (flushing === null) {
      waiter.answered(reply);
      return;
    }
    waiter.prepare?.(reply);
    if (flushing !== this.#flushing) this.#begin(flushing);
    this.#held.push({ waiter, reply });
  }

  /** Sends the reply to a read that takes several turns, when everything that it may show is on disk. */
  sendLater(reply: Promise<Reply>, waiter: HeldWaiter): void {
    Promise.resolve(this.whenSafe(reply)).then((settled) => waiter.answered(settled));
  }

  /** Returns the reply to a read that has begun in this turn, or its promise. */
  whenSafe(reply: Reply | Promise<Reply>): Reply | Promise<Reply> {
    return whenSafe(this.#state, reply, lostReply);
  }

  #begin(flushing: Promise<void>): void {
    const held: Held[] = [];
    this.#flushing = flushing;
    this.#held = held;
    const done = () => {
      if (this.#flushing === flushing) this.#flushing = null;
    };
    flushing.then(
      () => {
        done();
        for (const { waiter, reply } of held) waiter.answered(reply);
      },
      (problem: Error) => {
        done();
        const lost = lostReply(problem.message);
        for (const { waiter } of held) waiter.answered(lost);
      },
    );
  }
}

/** Returns the reply to a read of something that the disk may not have. */
const lostReply = (reason: string): ErrorReply =>
  replyOf(refused("storage-failed", `a write that it would show may be lost: ${reason}`)) as ErrorReply;
