/** Options of the commands on documents. They follow the arguments in any order, each with its values. */

import { custom, echoed, syntaxError } from "../../../../daemon/store/arguments/command-errors.js";
import { expireTime, expireUnits } from "../../../../daemon/store/arguments/expire-options.js";
import { parseInteger } from "../../../../daemon/store/arguments/number-arguments.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../../../protocol/byte-string.js";
import { isContainer, JsonObject, type JsonValue } from "../../../../protocol/json/json-value.js";
import type { BsonDocument } from "../../../mongo/store/values/bson.js";
import { memberPath, PATH_NAMES_MAX } from "../values/member-value.js";
import { jsonArgument } from "./document-entries.js";
import type { SortKey } from "./document-selection.js";
import { filterIn } from "./entry-conditions.js";

/** Maximum number of members to sort by. */
const SORT_MEMBERS_MAX = 8;
/** Maximum number of members that a read may request: each of them is searched for in every entry found. */
const FIELDS_MAX = 1000;

export interface Options {
  id?: ByteString;
  query?: JsonValue;
  where?: BsonDocument;
  sort?: readonly SortKey[];
  limit?: { readonly offset: number; readonly count: number };
  /** Names of the members to return. */
  fields?: readonly string[];
  details?: boolean;
  /** Whether to explain how entries are found, instead of returning them. */
  explain?: boolean;
  revision?: ByteString;
  /** Whether inserted entries need not have the members of the document's first entry. */
  noCheck?: boolean;
  /** Whether entries are numbered 0, 1, 2, … even if the daemon has a timeline. */
  counts?: boolean;
  /** Whether an entry is created if none is found. */
  upsert?: boolean;
  /** The key of the entry that UPSERT creates if the conditions find none. */
  newKey?: ByteString;
  /** Milliseconds since 1970; null removes the expiry time. */
  expire?: number | null;
}

type Word = keyof typeof words | keyof typeof expireUnits;

const words = {
  ID: { count: 1, read: ([id]) => ({ id: id as ByteString }) },
  QUERY: { count: 1, read: ([json]) => ({ query: jsonArgument(json as ByteString) }) },
  WHERE: { count: 1, read: ([json]) => ({ where: filterIn(jsonArgument(json as ByteString)) }) },
  SORT: { count: 1, read: ([json]) => ({ sort: sortKeys(jsonArgument(json as ByteString)) }) },
  LIMIT: {
    count: 2,
    read: ([offset, count]) => ({
      limit: { offset: nonNegativeInteger(offset), count: nonNegativeInteger(count) },
    }),
  },
  FIELDS: { count: 1, read: ([json]) => ({ fields: fieldNames(jsonArgument(json as ByteString)) }) },
  UPSERT: { count: 0, read: () => ({ upsert: true }) },
  KEY: { count: 1, read: ([newKey]) => ({ newKey: newKey as ByteString }) },
  EXPLAIN: { count: 0, read: () => ({ explain: true }) },
  DETAILS: { count: 0, read: () => ({ details: true }) },
  REVISION: { count: 1, read: ([revision]) => ({ revision: revision as ByteString }) },
  NOCHECK: { count: 0, read: () => ({ noCheck: true }) },
  COUNT: { count: 0, read: () => ({ counts: true }) },
  PERSIST: { count: 0, read: () => ({ expire: null }) },
} satisfies Readonly<
  Record<string, { count: number; read: (given: readonly (ByteString | undefined)[]) => Options }>
>;

/** Names of the options that set or remove the expiry time of an entry. */
export const LIFETIME: readonly Word[] = [...Object.keys(expireUnits), "PERSIST"];

const LONGEST_WORD = Math.max(
  ...[...Object.keys(words), ...Object.keys(expireUnits)].map(({ length }) => length),
);

/** Names of the options that select entries. */
export const CHOICE: readonly Word[] = ["QUERY", "WHERE", "SORT", "LIMIT"];

export interface OptionPosition {
  /** Index of the first option in the arguments. */
  readonly from: number;
  readonly allowed: readonly Word[];
  /** The command's name, for errors. */
  readonly name: string;
  /** The unit's date, for relative times. */
  readonly at?: number;
}

/**
 * Reads the options of a command.
 * @returns the options, and the index of the first argument that is not an option
 * @throws CommandFailure
 */
export function leadingOptions(
  argv: readonly ByteString[],
  { from, allowed, name, at: date = 0 }: OptionPosition,
): { readonly options: Options; readonly end: number } {
  const options: Options = {};
  let at = from;
  for (; at < argv.length; ) {
    // An argument longer than all option names is no option. It may be very long, so it is not converted to upper case.
    if (argv[at]!.length > LONGEST_WORD) break;
    const word = argv[at]!.toUpperCase();
    if (!allowed.includes(word as Word)) break;
    const unit = expireUnits[word];
    const { count, read } = unit === undefined ? words[word as keyof typeof words] : { count: 1, read: null };
    if (at + count >= argv.length) throw syntaxError();
    const optionArguments = argv.slice(at + 1, at + 1 + count);
    const added =
      unit === undefined
        ? (read as (optionArguments: readonly ByteString[]) => Options)(optionArguments)
        : { expire: expireTime(optionArguments[0]!, unit, date, name, true) };
    if (Object.keys(added).some((key) => key in options)) throw syntaxError();

    Object.assign(options, added);
    at += 1 + count;
  }

  return { options, end: at };
}

/** Whether a command's options include a word, as far as they are options; their values are not read. */
export function hasOption(
  argv: readonly ByteString[],
  { from, allowed }: OptionPosition,
  searched: Word,
): boolean {
  for (let at = from; at < argv.length && argv[at]!.length <= LONGEST_WORD; ) {
    const word = argv[at]!.toUpperCase() as Word;
    if (!allowed.includes(word)) return false;
    if (word === searched) return true;
    at += 1 + (expireUnits[word] === undefined ? words[word as keyof typeof words].count : 1);
  }
  return false;
}

/** Reads the options of a command that has no arguments after them. */
export function onlyOptions(argv: readonly ByteString[], position: OptionPosition): Options {
  const { options, end } = leadingOptions(argv, position);
  if (end < argv.length) throw syntaxError();
  return options;
}

function nonNegativeInteger(argument: ByteString | undefined): number {
  const value = parseInteger(argument ?? "");
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw custom(
    "ERR LIMIT requires two whole numbers of at least 0: how many entries to skip, and how many to return",
  );
}

/** Reads a name, or an object of names with `asc` or `desc`. */
function sortKeys(value: JsonValue): readonly SortKey[] {
  if (typeof value === "string" && !value.startsWith("-")) return [sortKey(value, false)];
  const fault = `ERR SORT requires a name, or an object such as {"age":"desc","name":"asc"}`;
  if (typeof value === "string")
    throw custom(`${fault}: to sort ${echoed(bytesOfText(value.slice(1)))} descending, write an object`);
  if (!(value instanceof JsonObject) || value.names.length === 0) throw custom(fault);
  if (value.names.length > SORT_MEMBERS_MAX) throw custom(`${fault} of at most ${SORT_MEMBERS_MAX} names`);

  return value.names.map((name, at) => {
    const order = value.values[at];
    if (order !== "asc" && order !== "desc") throw custom(fault);
    return sortKey(name, order === "desc");
  });
}

function sortKey(name: string, isFalling: boolean): SortKey {
  checkPath(name);
  const field = bytesOfText(name);
  return { field, name: memberPath(field), isFalling };
}

function fieldNames(value: JsonValue): readonly string[] {
  if (!isContainer(value) || value instanceof JsonObject || !value.every((name) => typeof name === "string"))
    throw custom('ERR FIELDS requires a list of names, as in ["name","age"]');
  if (value.length > FIELDS_MAX) throw custom(`ERR FIELDS accepts at most ${FIELDS_MAX} names`);
  for (const name of value) checkPath(name as string);
  return value as readonly string[];
}

/** @throws CommandFailure if a path contains too many names */
function checkPath(path: string): void {
  if (path.length > PATH_NAMES_MAX && path.split(".").length > PATH_NAMES_MAX)
    throw custom(`ERR A path has at most ${PATH_NAMES_MAX} names: '${echoed(bytesOfText(path))}'`);
}

/** Checks an argument that is the name of a member, and returns it. @throws CommandFailure */
export function fieldArgument(bytes: ByteString): ByteString {
  const name = textOfBytes(bytes);
  if (bytesOfText(name) !== bytes) throw custom("ERR not UTF-8");
  checkPath(name);
  return bytes;
}
