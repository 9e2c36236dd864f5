/**
 * The path of a Redis client's commands through a sidecar, which signs each command with its own key and sends it to
 * all daemons of a cluster.
 */
import type { ForwardingClient, ReplyHandlers } from "../../client/forwarding-client.js";
import type {
  CheckedCommand,
  CommandPath,
  CommandSender,
  ProgramOutline,
  ReplyWaiter,
  StepRunner,
  WaitingSender,
  Writers,
} from "../../daemon/engine/backends/command-path.js";
import type { KeyCounts } from "../../daemon/engine/backends/key-counts.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import { cursorOf } from "../../daemon/store/arguments/scan-arguments.js";
import { commands, findCommand } from "../../daemon/store/command-table.js";
import { DATABASES_DEFAULT, Database } from "../../daemon/store/database.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error, type Reply } from "../../protocol/reply.js";
import { type Condition, UNIT_COMMANDS_MAX } from "../../protocol/version-2/envelope.js";
import { SignedPrograms } from "./signed-programs.js";
import { errorReplyOf } from "./signing-backend.js";
import { converterOf } from "./typed-replies.js";
import { refusalOfForm, UNSUPPORTED_COMMANDS } from "./unsupported-commands.js";

/** The commands that the sidecar answers itself, because the answer needs no data. */
export const ANSWERED_HERE: ReadonlySet<Command> = new Set(
  commands.filter(
    ({ name, group }) =>
      group === "connection" || group === "scripting" || name === "TIME" || /^COMMAND\b/.test(name),
  ),
);
const READING_SQL = findCommand("SQL_RO") as Command;
/** An empty database, which executes these commands. */
const EMPTY = new Database({ databases: 1 });

const TOO_MANY = error(`ERR a signed transaction may have at most ${UNIT_COMMANDS_MAX} commands`);
const NO_WRITERS = error("ERR the daemons did not report the writers of these keys");

const unchanged = (reply: Reply): Reply => reply;

export class SignedPath implements CommandPath {
  readonly records = true;
  readonly localData = null;
  readonly appliesAhead = false;
  /** The daemons' members may decide, but all commands are sent in order. */
  readonly decides = false;
  readonly others = null;
  readonly databases = DATABASES_DEFAULT;
  readonly expiredKeys = 0;
  readonly changes = null;
  readonly keyCounts: readonly KeyCounts[] = [];
  readonly unsupported = UNSUPPORTED_COMMANDS;
  readonly #carrier: ForwardingClient;
  readonly #programs: SignedPrograms;

  constructor(carrier: ForwardingClient, environment: Environment) {
    this.#carrier = carrier;
    this.#programs = new SignedPrograms(carrier, environment, (command) => ANSWERED_HERE.has(command));
  }

  /** Asks a daemon, as for the read itself. Without an answer, the key may be decided. */
  async mayBeOutdated(key: ByteString, sender: CommandSender): Promise<boolean> {
    const reply = await this.#promised(unchanged, (reply) =>
      this.#carrier.send(["DECIDED", key], sender, reply),
    );
    const [isDecided] = reply.kind === "array" ? reply.items : [];
    return isDecided?.kind !== "integer" || Number(isDecided.value) !== 0;
  }

  execute(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply> {
    return (
      replyHere(command, argv, sender) ??
      this.#promised(converterOf(command, argv), (reply) =>
        this.#carrier.send(sentAs(command, argv), sender, reply),
      )
    );
  }

  whenSafe(reply: Reply): Reply {
    return reply;
  }

  send<Waiter extends ReplyWaiter>(
    command: Command,
    argv: readonly ByteString[],
    sender: WaitingSender<Waiter>,
  ): Reply | Waiter {
    const here = replyHere(command, argv, sender);
    if (here !== null) return here;
    const waiter = sender.waiter();
    this.#carrier.send(sentAs(command, argv), sender, new ForwardedReply(converterOf(command, argv), waiter));
    return waiter;
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
    return this.#programs.run(program, conditions, sender, outline);
  }

  executeTogether(
    calls: readonly CheckedCommand[],
    conditions: readonly Condition[],
    sender: CommandSender,
  ): Reply | Promise<Reply> {
    if (calls.length > UNIT_COMMANDS_MAX) return TOO_MANY;
    const makings = calls.map(({ command, argv }) => converterOf(command, argv));
    const made = (all: Reply): Reply => {
      if (all.kind !== "array") return all;
      const items = all.items.map((item, at) =>
        item.kind === "error" ? item : (makings[at] ?? unchanged)(item),
      );
      return { kind: "array", items };
    };

    const argvs = calls.map(({ command, argv }) => sentAs(command, argv));
    return this.#promised(made, (reply) => this.#carrier.sendTogether(argvs, conditions, sender, reply));
  }

  /** Does nothing, because this daemon applies no writes. */
  observeWrites(): void {}

  writersOf(db: number, keys: readonly ByteString[]): Promise<Writers | ErrorReply> {
    const sender = { db, isStable: false, watched: { size: keys.length } };
    const reported = this.#promised(unchanged, (reply) =>
      this.#carrier.send(["WRITERS", ...keys], sender, reply),
    );
    return reported.then((reply) => {
      if (reply.kind === "error") return reply;
      return reply.kind === "array"
        ? reply.items.map((item) => (item.kind === "bulk" ? item.bytes : ""))
        : NO_WRITERS;
    });
  }

  /** Returns true, because the daemons check the conditions when they receive the transaction. */
  areMet(): boolean {
    return true;
  }

  #promised(made: (reply: Reply) => Reply, send: (reply: ForwardedReply) => void): Promise<Reply> {
    return new Promise((answered) => send(new ForwardedReply(made, { answered })));
  }
}

/**
 * Returns the command to send. A statement that only reads receives the name SQL_RO, and a scan is changed to return a
 * single page.
 */
function sentAs(command: Command, argv: readonly ByteString[]): readonly ByteString[] {
  if (command.cursorAt !== undefined) return singlePageScan(argv, command.cursorAt);
  return command === READING_SQL ? [READING_SQL.name, ...argv.slice(1)] : argv;
}

/** Returns the reply if this daemon can answer the command itself, or null if the daemons must answer. */
function replyHere(command: Command, argv: readonly ByteString[], { now }: CommandSender): Reply | null {
  const { cursorAt } = command;
  if (cursorAt !== undefined && isForeignCursor(argv[cursorAt])) return FOREIGN_CURSOR;
  return ANSWERED_HERE.has(command)
    ? EMPTY.run(command, argv, { at: now, db: 0, id: "" })
    : refusalOfForm(command, argv);
}

/** The object that receives the reply, once. */
interface ReplyReceiver {
  answered(reply: Reply): void;
}

/** The pending reply to a command that was sent to the daemons. */
class ForwardedReply implements ReplyHandlers {
  readonly #convert: (reply: Reply) => Reply;
  readonly #receiver: ReplyReceiver;

  /** @param convert  converts a reply that is not an error */
  constructor(convert: (reply: Reply) => Reply, receiver: ReplyReceiver) {
    this.#convert = convert;
    this.#receiver = receiver;
  }

  readonly resolve = (reply: Reply): void =>
    this.#receiver.answered(reply.kind === "error" ? reply : this.#convert(reply));

  /** Delivers the error in a microtask, because it may occur before `send` has returned the receiver. */
  readonly reject = (problem: Error): void =>
    queueMicrotask(() => this.#receiver.answered(errorReplyOf(problem)));
}

/** A COUNT that is greater than the number of elements on any daemon. */
const ALL = String(2 ** 31 - 1);
const COUNT = /^0*[1-9]\d*$/;

const FOREIGN_CURSOR = error(
  "ERR invalid cursor: a scan through dbsyncd -d dbsync returns everything in one page, so only the cursor 0 is valid here. Begin again with 0",
);

/** Returns whether a cursor is a number other than 0. This daemon returns only the cursor 0. */
function isForeignCursor(cursor: ByteString | undefined): boolean {
  return cursor !== undefined && (cursorOf(cursor) ?? 0n) !== 0n;
}

/**
 * Returns a scan that requests all elements in a single page, which one daemon creates at one moment; or `argv` itself
 * if its options are wrong, which the daemons report. A cursor is valid only on the daemon that issued it, but the next
 * page might come from another daemon. Source: docs/sidecar.md "Guarantees".
 */
function singlePageScan(argv: readonly ByteString[], cursor: number): readonly ByteString[] {
  const options = argv.slice(cursor + 1);
  // In a transaction, replace such a cursor by an invalid one, so that the daemons refuse the command.
  if (isForeignCursor(argv[cursor])) return [...argv.slice(0, cursor), "foreign", ...options];
  if (argv.length <= cursor || options.length % 2 !== 0) return argv;

  const otherOptions: ByteString[] = [];
  for (let at = 0; at < options.length; at += 2) {
    const name = options[at] as ByteString;
    const value = options[at + 1] as ByteString;
    if (name.toUpperCase() !== "COUNT") otherOptions.push(name, value);
    else if (!COUNT.test(value)) return argv;
  }

  return [...argv.slice(0, cursor + 1), ...otherOptions, "COUNT", ALL];
}
