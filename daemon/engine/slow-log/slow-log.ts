/** The slow log: the latest slow commands of all protocols, as SLOWLOG GET shows them. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, bulks, integer, type Reply } from "../../../protocol/reply.js";
import { readBody } from "../../../protocol/version-2/envelope.js";
import { CommandFailure, custom } from "../../store/arguments/command-errors.js";
import { parseInteger } from "../../store/arguments/number-arguments.js";
import { commandTable } from "../../store/command-table.js";
import { shortenedCommand, withoutSecrets } from "./shown-command.js";

export interface SlowEntry {
  readonly id: number;
  /** The time of the command in Unix seconds. */
  readonly at: number;
  readonly microseconds: number;
  readonly argv: readonly ByteString[];
  /** The client's address. Empty for a signed command. */
  readonly remote: string;
  /** The client's name. For a signed command the label of its key, or the first digits of the key's id. */
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
    const shown = shortenedCommand(entry.argv);
    const { traceparent } = entry;
    const argv = traceparent === undefined ? shown : [...shown, `(traceparent ${traceparent})`];
    this.#entries.unshift({ ...entry, argv, id: this.#nextId++ });
    if (this.#entries.length > max) this.#entries.length = max;
  }

  reset(): void {
    this.#entries = [];
  }
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
    selected.map((entry) =>
      array([
        integer(entry.id),
        integer(entry.at),
        integer(entry.microseconds),
        bulks(entry.argv),
        bulk(entry.remote),
        bulk(entry.name),
      ]),
    ),
  );
}

/** An envelope whose execution took long, and its client. */
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

/**
 * Adds an entry to the slow log for an envelope whose execution took long, and thus delayed all other commands. The
 * entry contains the envelope's first command and the number of further commands.
 * @param now  milliseconds since 1970 @param max  the maximum number of stored entries
 */
export function logSlowEnvelope(
  slowLog: SlowLog,
  { body, remote, name, milliseconds, traceparent }: SlowEnvelope,
  { now, max }: { readonly now: number; readonly max: number },
): void {
  const { commands } = readBody(body);
  const [first = []] = commands;
  const command = commandTable.resolve(first);
  // The arguments of an unknown command may be secret.
  const shown = command instanceof CommandFailure ? first.slice(0, 1) : withoutSecrets(command, first);
  const more = commands.length - 1;
  const argv = more === 0 ? shown : [...shown, `(and ${more} more ${more === 1 ? "command" : "commands"})`];
  const at = Math.floor(now / 1000);
  const microseconds = Math.round(milliseconds * 1000);
  slowLog.add({ at, microseconds, argv, remote, name, traceparent }, max);
}
