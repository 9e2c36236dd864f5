/**
 * The arguments of commands that pop from the first non-empty of several keys: LMPOP and ZMPOP, and BLMPOP and BZMPOP,
 * which wait.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Choice } from "../../../protocol/version-2/envelope.js";
import { custom, syntaxError } from "../arguments/command-errors.js";
import { integerFrom } from "../arguments/number-arguments.js";
import type { Data, Typed } from "../keyspace/mutators.js";
import type { Unit } from "../keyspace/unit.js";
import type { List } from "../values/list.js";
import type { SortedSet } from "../values/sorted-set.js";

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

/** What was removed from one of several keys. */
export interface Popped<Item> {
  readonly key: ByteString;
  readonly items: readonly Item[];
}

/** A call that pops from the first existing value of several keys. */
interface Pop<V extends List | SortedSet, Item> {
  readonly data: Data;
  readonly type: new () => V;
  readonly unit: Unit;
  /** Removes items: the chosen ones, if a daemon has recorded them. */
  readonly remove: (entry: Typed<V>, chosen: Choice | undefined) => readonly Item[];
}

/** Removes items from the first existing value, or the chosen ones. Returns null if there are none. */
export function popFirst<V extends List | SortedSet, Item>(
  keys: readonly ByteString[],
  { data, type, unit, remove }: Pop<V, Item>,
): Popped<Item> | null {
  const { keys: chosenKeys, taken: chosen } = keyedChoice(keys, unit.choice);
  for (const key of chosenKeys) {
    const entry = data.getAs<V>(type, key);
    if (entry === undefined) continue;
    unit.taken?.push(key);
    const items = remove(entry, chosen);
    return items.length === 0 ? null : { key, items };
  }

  return null;
}

/** What a call that pops from one of several keys takes, if a daemon has recorded it. */
interface KeyedChoice {
  /** The keys from which it may take. */
  readonly keys: readonly ByteString[];
  /** What it takes, or undefined if the command chooses. */
  readonly taken: Choice | undefined;
}

/** Reads a choice that begins with the key. */
function keyedChoice(keys: readonly ByteString[], choice: Choice | undefined): KeyedChoice {
  if (choice === undefined) return { keys, taken: undefined };
  const [key, ...taken] = choice;
  if (key === undefined) return { keys, taken };
  // Only the keys of the call are permitted to the user, and known to the fold.
  return { keys: keys.includes(key) ? [key] : [], taken };
}
