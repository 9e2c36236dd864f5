/** The latest slow commands, of all protocols. Shortened as in Redis. */
import { type ByteString, detached } from "../../protocol/byte-string.js";

/** Maximum arguments of an entry, the note about the omitted ones included, and maximum characters of an argument. */
const ARGUMENTS_MAX = 32;
const ARGUMENT_CHARS_MAX = 128;

export interface SlowEntry {
  readonly id: number;
  /** Unix seconds. */
  readonly at: number;
  readonly microseconds: number;
  readonly argv: readonly ByteString[];
  /** Address and name of the client; of a signed command "", and its key's label or the first digits of its id. */
  readonly remote: string;
  readonly name: ByteString;
  /** The W3C trace context of the call; absent: none. It is shown as the last argument. */
  readonly traceparent?: string | undefined;
}

export class SlowLog {
  /** Newest first. */
  #entries: SlowEntry[] = [];
  #nextId = 0;

  get entries(): readonly SlowEntry[] {
    return this.#entries;
  }

  /** @param most  maximum entries that are stored */
  add(entry: Omit<SlowEntry, "id">, most: number): void {
    const shown = shortened(entry.argv);
    const { traceparent } = entry;
    const argv = traceparent === undefined ? shown : [...shown, `(traceparent ${traceparent})`];
    this.#entries.unshift({ ...entry, argv, id: this.#nextId++ });
    if (this.#entries.length > most) this.#entries.length = most;
  }

  reset(): void {
    this.#entries = [];
  }
}

/** Returns a command as it is shown where it may be long; the omitted part is not kept alive. */
export function shortened(argv: readonly ByteString[]): ByteString[] {
  const shown = argv.length > ARGUMENTS_MAX ? argv.slice(0, ARGUMENTS_MAX - 1) : argv;
  const words = shown.map((word) => {
    const more = word.length - ARGUMENT_CHARS_MAX;
    return more > 0 ? `${detached(word.slice(0, ARGUMENT_CHARS_MAX))}... (${more} more bytes)` : word;
  });
  if (shown.length < argv.length) words.push(`... (${argv.length - shown.length} more arguments)`);
  return words;
}
