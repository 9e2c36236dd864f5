/**
 * DOC.INSERT. Entries without keys are numbered. On a daemon without a timeline, or with COUNT (which the JSON listener
 * records), the number is one above the highest. Otherwise a late entry of the timeline may change the position of the
 * unit, so the number is derived from the unit itself and is permanent. Source: docs/json-documents.md "Ids of a
 * document's entries"; XADD uses the same method.
 */

import { custom, wrongArity } from "../../../../daemon/store/arguments/command-errors.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import { bytesIn } from "../../../../daemon/store/rows/command-row.js";
import { type ByteString, isAscii } from "../../../../protocol/byte-string.js";
import { type JsonShape, shapeOf } from "../../../../protocol/json/json-reader.js";
import {
  isContainer,
  type JsonContainer,
  JsonObject,
  type JsonValue,
  memberNames,
} from "../../../../protocol/json/json-value.js";
import { bulks, type Reply } from "../../../../protocol/reply.js";
import { expireEntry, pushEntry, setEntry } from "../keyspace/document-mutators.js";
import { type Document, NUMBERS_END } from "../values/document.js";
import {
  AROUND_ENTRY,
  documentToChange,
  hasNames,
  jsonArgument,
  notMembers,
  textOfEntry,
  valueOfEntry,
  wrongMembers,
} from "./document-entries.js";
import { LIFETIME, leadingOptions, type OptionPosition } from "./document-options.js";

const KEYS = "KEYS";
/** Number of low bits that distinguish entry numbers of the same date; the date takes the remaining 42 of 63 bits. */
const SLOT_BITS = 21;
const SLOTS = 2 ** SLOT_BITS;
/**
 * Distance between the first numbers of two successive units of an envelope. The distance is odd and not close to a
 * simple fraction of SLOTS, so the units rarely try the same numbers.
 */
const UNIT_STRIDE = 1_296_135;

const OPTIONS: OptionPosition = {
  from: 2,
  allowed: [...LIFETIME, "NOCHECK", "COUNT"],
  name: "doc.insert",
};

const noNumber = () =>
  custom(
    `ERR No number is left after the document's highest one (${NUMBERS_END - 1} at most): insert entries with keys`,
  );

interface NewEntry {
  /** The entry's key, or null if the entry will be numbered. */
  readonly key: ByteString | null;
  readonly text: ByteString;
}

/**
 * `DOC.INSERT document [EX seconds | …] [NOCHECK] [COUNT] [entry …]`, `DOC.INSERT document [EX seconds | …] [NOCHECK]
 * KEYS key entry [key entry …]`: inserts all entries, or none. Without NOCHECK each entry must have the members of the
 * document's first entry.
 */
export function insert(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const { options, end } = leadingOptions(argv, { ...OPTIONS, at: unit.at });
  const hasKeys = argv[end]?.length === KEYS.length && argv[end]?.toUpperCase() === KEYS;
  if (hasKeys && (argv.length - end) % 2 === 0) throw wrongArity("doc.insert");

  const entry = documentToChange(data, argv[1]!);
  const added: NewEntry[] = [];
  const { first } = entry.value;
  let expected = first === undefined ? undefined : expectedOf(first[1]);
  for (let at = hasKeys ? end + 1 : end; at < argv.length; at++) {
    const key = hasKeys ? argv[at++]! : null;
    const argument = argv[at]!;
    if (expected?.shape?.matches(argument) === true && isAscii(argument)) {
      added.push({ key, text: argument });
      continue;
    }
    const value = jsonArgument(argument, AROUND_ENTRY);
    if (expected !== undefined && options.noCheck !== true) checkNames(value, expected.value);
    const text = textOfEntry(value);
    added.push({ key, text });
    if (at + 1 < argv.length) expected ??= expectedOf(text);
  }

  const count = hasKeys ? 0 : added.length;
  const next = numbersOf(entry.value, unit, { count, isCounted: options.counts });
  const keys = added.map(({ key, text }) => {
    const entryKey = key ?? next();
    if (entry.value.get(entryKey) === undefined) pushEntry(data, entry, entryKey, text);
    else setEntry(data, entry, entryKey, text);
    expireEntry(data, entry, entryKey, options.expire ?? undefined);
    return entryKey;
  });
  return bulks(keys);
}

/** Returns a call of DOC.INSERT with the generated keys, or null if it contains keys or counts the entries. */
export function insertWithKeys(argv: readonly ByteString[], reply: Reply): readonly ByteString[] | null {
  const { options, end } = leadingOptions(argv, OPTIONS);
  const keys = bytesIn(reply);
  if (options.counts === true || argv.length - end !== keys.length) return null;
  return [...argv.slice(0, end), KEYS, ...argv.slice(end).flatMap((entry, index) => [keys[index]!, entry])];
}

/**
 * The entry whose members all inserted entries must have: the document's first entry or, if the document is empty, the
 * first inserted one.
 */
interface Expected {
  readonly value: JsonValue;
  /**
   * The shape of the entry: an inserted entry with this shape need not be parsed. Null if every entry must be parsed.
   */
  readonly shape: JsonShape | null;
}

/**
 * Cached values of `Expected` by the text of their entry: for an insert of few entries, parsing the first entry again
 * would take most of the time.
 */
const cache = new Map<ByteString, Expected>();
const KNOWN_MAX = 64;
const KNOWN_CHARS_MAX = 4096;

/** @param text the text in its stored form */
function expectedOf(text: ByteString): Expected {
  const cached = cache.get(text);
  if (cached !== undefined) return cached;
  const value = valueOfEntry(text);
  const expected = { value, shape: value instanceof JsonObject ? shapeOf(value.names) : null };
  if (text.length > KNOWN_CHARS_MAX) return expected;
  if (cache.size >= KNOWN_MAX) cache.clear();
  cache.set(text, expected);
  return expected;
}

/** Checks that an entry has the members of the first entry. @throws CommandFailure */
function checkNames(value: JsonValue, first: JsonValue): void {
  if (!isContainer(value) || !isContainer(first)) throw notMembers();
  const names = memberNames(first as JsonContainer);
  if (!hasNames(value, names)) throw wrongMembers(names, memberNames(value));
}

interface Numbered {
  /** Number of ids to assign. */
  readonly count: number;
  /** Whether the next number is one above the highest even if the daemon has a timeline (option COUNT). */
  readonly isCounted?: boolean | undefined;
}

/** Returns a function that returns the next entry's number. @throws CommandFailure if not enough numbers are left */
export function numbersOf(
  document: Document,
  unit: Unit,
  { count, isCounted = false }: Numbered,
): () => ByteString {
  const isFolded = unit.seq !== undefined;
  if (isFolded && !isCounted) return numbering(document, unit);
  if (count === 0 || document.next + count <= NUMBERS_END) return () => String(document.next);
  if (!isFolded) throw noNumber();
  return spareNumbers(document, unit);
}

/**
 * Returns a function that returns numbers for entries of a document in which the highest counted number is in use. A
 * late entry of the timeline may insert this number before an insert that was already acknowledged, and the
 * acknowledged insert must not fail when it is applied again. The returned numbers are above all counted numbers and
 * below 2^53.
 */
function spareNumbers(document: Document, unit: Unit): () => ByteString {
  let number = NUMBERS_END + slotOf(unit);
  return () => {
    while (document.get(String(number)) !== undefined) number++;
    return String(number++);
  };
}

/** Returns a function that returns the next entry's number, which must not occur in the document. */
export function numbering(document: Document, unit: Unit): () => ByteString {
  const base = BigInt(unit.at) << BigInt(SLOT_BITS);
  const first = slotOf(unit);
  let tried = 0;
  return () => {
    for (;;) {
      // If all numbers of the millisecond are in use, the numbers of the next millisecond follow.
      const slot = tried < SLOTS ? (first + tried) % SLOTS : tried;
      tried++;
      const key = String(base + BigInt(slot));
      if (document.get(key) === undefined) return key;
    }
  };
}

/**
 * Returns the first number within a millisecond that a unit tries, derived from the envelope's id and the unit's index.
 */
function slotOf({ id, step = 0 }: Unit): number {
  const start = (id.charCodeAt(0) << 16) | (id.charCodeAt(1) << 8) | id.charCodeAt(2);
  const index = (id.charCodeAt(id.length - 2) << 8) | id.charCodeAt(id.length - 1);
  return (start + (index + step) * UNIT_STRIDE) % SLOTS;
}
