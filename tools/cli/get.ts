/**
 * `dbsync get`: prints the string at a key, by GET. With --at it prints the value that a key had at a date, or the
 * answer that a command would have received then.
 */
import type { Command } from "commander";
import { realEnvironment } from "../../client/shared/client-environment.js";
import { DbsyncError } from "../../client/shared/errors.js";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import { BinaryText, type HistoryQuery, jsonOf, queryHistory } from "../history/history-queries.js";
import { type SendFlags, sendCommand } from "./send.js";
import { addClientOptions, addDatabaseOption } from "./shared/client-options.js";
import { formatDate, parsePastDate } from "./shared/date-text.js";
import { exitCodeHelp } from "./shared/exit-codes.js";
import { parseOptionsAfterArguments } from "./shared/options-after-arguments.js";
import { JSON_FLAG, printJson, printLine } from "./shared/output.js";
import { isCommandName, shellWords } from "./shared/typed-commands.js";

interface GetFlags extends SendFlags {
  readonly at?: string;
}

/**
 * Maximum time by which --at may be in the future, in milliseconds: the daemon's clock may be ahead of this machine's.
 */
const MAX_AHEAD_MS = 60_000;

/** Commands that read a complete value, by the type of the key. */
const READ_ALL: ReadonlyMap<string, (key: string) => readonly string[]> = new Map<
  string,
  (key: string) => readonly string[]
>(
  Object.entries({
    hash: (key) => ["HGETALL", key],
    list: (key) => ["LRANGE", key, "0", "-1"],
    set: (key) => ["SMEMBERS", key],
    stream: (key) => ["XRANGE", key, "-", "+"],
    zset: (key) => ["ZRANGE", key, "0", "-1", "WITHSCORES"],
  }),
);

/** The length of the longest name of a type. */
const TYPE_WIDTH = "stream".length;

export function addGet(program: Command): void {
  addDatabaseOption(
    addClientOptions(
      program.command("get").description("print the value of a key, or with --at its value at a date"),
    ),
  )
    .option(
      "--at <date>",
      "at that date: -2h, -7d, 2027-01-31, 2027-01-31T12:00Z, or milliseconds since 1970",
    )
    .option(JSON_FLAG, 'print JSON: {"at": …, "value": …}, strings that are not UTF-8 as {"base64": …}')
    .argument("<key...>", "a key; with --at also a read command")
    .passThroughOptions()
    .addHelpText(
      "after",
      `
dbsync get KEY is short for dbsync send GET KEY. --at needs an administrator's key (-k) and daemons with a timeline
(--data, --peer). It also shows lists, hashes and other types, and waits up to 20 s for an answer. A day without a
time means the beginning of that day.

Examples:
  dbsync get greeting
  dbsync get --at -2h visits -k root-private.pem
  dbsync get --at 2027-01-31T12:00Z -k root-private.pem HGETALL cart:17
${exitCodeHelp("no daemon could answer, or the command failed")}`,
    )
    .action(get);
}

function get(typed: string[], _: GetFlags, command: Command): Promise<void> {
  const words = parseOptionsAfterArguments(command, typed, "end");
  const flags = command.opts<GetFlags>();
  const { at: date } = flags;

  if (date === undefined) {
    if (words.length > 1) {
      const [word = ""] = words;
      const hint = isCommandName(word)
        ? `${word} is a command of the store: dbsync send ${shellWords(words)}`
        : `For several keys: dbsync send MGET ${shellWords(words)}`;
      command.error(`error: too many arguments: dbsync get accepts one key\n(${hint})`);
    }
    return sendCommand(["GET", ...words], flags, (error) => typeHint(error, words[0] as string));
  }

  return queryHistory(flags, async (query) => {
    const now = realEnvironment.wallClock();
    const at = parsePastDate(date, { option: "--at", now, end: false });
    if (at > now + MAX_AHEAD_MS)
      throw new DbsyncError(
        "bad-option",
        `--at is ${JSON.stringify(date)}, which is ${formatDate(at)}. That is in the future: it is ${formatDate(now)} here. ` +
          `For the current value, leave out --at`,
      );

    const queryAt: HistoryQuery = (command) => query(["TIMELINE", "GET", String(at), ...command]);
    const { address, reply } =
      words.length === 1 ? await readAll(queryAt, words[0] as string) : await queryAt(words);
    if (flags.json) printJson({ at, daemon: address, value: jsonOf(reply) });
    else printLine(shown(reply));
  });
}

/** Returns the commands that read values of other types, if the error says that the key has another type. */
function typeHint(error: DbsyncError, key: string): string {
  if (!error.message.includes("WRONGTYPE")) return "";
  const commands = [...READ_ALL].map(
    ([type, command]) => `  ${type.padEnd(TYPE_WIDTH)}  dbsync send ${shellWords(command(key))}\n`,
  );
  return `(GET reads strings; dbsync send TYPE ${shellWords([key])} prints the type. To read another type:\n${commands.join("").trimEnd()})\n`;
}

async function readAll(queryAt: HistoryQuery, key: string): ReturnType<HistoryQuery> {
  try {
    return await queryAt(["GET", key]);
  } catch (error) {
    if (!(error instanceof DbsyncError) || !error.message.includes("WRONGTYPE")) throw error;
    const type = String((await queryAt(["TYPE", key])).reply);
    const command = READ_ALL.get(type);
    if (command === undefined) throw error;
    return await queryAt(command(key));
  }
}

/** Formats a reply, with one element per line. */
function shown(value: ReplyValue): string {
  if (value === null) return "(nil)";
  if (Array.isArray(value)) return value.map(shown).join("\n");
  return String(Buffer.isBuffer(value) ? new BinaryText(value) : value);
}
