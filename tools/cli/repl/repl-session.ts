/** Executes typed lines: commands for the daemons, and commands of the session (SELECT, MULTI, help). */
import { repliedError } from "../../../client/forwarding-client.js";
import type { OutboxClient } from "../../../client/outbox-client.js";
import { readCallOptions } from "../../../client/settings/call-options.js";
import type { Settings } from "../../../client/settings/client-settings.js";
import { commandBytes, commandKindOf, isReadCommand } from "../../../client/shared/command-bytes.js";
import type { CommandInput } from "../../../client/shared/command-input.js";
import type { CommandKind } from "../../../client/shared/commands.js";
import { DbsyncError, type Outcome } from "../../../client/shared/errors.js";
import { shown } from "../../../daemon/net/terminal/terminal-text.js";
import { bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { NIL, type Reply, status } from "../../../protocol/reply.js";
import { UNIT_COMMANDS_MAX } from "../../../protocol/version-2/envelope.js";
import { isCommandName } from "../shared/command-names.js";
import { callForRawReply, type RawReplyCall } from "../shared/raw-reply-call.js";
import { splitArguments } from "../shared/split-typed-line.js";
import { typedText } from "./reply-text.js";

const QUEUED = "QUEUED";
const WATCHES = "WATCH is not available here. For conditions, use the option `if` of the client library";

type Words = readonly (string | Buffer)[];

/** The commands of the session; each returns the text to print. */
const SESSION_COMMANDS: Readonly<
  Record<string, (session: ReplSession, words: Words) => string | Promise<string>>
> = {
  SELECT: (session, words) => session.select(words),
  MULTI: (session) => session.begin(),
  EXEC: (session) => session.execute(),
  DISCARD: (session) => session.discard(),
  WATCH: () => `(error) ${WATCHES}`,
  UNWATCH: () => `(error) ${WATCHES}`,
  HELP: (session, words) => session.help.about(words.slice(1).map(String).join(" ")),
};

export class ReplSession {
  readonly help: CommandHelp;
  readonly #client: OutboxClient;
  readonly #settings: Settings;
  #db: number;
  /** Commands that wait for EXEC, or null if commands are sent immediately. */
  #queue: CommandInput[] | null = null;

  constructor(client: OutboxClient, settings: Settings) {
    this.#client = client;
    this.#settings = settings;
    this.#db = settings.envelope?.db ?? 0;
    this.help = new CommandHelp((command) => this.#query(command));
  }

  /** Returns a prompt like redis-cli's: the servers, the database, and whether commands wait for EXEC. */
  get prompt(): string {
    const [first, ...others] = this.#settings.servers;
    const more = others.length === 0 ? "" : `+${others.length}`;
    const db = this.#db === 0 ? "" : `[${this.#db}]`;
    return `${first?.text ?? "dbsync"}${more}${db}${this.#queue === null ? "" : "(TX)"}> `;
  }

  /** Executes a line. @returns the text to print @throws DbsyncError  no daemon answered, or the line cannot be sent */
  async run(line: string): Promise<string> {
    const words = splitArguments(line);
    const name = String(words[0] ?? "").toUpperCase();
    const { [name]: sessionCommand } = SESSION_COMMANDS;
    if (sessionCommand !== undefined && Object.hasOwn(SESSION_COMMANDS, name))
      return await sessionCommand(this, words);
    if (this.#queue === null) return typedText(await this.#query(words));
    if (this.#queue.length === UNIT_COMMANDS_MAX)
      throw new DbsyncError(
        "bad-command",
        `EXEC accepts at most ${UNIT_COMMANDS_MAX} commands; DISCARD drops them`,
      );
    commandBytes(words);
    this.#queue.push(words);
    return QUEUED;
  }

  select(words: Words): string {
    const db = String(words[1] ?? "");
    if (words.length !== 2 || !/^\d{1,9}$/.test(db)) return "(error) SELECT needs the number of a database";
    this.#db = Number(db);
    return "OK";
  }

  begin(): string {
    if (this.#queue !== null) return "(error) MULTI within MULTI: EXEC or DISCARD first";
    this.#queue = [];
    return "OK";
  }

  discard(): string {
    if (this.#queue === null) return "(error) DISCARD without MULTI";
    this.#queue = null;
    return "OK";
  }

  /** Sends all queued commands as one envelope, which a daemon applies completely or not at all. */
  async execute(): Promise<string> {
    const queue = this.#queue;
    if (queue === null) return "(error) EXEC without MULTI";
    this.#queue = null;
    if (queue.length === 0) return "(empty array)";
    const commandKind = queue.every(isReadCommand) ? "reads" : "writes";
    return typedText(await this.#call(queue.map(commandBytes), commandKind, true));
  }

  async #query(command: CommandInput): Promise<Reply> {
    try {
      return await this.#call(commandBytes(command), commandKindOf(command), false);
    } catch (problem) {
      if (!needsVersion1(problem)) throw problem;
      // Version 1 transmits only text.
      const text = await this.#client.send(command, { db: this.#db });
      return text === null ? NIL : status(bytesOfText(text));
    }
  }

  async #call(bytes: RawReplyCall["bytes"], commandKind: CommandKind, multi: boolean): Promise<Reply> {
    const settings = readCallOptions({ db: this.#db }, this.#settings);
    const call = multi ? { ...settings, envelope: { ...settings.envelope, multi } } : settings;
    try {
      return await callForRawReply(this.#client, { bytes, commandKind, settings: call });
    } catch (problem) {
      const replied = repliedError(problem as Error);
      if (replied === null) throw problem;
      return replied;
    }
  }
}

/** Whether the call failed because a daemon speaks version 1, and no other daemon has answered. */
function needsVersion1(problem: unknown): boolean {
  const isSentVersion1 = (outcome: Outcome) => outcome.status === "failed" && outcome.stage === "version-1";
  return (
    problem instanceof DbsyncError &&
    problem.effect === "not-applied" &&
    problem.outcomes.some(isSentVersion1)
  );
}

const GENERAL = `Each line is a command: SET greeting "good morning"
help NAME   describes a command
SELECT n    selects another database
MULTI       queues the following commands until EXEC applies them together; DISCARD drops them
exit        ends the session, like Ctrl-D; Ctrl-C clears the line. Tab completes names.`;

/** One-line descriptions of commands, fetched from the daemons (COMMAND DOCS) and cached. */
class CommandHelp {
  readonly #query: (command: CommandInput) => Promise<Reply>;
  /** Descriptions by name in upper case. A description is null if it is unknown or has not arrived yet. */
  readonly #known = new Map<string, string | null>();

  constructor(query: (command: CommandInput) => Promise<Reply>) {
    this.#query = query;
  }

  /** Returns the text that `help` prints. @param name  a command, or "" for the general help */
  async about(name: string): Promise<string> {
    if (name === "") return GENERAL;
    const summary = await this.#fetch(name.toUpperCase());
    return summary ?? `The daemon knows no command ${shown(name.toUpperCase())}.`;
  }

  /**
   * Returns the hint for a line that is being typed, or null if there is none yet.
   * @param learned  called when a hint has arrived
   */
  hint(line: string, learned: () => void): string | null {
    const [name = ""] = line.trimStart().split(/\s/, 1);
    if (!isCommandName(name)) return null;
    const known = this.#known.get(name.toUpperCase());
    if (known !== undefined) return known;
    this.#fetch(name.toUpperCase()).then((summary) => {
      if (summary !== null) learned();
    }, ignored);
    return null;
  }

  async #fetch(name: string): Promise<string | null> {
    const known = this.#known.get(name);
    if (known !== undefined && known !== null) return known;
    this.#known.set(name, null);
    const summary = summaryIn(await this.#query(["COMMAND", "DOCS", name]));
    this.#known.set(name, summary);
    return summary;
  }
}

/** Ignores an error of a hint; the command itself will report the same error. */
function ignored(): void {}

/** Returns the summary in a reply of the form name, [field, value, …], or null if there is none. */
function summaryIn(reply: Reply): string | null {
  if (!("items" in reply)) return null;
  const [, fields] = reply.items;
  if (fields === undefined || !("items" in fields)) return null;
  const at = fields.items.findIndex((field) => field.kind === "bulk" && field.bytes === "summary");
  const { [at + 1]: summary } = fields.items;
  return at >= 0 && summary?.kind === "bulk" ? shown(textOfBytes(summary.bytes)) : null;
}
