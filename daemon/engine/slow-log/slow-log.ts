/** The latest slow commands of all protocols, shortened in the same way as in Redis. */
import { type ByteString, detached } from "../../../protocol/byte-string.js";

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
