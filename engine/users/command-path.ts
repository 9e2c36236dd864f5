/**
 * The path of a command from a listener without signatures, after login and permission: applied here immediately,
 * recorded by the daemon's own key, or signed and sent to other daemons. Listeners do not know which.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { ErrorReply, Reply } from "../../protocol/reply.js";
import type { Condition } from "../../protocol/version-2/envelope.js";
import type { Command } from "../../store/rows/command.js";
import type { Place } from "../../timeline/entries/entry.js";
import type { Refused } from "../answers/request.js";
import type { Called } from "../backends/called.js";
import type { Changes } from "../backends/changes.js";
import type { KeyCounts } from "../backends/key-counts.js";
import type { UnitSender } from "../backends/local-units.js";
import type { WriteObserver } from "../backends/write-observer.js";

/** Receives the order key of a sender's latest write; null: none was recorded. */
export interface LastWrite {
  place: Place | null;
}

/** The sender of a command; the state of a connection may serve as one. */
export interface CommandSender extends UnitSender {
  /** The sender's name in the audit; null: unknown. */
  readonly as: ByteString | null;
  /** Whether a write is answered only when its order key is final. */
  readonly isStable: boolean;
  /**
   * Called before the answer to a write with whether another daemon has it on disk, which the answer then waits for;
   * missing: the answer does not wait. Not called for errors.
   */
  readonly replicated?: (came: boolean) => void;
  /** Receives the order key of each write that is recorded; missing: not needed. */
  readonly lastWrite?: LastWrite;
  /**
   * Keys that its next transaction depends on (WATCH): a read until then must not be older than what it saw of them.
   */
  readonly watched?: { readonly size: number };
}

/** Waits for the reply of a recorded write, and takes the place of that reply until then. */
export interface ReplyWaiter {
  readonly kind: "later";
  readonly isStable: boolean;
  readonly replicated: CommandSender["replicated"] | undefined;
  readonly lastWrite: LastWrite | undefined;
  /** Called once, and not within the call that receives the waiter. */
  answered(answer: Reply | Refused): void;
}

/**
 * A sender that waits without a promise: promises take more than ten times as much work, and recorded writes come by
 * the hundred in a turn.
 */
export interface WaitingSender<Waiter extends ReplyWaiter> extends CommandSender {
  /** Returns a new waiter for the reply of the current command. */
  waiter(): Waiter;
}

export type Writers = readonly ByteString[];

/** The refusals of a path that carries everything. */
export const NOTHING_UNCARRIED: CommandPath["uncarried"] = new Map();

/** Runs one of several commands, which sees the writes of those before it. Errors are replies. */
export type StepRunner = (command: Command, argv: readonly ByteString[], db: number) => Reply;

export interface CommandPath {
  /** The number of databases. */
  readonly databases: number;
  /** Whether writes are recorded: then they are answered later, and the next write may be sent before that answer. */
  readonly records: boolean;
  /** Whether reads are answered later as well, by daemons that are queried in order and hold all data. */
  readonly carries: boolean;
  /** Errors for commands that this path refuses, by name in upper case; some are unknown to this daemon. */
  readonly uncarried: ReadonlyMap<string, ErrorReply>;
  /** Connected daemons that have the same data; null: it runs alone. */
  readonly others: number | null;
  /** The changes of keys; null: they happen on other daemons. */
  readonly changes: Changes | null;
  /** Runs a command. Errors are replies; a promise never rejects. */
  execute(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply>;
  /** Runs a command for a sender that needs no promise. @returns the waiter if the reply comes later */
  send<Waiter extends ReplyWaiter>(
    command: Command,
    argv: readonly ByteString[],
    sender: WaitingSender<Waiter>,
  ): Reply | Promise<Reply> | Waiter;
  /**
   * Runs several commands as one unit if all conditions hold.
   * @returns an array of their replies, errors among them; `nil-array`: a condition does not hold; an error: none was
   *   run
   */
  executeTogether(
    calls: readonly Called[],
    conditions: readonly Condition[],
    sender: CommandSender,
  ): Reply | Promise<Reply>;
  /**
   * Runs commands that a program chooses step by step: their writes are one unit.
   * @param program  called in this turn; returns the reply in case the unit is recorded
   */
  executeInSteps(
    program: (run: StepRunner) => Reply,
    conditions: readonly Condition[],
    sender: CommandSender,
  ): Reply | Promise<Reply>;
  /**
   * Runs commands that are applied one by one under one `--max-unit-steps`; where commands are recorded or forwarded,
   * each envelope has its own.
   */
  sharing<Result>(run: () => Result): Result;
  /** The number of keys that have expired. */
  readonly expiredKeys: number;
  /** Counts of the databases that are not empty. */
  readonly keyCounts: readonly KeyCounts[];
  /** Notifies an observer of writes from now on. */
  tellOf(observer: WriteObserver): void;
  /** Returns the unit that changed each key last; empty: the key is absent. An error: no daemon answered. */
  writersOf(db: number, keys: readonly ByteString[]): Writers | Promise<Writers | ErrorReply>;
  /** Returns whether, as far as this daemon knows, the named units were the last to change all keys. */
  hold(conditions: readonly Condition[]): boolean;
}
