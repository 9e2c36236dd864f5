/**
 * The options of XADD and XTRIM, and the number of entries that they remove. Behaviour and error texts are those of
 * Redis 7; test/conformance checks them.
 */

import { custom, syntaxError } from "../../../../../daemon/store/arguments/command-errors.js";
import { integerArgument } from "../../../../../daemon/store/arguments/number-arguments.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import type { Stream } from "../../values/streams/stream.js";
import { idArgument, newIdArgument, type RequestedId } from "./stream-arguments.js";

/**
 * With `~`, whole nodes are removed: each hundred entries from the first one are a node, and the rest is the last node.
 * Up to 99 more entries than requested remain. In Redis, a node contains as many, or fewer if its entries are long or
 * were removed one by one; here the number must follow from the stream's contents alone.
 */
export const NODE_ENTRIES = 100;
/** Maximum number of entries that `~` removes without LIMIT, as in Redis. */
const APPROXIMATE_LIMIT = 100 * NODE_ENTRIES;
/** Maximum length of an option's name. */
const OPTION_BYTES_MAX = 10;

/** Returns how many of a stream's first entries to remove. */
export type Trimming = (stream: Stream) => number;

export interface TrimOptions {
  /** How entries are trimmed, or null if there is neither MAXLEN nor MINID. */
  readonly trimming: Trimming | null;
  /** Whether a missing stream is created; false with NOMKSTREAM. */
  readonly makesStream: boolean;
  /** XADD's id, or null if it is `*` or missing. */
  readonly requestedId: RequestedId | null;
  /** Index of the first argument after the options. */
  readonly next: number;
}

/**
 * Parses options, beginning with the third argument.
 * @param adds whether the command is XADD, whose id ends the options and is parsed too; XTRIM has no id
 * @throws CommandFailure
 */
export function trimOptions(argv: readonly ByteString[], adds: boolean): TrimOptions {
  const options = new TrimReader();
  let makesStream = true;
  let requestedId: RequestedId | null = null;
  let next = 2;
  while (next < argv.length) {
    const word = argv[next]!.length > OPTION_BYTES_MAX ? "" : argv[next]!.toUpperCase();
    const length = options.take(word, argv[next + 1], argv[next + 2]);
    if (length > 0) next += length;
    else if (adds && word === "NOMKSTREAM") {
      makesStream = false;
      next++;
    } else if (adds) {
      const id = argv[next++]!;
      if (id !== "*") requestedId = newIdArgument(id);
      break;
    } else throw syntaxError();
  }

  return { trimming: options.trimming(adds), makesStream, requestedId, next };
}

class TrimReader {
  #excess: Trimming | null = null;
  #isApproximate = false;
  #limit: bigint | null = null;

  /**
   * Parses one option.
   * @param first, second the arguments after the word, if they exist
   * @returns the number of arguments of the option, including the word, or 0 if it is not an option of trimming
   */
  take(word: string, first: ByteString | undefined, second: ByteString | undefined): number {
    if (first === undefined) return 0;
    if (word === "LIMIT") {
      this.#limit = BigInt(integerArgument(first));
      if (this.#limit < 0n) throw custom("ERR The LIMIT argument must be >= 0.");
      return 2;
    }

    if (word !== "MAXLEN" && word !== "MINID") return 0;
    if (this.#excess !== null)
      throw custom("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");

    const hasOperator = second !== undefined && (first === "~" || first === "=");
    this.#isApproximate = hasOperator && first === "~";
    const bound = hasOperator ? second : first;
    this.#excess = word === "MAXLEN" ? aboveLength(bound) : beforeId(bound);
    return hasOperator ? 3 : 2;
  }

  /**
   * Returns the trimming that the options describe.
   * @throws CommandFailure if the options are incompatible or incomplete
   */
  trimming(adds: boolean): Trimming | null {
    const excess = this.#excess;
    if (excess === null) {
      if (this.#limit !== null && this.#limit > 0n)
        throw custom("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
      if (!adds) throw custom("ERR syntax error, XTRIM must be called with a trimming strategy");
    }

    if (this.#limit !== null && !this.#isApproximate)
      throw custom("ERR syntax error, LIMIT cannot be used without the special ~ option");
    if (excess === null || !this.#isApproximate) return excess;

    const limit = this.#limit === 0n ? Number.POSITIVE_INFINITY : Number(this.#limit ?? APPROXIMATE_LIMIT);
    return (stream) => {
      const max = Math.min(excess(stream), limit);
      return max === stream.size ? max : max - (max % NODE_ENTRIES);
    };
  }
}

function aboveLength(bytes: ByteString): Trimming {
  const length = Number(integerArgument(bytes));
  if (length < 0) throw custom("ERR The MAXLEN argument must be >= 0.");
  return ({ size }) => Math.max(0, size - length);
}

function beforeId(bytes: ByteString): Trimming {
  const id = idArgument(bytes);
  return (stream) => stream.countBefore(id);
}
