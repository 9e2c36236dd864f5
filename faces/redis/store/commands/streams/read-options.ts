/**
 * Parses the arguments of XREAD and XREADGROUP. Behaviour and error texts are those of Redis 7; test/conformance checks
 * them.
 */

import { custom, syntaxError } from "../../../../../daemon/store/arguments/command-errors.js";
import { indexArgument, parseInteger } from "../../../../../daemon/store/arguments/number-arguments.js";
import type { WaitRule } from "../../../../../daemon/store/rows/command-row.js";
import type { Access, Touch } from "../../../../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";

export interface ReadOptions {
  /** The maximum number of entries of each stream; 0 means all entries. */
  readonly count: number;
  readonly keys: readonly ByteString[];
  readonly ids: readonly ByteString[];
}

/** The options of XREADGROUP. */
export interface GroupReadOptions extends ReadOptions {
  readonly group: ByteString;
  /** The consumer's name. */
  readonly consumer: ByteString;
  /** Whether delivered entries count as acknowledged. */
  readonly noAck: boolean;
}

/** Parses the arguments of XREAD. @throws CommandFailure */
export const readOptions = (argv: readonly ByteString[]): ReadOptions => anyOptions(argv, false);

/** Parses the arguments of XREADGROUP. @throws CommandFailure */
export function groupReadOptions(argv: readonly ByteString[]): GroupReadOptions {
  const options = anyOptions(argv, true);
  if (options.groupAt < 0) throw custom("ERR Missing GROUP option for XREADGROUP");
  return options;
}

interface AnyOptions extends GroupReadOptions {
  /** Index of GROUP, or -1 if it is missing. */
  readonly groupAt: number;
}

function anyOptions(argv: readonly ByteString[], ofGroup: boolean): AnyOptions {
  let count = 0;
  let groupAt = -1;
  let noAck = false;
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i]!;
    const more = argv.length - 1 - i;
    if (isWord(word, "BLOCK") && more > 0) checkTimeout(argv[++i]!);
    else if (isWord(word, "COUNT") && more > 0) count = Math.max(0, indexArgument(argv[++i]!));
    else if (isWord(word, "STREAMS") && more > 0) {
      // Everything that follows is keys and ids, whatever it is called, so no option can come later.
      if (more % 2 === 1) throw unbalanced();
      const keys = argv.slice(i + 1, i + 1 + more / 2);
      const ids = argv.slice(i + 1 + more / 2);
      const [group = "", consumer = ""] = groupAt < 0 ? [] : [argv[groupAt + 1], argv[groupAt + 2]];
      return { count, keys, ids, group, consumer, noAck, groupAt };
    } else if (isWord(word, "GROUP") && more > 1) {
      if (!ofGroup) throw onlyOfGroups("GROUP");
      groupAt = i;
      i += 2;
    } else if (isWord(word, "NOACK")) {
      if (!ofGroup) throw onlyOfGroups("NOACK");
      noAck = true;
    } else throw syntaxError();
  }
  throw syntaxError();
}

const unbalanced = () =>
  custom("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.");

const onlyOfGroups = (option: string) =>
  custom(`ERR The ${option} option is only supported by XREADGROUP. You called XREAD instead.`);

function checkTimeout(bytes: ByteString): void {
  const timeout = parseInteger(bytes);
  if (timeout === undefined) throw custom("ERR timeout is not an integer or out of range");
  if (timeout < 0) throw custom("ERR timeout is negative");
}

/** Returns XREAD's keys: the first half of the arguments after STREAMS. */
export const xreadKeys = (argv: readonly ByteString[]): Touch[] =>
  keysAfter(
    argv,
    argv.findIndex((word, i) => i > 0 && isWord(word, "STREAMS")),
    "read",
  );

/** Returns XREADGROUP's keys. A group or a consumer may also be called STREAMS. */
export function xreadgroupKeys(argv: readonly ByteString[]): Touch[] {
  let index = 1;
  while (index < argv.length && !isWord(argv[index] as ByteString, "STREAMS"))
    index += 1 + valuesOf(argv[index] as ByteString);
  return keysAfter(argv, index, "write");
}

/** Returns the number of values that follow an option's name. */
function valuesOf(option: ByteString): number {
  if (isWord(option, "GROUP")) return 2;
  return isWord(option, "COUNT") || isWord(option, "BLOCK") ? 1 : 0;
}

function keysAfter(argv: readonly ByteString[], index: number, access: Access): Touch[] {
  if (index < 0) return [];
  const keys = argv.slice(index + 1, index + 1 + ((argv.length - index - 1) >> 1));
  return keys.map((key) => ({ db: null, key, access, needs: "R" }));
}

const isWord = (bytes: ByteString, word: string) =>
  bytes === word || (bytes.length === word.length && bytes.toUpperCase() === word);

/** Maximum number of entries that a client receives after waiting for streams, if it did not specify COUNT. */
const COUNT_DEFAULT = 1000;

/** The rule of waiting for entries. */
export const waitsForEntries = (type: "stream" | "group"): WaitRule => ({
  isOptional: true,
  shapeOf: (argv, lastId) => {
    let timeout: ByteString | null = null;
    let count = 0;
    let at = 1;
    for (; at < argv.length && !isWord(argv[at]!, "STREAMS"); at += 1 + valuesOf(argv[at]!)) {
      if (isWord(argv[at]!, "BLOCK")) timeout = argv[at + 1] ?? null;
      if (isWord(argv[at]!, "COUNT")) count = Number(argv[at + 1]);
    }
    if (timeout === null) return null;

    const first = at + 1;
    const streams = (argv.length - at - 1) / 2;
    const keys = argv.slice(first, first + streams);
    const ids = argv
      .slice(first + streams)
      .map((id, i) => (id === "$" && type === "stream" ? lastId(keys[i]!) : id));
    const isCounted = count > 0;
    const options = isCounted ? [] : ["COUNT", String(COUNT_DEFAULT)];
    const argvFor = (key: ByteString) => [
      ...argv.slice(0, at),
      ...options,
      "STREAMS",
      key,
      ids[keys.indexOf(key)]!,
    ];

    const elementsMax = isCounted ? count : COUNT_DEFAULT;
    return { type, keys, milliseconds: Number(timeout), elementsMax, argvFor };
  },
});
