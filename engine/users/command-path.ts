/**
 * The path of a command from a listener without signatures, after login and permission. The command is applied here
 * immediately, recorded with the daemon's own key, or signed and sent to other daemons. Listeners do not know which.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { ErrorReply, Reply } from "../../protocol/reply.js";
import type { Condition } from "../../protocol/version-2/envelope.js";
import type { Command } from "../../store/rows/command.js";
import type { Place } from "../../timeline/entries/entry.js";
import type { Refused } from "../answers/request.js";
import type { CheckedCommand } from "../backends/checked-command.js";
import type { KeyChangeObservers } from "../backends/key-change-observers.js";
import type { KeyCounts } from "../backends/key-counts.js";
import type { UnitSender } from "../backends/local-units.js";
import type { WriteObserver } from "../backends/write-observer.js";

/** Receives the order key of a sender's latest write, which is null if no write was recorded. */
export interface LastWrite {
  place: Place | null;
}

/** The sender of a command; the state of a connection may serve as one. */
export interface CommandSender extends UnitSender {
  /** The sender's name in the audit log, or null if unknown. */
  readonly as: ByteString | null;
  /** Whether a write is answered only once its order key is final. */
  readonly isStable: boolean;
  /**
   * Called before a write is answered, with true if another daemon has it on disk; the answer waits for this call. If
   * it is missing, the answer does not wait. Not called for errors.
   */
  readonly replicated?: (isReplicated: boolean) => void;
  /** Receives the order key of each write that is recorded, if the sender needs it. */
  readonly lastWrite?: LastWrite;
  /**
   * The keys that the sender's next transaction depends on (WATCH). Until then, reads must not return an older state of
   * them than the sender saw.
   */
  readonly watched?: { readonly size: number };
}

/** Waits for the reply to a recorded write in place of the client. */
export interface ReplyWaiter {
  readonly kind: "later";
  readonly isStable: boolean;
  readonly replicated: CommandSender["replicated"] | undefined;
  readonly lastWrite: LastWrite | undefined;
  /** Called once, but not during the call that returns the waiter. */
  answered(answer: Reply | Refused): void;
}

/**
 * A sender that waits without a promise. Promises cost more than ten times as much, and hundreds of recorded writes may
 * arrive in one turn.
 */
export interface WaitingSender<Waiter extends ReplyWaiter> extends CommandSender {
  /** Returns a new waiter for the reply of the current command. */
  waiter(): Waiter;
}

export type Writers = readonly ByteString[];

/** The refusals of a path that supports every command. */
export const NOTHING_UNCARRIED: CommandPath["uncarried"] = new Map();

/** Runs one of several commands. It reads the writes of the earlier ones. Errors are returned as replies. */
export type StepRunner = (command: Command, argv: readonly ByteString[], db: number) => Reply;

export interface CommandPath {
  /** The number of databases. */
  readonly databases: number;
  /** Whether writes are recorded. Their replies come later, and the next write may be sent before the reply. */
  readonly records: boolean;
  /** Whether replies to reads also come later, from daemons that are queried in order and have all the data. */
  readonly carries: boolean;
  /** The errors for commands that this path refuses, by name in upper case; some of them are unknown to this daemon. */
  readonly uncarried: ReadonlyMap<string, ErrorReply>;
  /** The number of connected daemons that have the same data, or null if this daemon runs alone. */
  readonly others: number | null;
  /** The source of key changes, or null if keys change on other daemons. */
  readonly changes: KeyChangeObservers | null;
  /** Runs a command. Errors are returned as replies; a promise never rejects. */
  execute(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply>;
  /** Runs a command for a sender that needs no promise. @returns the waiter if the reply comes later */
  send<Waiter extends ReplyWaiter>(
    command: Command,
    argv: readonly ByteString[],
    sender: WaitingSender<Waiter>,
  ): Reply | Promise<Reply> | Waiter;
  /**
   * Runs several commands as one unit if all conditions hold.
   * @returns an array of their replies, including errors; `nil-array` if a condition does not hold; an error if no
   * command was run
   */
  executeTogether(
    calls: readonly CheckedCommand[],
    conditions: readonly Condition[],
    sender: CommandSender,
  ): Reply | Promise<Reply>;
  /**
   * Runs commands that a program chooses step by step; their writes form one unit.
   * @param program  called in this turn; returns the reply that is sent if the unit is recorded
   */
  executeInSteps(
    program: (run: StepRunner) => Reply,
    conditions: readonly Condition[],
    sender: CommandSender,
  ): Reply | Promise<Reply>;
  /**
   * Runs commands that are applied one by one under a common `--max-unit-steps`. Where commands are recorded or
   * forwarded, each envelope has its own limit.
   */
  sharing<Result>(run: () => Result): Result;
  /** The number of keys that have expired but are still stored. */
  readonly expiredKeys: number;
  /** The key counts of all databases that are not empty. */
  readonly keyCounts: readonly KeyCounts[];
  /** Notifies an observer of writes from now on. */
  tellOf(observer: WriteObserver): void;
  /**
   * Returns the id of the unit that changed each key last, or an empty string if the key does not exist; an error if no
   * daemon replied.
   */
  writersOf(db: number, keys: readonly ByteString[]): Writers | Promise<Writers | ErrorReply>;
  /**
   * Returns whether, as far as this daemon knows, the units that the conditions name were the last to change the keys.
   */
  hold(conditions: readonly Condition[]): boolean;
}
