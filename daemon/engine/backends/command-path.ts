/**
 * The path of a command from a listener without signatures, after the login and the permission check. There are three
 * implementations: the command is applied immediately on this daemon, is recorded with the daemon's own key, or is
 * signed and sent to other daemons. Listeners do not depend on the implementation.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ErrorReply, Reply } from "../../../protocol/reply.js";
import type { Condition } from "../../../protocol/version-2/envelope.js";
import type { Command } from "../../store/rows/command-row.js";
import type { OrderKey } from "../../timeline/entries/entry.js";
import type { Refused } from "../answers/request.js";
import type { KeyChangeObservers } from "./key-change-observers.js";
import type { KeyCounts } from "./key-counts.js";
import type { UnitSender } from "./local-units.js";

/** The state of a sender's latest writes, in an object that is the same for all of its commands. */
export interface LastWrite {
  /** The order key of the latest recorded write, or null until a write is recorded. */
  orderKey: OrderKey | null;
  /**
   * The number of units that the sender has sent and that are not applied yet. Its later commands must not overtake
   * them.
   */
  unapplied: number;
  /**
   * Resolves when the members have decided on the sender's commands on decided keys, with whether the effect of the
   * last one is known; null: none waits. Its later commands must not overtake them.
   */
  deciding: Promise<boolean> | null;
  /**
   * The number of commands that wait for `deciding`, and of transactions that are being decided. Later commands on
   * decided keys must not overtake them either.
   */
  following: number;
}

/** Returns the state of a sender that has not written. */
export const newLastWrite = (): LastWrite => ({ orderKey: null, unapplied: 0, deciding: null, following: 0 });

/**
 * The client that sent a command: its name and rights, its database, and when its writes are answered. The object that
 * represents a connection may implement this interface.
 */
export interface CommandSender extends UnitSender {
  /** The sender's name in the audit log, or null if unknown. */
  readonly as: ByteString | null;
  /** Whether a write is answered only once its order key is final. */
  readonly isStable: boolean;
  /**
   * Called before a write is answered, with true if another daemon has the write on disk. The answer is delayed until
   * then. If this function is absent, the answer is not delayed. Not called if the answer is an error.
   */
  readonly replicated?: (isReplicated: boolean) => void;
  /** The state of the sender's latest writes, the same object for all commands of a connection. */
  readonly lastWrite: LastWrite;
  /**
   * The keys that the sender has watched (WATCH). Until its next transaction, reads must not return an older state of
   * these keys than the sender has already seen.
   */
  readonly watched?: { readonly size: number };
}

/** The receiver of the reply to a recorded write, in place of the client. */
export interface ReplyWaiter {
  readonly kind: "later";
  readonly isStable: boolean;
  readonly replicated: CommandSender["replicated"] | undefined;
  readonly lastWrite: LastWrite;
  /** Called once, but never before `send` has returned the waiter. */
  answered(answer: Reply | Refused): void;
  /** Called before `answered` with the reply to a read, so that the sender can write it before later commands run. */
  prepare?(reply: Reply): void;
}

/**
 * A sender that receives replies through waiters instead of promises. A promise costs more than ten times as much as a
 * waiter, and hundreds of recorded writes may arrive in one turn.
 */
export interface WaitingSender<Waiter extends ReplyWaiter> extends CommandSender {
  /** Returns a new waiter for the reply of the current command. */
  waiter(): Waiter;
}

export type Writers = readonly ByteString[];

/** The refusals of a path that supports every command. */
export const ALL_COMMANDS_SUPPORTED: CommandPath["unsupported"] = new Map();

/**
 * Runs one command of a program, which already sees the writes of the program's earlier commands. Errors are returned
 * as replies.
 */
export type StepRunner = (command: Command, argv: readonly ByteString[], db: number) => Reply;

/**
 * The dates that the other daemons have closed: they sign nothing more that is dated at or before them. Dates are
 * milliseconds since 1970. A client that reads the entries of a stream after an entry would miss those that arrive
 * later with an earlier id, so it receives an entry only when the entry's date is closed.
 */
export interface ClosedDates {
  /** The date of the newest write that the state contains. Only a client can have chosen the id of a later entry. */
  readonly newest: number;
  /** The date up to which the daemons have closed their dates; infinity if there is no other daemon. */
  closedTo(): number;
  /**
   * Requests that the other daemons close their dates up to `at`.
   * @param done  called once the dates are closed, except by the daemons that have not closed them in time
   */
  close(at: number, done: () => void): void;
}

/** The data of this daemon, which can be read before a command is run or recorded. */
export interface LocalData {
  /** Whether the members of a list decide on a command because it may write a decided key. */
  writesDecided(command: Command, argv: readonly ByteString[], sender: CommandSender): boolean;
  /** The dates that other daemons have closed, or null if no other daemon writes the same data. */
  readonly closedDates: ClosedDates | null;
  /**
   * Runs a command whose reply is not sent to the client as it is, because it may show writes that are not on disk yet
   * (`whenSafe`).
   */
  inspect(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply>;
}

export interface CommandPath {
  /** The number of databases. */
  readonly databases: number;
  /**
   * Whether writes are recorded. If so, replies to writes arrive later, and the next write may be sent before the
   * previous reply has arrived.
   */
  readonly records: boolean;
  /**
   * The data that a command would find, or null if only the daemons have it to which the commands are sent. Replies to
   * reads then arrive later too, and no command can be preceded by a check of the data: each is sent exactly once, and
   * its reply belongs to the client.
   */
  readonly localData: LocalData | null;
  /**
   * The errors for commands that this path refuses, by name in upper case. Some of these commands are unknown to this
   * daemon.
   */
  readonly unsupported: ReadonlyMap<string, ErrorReply>;
  /** The number of other connected daemons with the same data, or null if this daemon runs alone. */
  readonly others: number | null;
  /** The source of key changes, or null if the keys are on other daemons. */
  readonly changes: KeyChangeObservers | null;
  /**
   * Whether a write is applied before it is answered, so that later commands of its sender may run while it is being
   * written to disk. The path runs such commands in the order in which they were sent.
   */
  readonly appliesAhead: boolean;
  /**
   * Whether the members of a list decide on the conditions of units. Such a unit is applied only when they have, so its
   * sender's later commands have to wait for its answer.
   */
  readonly decides: boolean;
  /** Runs a command. Errors are returned as replies; a promise never rejects. */
  execute(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply>;
  /**
   * Returns a reply that shows the current state, as soon as every write that it may show is as safe as the answers to
   * writes promise; an error if the disk fails before.
   */
  whenSafe(reply: Reply): Reply | Promise<Reply>;
  /** Runs a command for a sender that uses waiters. @returns the reply, or the waiter if the reply arrives later */
  send<Waiter extends ReplyWaiter>(
    command: Command,
    argv: readonly ByteString[],
    sender: WaitingSender<Waiter>,
  ): Reply | Promise<Reply> | Waiter;
  /**
   * Runs several commands as one unit if all conditions hold.
   * @param isDecided  false if the members of a list need not decide on the conditions, because they come from the
   * listener, which tries again if they do not hold; default: true
   * @returns an array of their replies, including errors; `nil-array` if a condition does not hold; an error if no
   * command was run
   */
  executeTogether(
    calls: readonly CheckedCommand[],
    conditions: readonly Condition[],
    sender: CommandSender,
    isDecided?: boolean,
  ): Reply | Promise<Reply>;
  /**
   * Runs a program that chooses its commands step by step. Its writes form one unit.
   * @param program  called in this turn; returns the reply that is sent if the unit takes effect
   * @returns that reply; `nil-array` if a condition does not hold; an error if the unit was refused, so nothing of it
   * takes effect
   */
  executeInSteps(
    program: (run: StepRunner) => Reply,
    conditions: readonly Condition[],
    sender: CommandSender,
  ): Reply | Promise<Reply>;
  /**
   * Calls a function whose commands form one unit, although they are applied one by one. If commands are recorded or
   * sent to other daemons, each envelope is a unit instead.
   * @returns the error of the limit that the unit exceeds, if any; nothing of the unit was done then
   */
  sharing<Result>(run: () => Result): Result | ErrorReply;
  /** The number of keys that have expired but are still stored. */
  readonly expiredKeys: number;
  /** The key counts of all databases that are not empty. */
  readonly keyCounts: readonly KeyCounts[];
  /** Registers an observer, which is notified of all later writes. */
  observeWrites(observer: WriteObserver): void;
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

/** A command whose name and number of arguments were checked. */
export interface CheckedCommand {
  readonly command: Command;
  readonly argv: readonly ByteString[];
}

/** An observer of all writes, regardless of their sender. */
export interface WriteObserver {
  /** Called after a write command was run, in the same turn. */
  written(command: Command, argv: readonly ByteString[], db: number, reply: Reply): void;
  /** Whether `sent` has to be called for commands that are being recorded. */
  readonly awaits: boolean;
  /**
   * Called when commands are sent to be recorded, as one unit or as separate units. `changed` is called once they are
   * applied.
   */
  sent(calls: readonly CheckedCommand[], db: number): void;
  /** Called when data has changed but the keys are unknown. */
  changed(): void;
}
