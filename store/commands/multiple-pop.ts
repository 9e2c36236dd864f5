/**
 * The arguments of commands that pop from the first non-empty of several keys: LMPOP and ZMPOP, and BLMPOP and BZMPOP,
 * which wait.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Choice } from "../../protocol/version-2/envelope.js";
import { custom, syntaxError } from "../arguments/command-errors.js";
import { integerFrom } from "../arguments/number-arguments.js";

/** The parsed arguments. `End` is the type that names the ends of a value. */
export interface MultiplePop<End> {
  readonly keys: readonly ByteString[];
  readonly end: End;
  readonly count: number;
}

/**
 * `numkeys key [key …] END [COUNT count]`
 * @param keysAt index of the number of keys
 * @param endOf parses the word for the end; throws CommandFailure if it is invalid
 * @throws CommandFailure
 */
export function multiplePop<End>(
  argv: readonly ByteString[],
  keysAt: number,
  endOf: (word: ByteString) => End,
): MultiplePop<End> {
  const keys = integerFrom(1, argv[keysAt]!, () => custom("ERR numkeys should be greater than 0"));
  const endAt = keysAt + 1 + keys;
  if (endAt >= argv.length) throw syntaxError();
  const end = endOf(argv[endAt]!);
  const options = argv.slice(endAt + 1);
  let count = 1;
  if (options.length > 0) {
    if (options.length < 2 || options[0]!.toUpperCase() !== "COUNT") throw syntaxError();
    count = integerFrom(1, options[1]!, () => custom("ERR count should be greater than 0"));
    if (options.length > 2) throw syntaxError();
  }
  return { keys: argv.slice(keysAt + 1, endAt), end, count };
}

/** What a call that pops from one of several keys takes, if a daemon has recorded it. */
export interface KeyedChoice {
  /** The keys from which it may take. */
  readonly keys: readonly ByteString[];
  /** What it takes, or undefined if the command chooses. */
  readonly taken: Choice | undefined;
}

/** Reads a choice that begins with the key. */
export function keyedChoice(keys: readonly ByteString[], choice: Choice | undefined): KeyedChoice {
  if (choice === undefined) return { keys, taken: undefined };
  const [key, ...taken] = choice;
  if (key === undefined) return { keys, taken };
  // Only the keys of the call are permitted to the user, and known to the fold.
  return { keys: keys.includes(key) ? [key] : [], taken };
}
