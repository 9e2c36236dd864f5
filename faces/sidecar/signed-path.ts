/**
 * The path of a Redis client's commands through a sidecar, which signs each command with its own key and sends it to
 * all daemons of a cluster.
 */
import type { ForwardingClient } from "../../client/forwarding-client.js";
import type { CheckedCommand } from "../../daemon/engine/backends/checked-command.js";
import type {
  CommandPath,
  CommandSender,
  ReplyWaiter,
  WaitingSender,
  Writers,
} from "../../daemon/engine/backends/command-path.js";
import type { KeyCounts } from "../../daemon/engine/backends/key-counts.js";
import { commands, findCommand } from "../../daemon/store/command-table.js";
import { DATABASES_DEFAULT, Database } from "../../daemon/store/database.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error, type Reply } from "../../protocol/reply.js";
import { type Condition, UNIT_COMMANDS_MAX } from "../../protocol/version-2/envelope.js";
import { ForwardedReply } from "./forwarded-reply.js";
import { FOREIGN_CURSOR, isForeignCursor, singlePageScan } from "./forwarded-scans.js";
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
const NO_STEPS = error("ERR a script reads data while it runs, but dbsyncd -d dbsync has no data");
const NO_WRITERS = error("ERR the daemons did not report the writers of these keys");

const unchanged = (reply: Reply): Reply => reply;

export class SignedPath implements CommandPath {
  readonly records = true;
  readonly forwards = true;
  readonly appliesAhead = false;
  readonly others = null;
  readonly databases = DATABASES_DEFAULT;
  readonly expiredKeys = 0;
  readonly changes = null;
  readonly keyCounts: readonly KeyCounts[] = [];
  readonly unsupported = UNSUPPORTED_COMMANDS;
  readonly #carrier: ForwardingClient;

  constructor(carrier: ForwardingClient) {
    this.#carrier = carrier;
  }

  execute(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply> {
    return (
      replyHere(command, argv, sender) ??
      this.#promised(converterOf(command, argv), (reply) =>
        this.#carrier.send(sentAs(command, argv), sender, reply),
      )
    );
  }

  inspect(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply> {
    return this.execute(command, argv, sender);
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

  executeInSteps(): Reply {
    return NO_STEPS;
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
  hold(): boolean {
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
