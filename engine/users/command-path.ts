/**
 * The way of a command from a listener without signatures, behind its login and permission: applied here at once,
 * recorded by the daemon's own key, or signed and carried to other daemons. Listeners do not know which.
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

/** Where the place of a sender's latest write is kept; null: nothing of his has been recorded. */
export interface LastWrite {
  place: Place | null;
}

/** For whom a command is; a connection's own state will do. */
export interface CommandSender extends UnitSender {
  /** As the audit names who sent it; null: nobody was asked. */
  readonly as: ByteString | null;
  /** Whether what is written is answered only once its place is final. */
  readonly isStable: boolean;
  /**
   * Told before the answer to a write whether another daemon has it on its disk, for which the answer then waits; not
   * there: nobody asks. Not told of errors.
   */
  readonly replicated?: (came: boolean) => void;
  /** Filled in when a write is recorded; absent: nobody will ask. */
  readonly lastWrite?: LastWrite;
  /** Keys that its next transaction depends on (WATCH): what it reads meanwhile must not be older than what it saw of them. */
  readonly watched?: { readonly size: number };
}

/** Who waits for the reply of a write that is recorded; it stands for that reply until then. */
export interface ReplyWaiter {
  readonly kind: "later";
  readonly isStable: boolean;
  readonly replicated: CommandSender["replicated"] | undefined;
  readonly lastWrite: LastWrite | undefined;
  /** Once, and not within the call that hands it in. */
  answered(answer: Reply | Refused): void;
}

/** Who can wait without a promise: that takes more than ten times as much work, and writes that are recorded come by the hundred in a turn. */
export interface WaitingSender<Waiter extends ReplyWaiter> extends CommandSender {
  /** Makes who waits for the reply of the command at hand. */
  waiter(): Waiter;
}

export type Writers = readonly ByteString[];

/** Of a path that carries everything. */
export const NOTHING_UNCARRIED: CommandPath["uncarried"] = new Map();

/** Runs one command of several, which sees what those before it wrote. Errors are replies. */
export type StepRunner = (command: Command, argv: readonly ByteString[], db: number) => Reply;

export interface CommandPath {
  /** How many databases there are. */
  readonly databases: number;
  /** Whether what writes is recorded: then it is answered later, and the next write may be sent behind it at once. */
  readonly records: boolean;
  /** Whether what reads, too, is answered later, and others, who are asked in order, hold all data. */
  readonly carries: boolean;
  /** What is refused there, by the names of commands in upper case; some are no commands of ours. */
  readonly uncarried: ReadonlyMap<string, ErrorReply>;
  /** How many other daemons are connected, to have the same; null: it stands alone. */
  readonly others: number | null;
  /** What is done to keys; null: others have them. */
  readonly changes: Changes | null;
  /** Errors are replies; a promise never rejects. */
  execute(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply>;
  /** The same for who needs no promise. @returns  the waiter where the reply comes later */
  send<Waiter extends ReplyWaiter>(
    command: Command,
    argv: readonly ByteString[],
    sender: WaitingSender<Waiter>,
  ): Reply | Promise<Reply> | Waiter;
  /**
   * Several commands as one, nothing in between, if all conditions hold.
   * @returns an array of their replies, errors among them; `nil-array`: a condition does not hold; an error: none was run
   */
  executeTogether(
    calls: readonly Called[],
    conditions: readonly Condition[],
    sender: CommandSender,
  ): Reply | Promise<Reply>;
  /**
   * As `executeTogether`, for commands that are chosen as they go: what they wrote is one unit.
   * @param program  called in this turn; answers what is answered if the unit is recorded
   */
  executeInSteps(
    program: (run: StepRunner) => Reply,
    conditions: readonly Condition[],
    sender: CommandSender,
  ): Reply | Promise<Reply>;
  /** Runs commands that are applied one by one under one `--max-unit-steps`; where commands are recorded or sent on, each envelope has its own. */
  sharing<Result>(run: () => Result): Result;
  /** How many keys have expired. */
  readonly expiredKeys: number;
  /** Of the databases that are not empty. */
  readonly keyCounts: readonly KeyCounts[];
  /** From now on. */
  tellOf(observer: WriteObserver): void;
  /** The unit that changed each key last; empty: it is absent. An error: nobody could tell. */
  writersOf(db: number, keys: readonly ByteString[]): Writers | Promise<Writers | ErrorReply>;
  /** Whether, as far as is known here, all keys were last changed by the units that are named. */
  hold(conditions: readonly Condition[]): boolean;
}
