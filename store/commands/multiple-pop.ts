/** The arguments of the commands that pop from the first non-empty of several keys: LMPOP, ZMPOP, and BLMPOP, BZMPOP, which wait. */
import type { ByteString } from "../../protocol/byte-string.js";
import { custom, syntaxError } from "../arguments/errors.js";
import { integerFrom } from "../arguments/numbers.js";

/** `End`: which end is taken from, as the type has it. */
export interface MultiplePop<End> {
  readonly keys: readonly ByteString[];
  readonly end: End;
  readonly count: number;
}

/**
 * `numkeys key [key …] END [COUNT count]`
 * @param keysAt  index of the number of keys
 * @param endOf   reads the word for the end; it throws CommandFailure where it is none
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
  const rest = argv.slice(endAt + 1);
  let count = 1;
  if (rest.length > 0) {
    if (rest.length < 2 || rest[0]!.toUpperCase() !== "COUNT") throw syntaxError();
    count = integerFrom(1, rest[1]!, () => custom("ERR count should be greater than 0"));
    if (rest.length > 2) throw syntaxError();
  }
  return { keys: argv.slice(keysAt + 1, endAt), end, count };
}
