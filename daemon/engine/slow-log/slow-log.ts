/** The latest slow commands of all protocols, shortened in the same way as in Redis. */
import { type ByteString, detached } from "../../../protocol/byte-string.js";
import { array, bulk, bulks, integer, type Reply } from "../../../protocol/reply.js";
import { readBody } from "../../../protocol/version-2/envelope.js";
import { CommandFailure, custom } from "../../store/arguments/command-errors.js";
import { parseInteger } from "../../store/arguments/number-arguments.js";
import { commandTable } from "../../store/command-table.js";
import { INNER_COMMANDS } from "../../store/family-code.js";
import type { Command } from "../../store/rows/command-row.js";

/**
 * Maximum number of arguments in an entry, including the note about omitted arguments, and maximum number of characters
 * of an argument.
 */
const ARGUMENTS_MAX = 32;
const ARGUMENT_CHARS_MAX = 128;

export interface SlowEntry {
  readonly id: number;
  /** The time of the command in Unix seconds. */
  readonly at: number;
  readonly microseconds: number;
  readonly argv: readonly ByteString[];
  /**
   * The client's address and name. For a signed command the address is empty, and the name is the label of its key, or
   * the first digits of the key's id.
   */
  readonly remote: string;
  readonly name: ByteString;
  /** The W3C trace context of the call, which is shown as the last argument. Absent if there is none. */
  readonly traceparent?: string | undefined;
}

export class SlowLog {
  /** The entries, newest first. */
  #entries: SlowEntry[] = [];
  #nextId = 0;

  get entries(): readonly SlowEntry[] {
    return this.#entries;
  }

  /** @param max  the maximum number of stored entries */
  add(entry: Omit<SlowEntry, "id">, max: number): void {
    const shown = shortened(entry.argv);
    const { traceparent } = entry;
    const argv = traceparent === undefined ? shown : [...shown, `(traceparent ${traceparent})`];
    this.#entries.unshift({ ...entry, argv, id: this.#nextId++ });
    if (this.#entries.length > max) this.#entries.length = max;
  }

  reset(): void {
    this.#entries = [];
  }
}

/** Shortens a command for display. The result does not keep the omitted parts in memory. */
export function shortened(argv: readonly ByteString[]): ByteString[] {
  const shown = argv.length > ARGUMENTS_MAX ? argv.slice(0, ARGUMENTS_MAX - 1) : argv;
  const words = shown.map((word) => {
    const more = word.length - ARGUMENT_CHARS_MAX;
    return more > 0 ? `${detached(word.slice(0, ARGUMENT_CHARS_MAX))}... (${more} more bytes)` : word;
  });
  if (shown.length < argv.length) words.push(`... (${argv.length - shown.length} more arguments)`);
  return words;
}

const REDACTED = "(redacted)";

/** The maximum number of commands, each among the arguments of the one before, of which the arguments are shown. */
const LEVELS_MAX = 4;

/**
 * Returns a command without its passwords. A command among its arguments, as in ACL DRYRUN, is shown in the same way;
 * if there is no such command, only the first of its words is shown.
 * @param levels  the number of further commands of which arguments are shown
 */
export function withoutSecrets(
  { name, isSecret }: Command,
  argv: readonly ByteString[],
  levels = LEVELS_MAX,
): readonly ByteString[] {
  const shown = isSecret === undefined ? argv : argv.map((word, i) => (isSecret(argv, i) ? REDACTED : word));
  const at = INNER_COMMANDS.get(name);
  if (at === undefined || argv.length <= at) return shown;

  const inner = argv.slice(at);
  const command = levels === 0 ? null : commandTable.resolve(inner);
  const words =
    command === null || command instanceof CommandFailure
      ? inner.map((word, i) => (i === 0 ? word : REDACTED))
      : withoutSecrets(command, inner, levels - 1);
  return [...shown.slice(0, at), ...words];
}

const ENTRIES_DEFAULT = 10;

/**
 * Implements SLOWLOG GET for all protocols. Texts: redis-server 7.0.
 * @param argv  `SLOWLOG GET [count]`; -1 returns all entries. @throws CommandFailure
 */
export function slowLogReply(argv: readonly ByteString[], { entries }: SlowLog): Reply {
  if (argv.length > 3)
    throw custom(`ERR unknown subcommand or wrong number of arguments for '${argv[1]}'. Try SLOWLOG HELP.`);
  const count = argv[2] === undefined ? ENTRIES_DEFAULT : parseInteger(argv[2]);
  if (count === undefined || count < -1) throw custom("ERR count should be greater than or equal to -1");
  const selected = count === -1 ? entries : entries.slice(0, Number(count));
  return array(
    selected.map(({ id, at, microseconds, argv: words, remote, name }) =>
      array([integer(id), integer(at), integer(microseconds), bulks(words), bulk(remote), bulk(name)]),
    ),
  );
}

interface SlowEnvelope {
  /** The body as received; it has already been checked. */
  readonly body: Buffer;
  /** The client's address. */
  readonly remote: string;
  readonly name: ByteString;
  readonly milliseconds: number;
  /** The W3C trace context that the client sent; undefined if it sent none. */
  readonly traceparent: string | undefined;
}

const MICROSECONDS = 1000;

/**
 * Adds an entry to the slow log for an envelope whose execution took long, and thus delayed all other commands. The
 * entry contains the envelope's first command and the number of further commands.
 * @param now  milliseconds since 1970 @param max  the maximum number of stored entries
 */
export function noteSlowEnvelope(
  slowLog: SlowLog,
  { body, remote, name, milliseconds, traceparent }: SlowEnvelope,
  { now, max }: { readonly now: number; readonly max: number },
): void {
  const { commands } = readBody(body);
  const [first = []] = commands;
  const command = commandTable.resolve(first);
  const shown = command instanceof CommandFailure ? first.slice(0, 1) : withoutSecrets(command, first);
  const more = commands.length - 1;
  const argv = more === 0 ? shown : [...shown, `(and ${more} more ${more === 1 ? "command" : "commands"})`];
  const at = Math.floor(now / 1000);
  const microseconds = Math.round(milliseconds * MICROSECONDS);
  slowLog.add({ at, microseconds, argv, remote, name, traceparent }, max);
}
