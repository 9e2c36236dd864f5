/** Bitmaps: the bits of strings. Behaviour and error texts are those of Redis 7; test/conformance checks them. */

import { custom, stringTooLong, syntaxError } from "../../../../../daemon/store/arguments/command-errors.js";
import {
  INT64_MAX,
  indexArgument,
  integerArgument,
  narrow,
  parseInteger,
} from "../../../../../daemon/store/arguments/number-arguments.js";
import {
  bitfieldEvents,
  event,
  ifChanged,
  secondArgument,
  storedEvent,
} from "../../../../../daemon/store/events/event-rules.js";
import { BYTES_PER_STEP } from "../../../../../daemon/store/keyspace/effort-budget.js";
import type { KeyEntry } from "../../../../../daemon/store/keyspace/keyspace.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import { stringLength, stringPart } from "../../../../../daemon/store/keyspace/string-parts.js";
import { family, readBitsLookedUp, sourcesLookedUp } from "../../../../../daemon/store/rows/command-row.js";
import { ONE_KEY_SEARCH } from "../../../../../daemon/store/rows/key-searches.js";
import { read, type Touch, update, write } from "../../../../../daemon/store/rows/key-spec.js";
import { STRING_BYTES_MAX } from "../../../../../daemon/store/values/value.js";
import { type ByteString, bytesOf } from "../../../../../protocol/byte-string.js";
import { array, integer, NIL, type Reply, ZERO } from "../../../../../protocol/reply.js";
import {
  type Bit,
  BLOCK_BYTES,
  bitAt,
  bytesWithField,
  byteWith,
  countOnes,
  findBit,
  newWords,
  readField,
  WORD_BYTES,
  wordsFrom,
  wordsIn,
} from "./bits.js";

export const bitmaps = family("bitmap", {
  BITCOUNT: {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "2.6.0",
    complexity: "O(N), N: bytes read",
    summary: "Counts the bits of a string, or of a part of it, that are 1.",
    method: "key ...range: number",
    run: bitcount,
  },
  BITFIELD: {
    arity: -2,
    flags: ["write", "denyoom"],
    keys: bitfieldKeys,
    keyRange: [1, 1, 1],
    since: "3.2.0",
    complexity: "O(N), N: operations",
    summary: "Reads, sets and adds to integers of any width within a string.",
    events: bitfieldEvents,
    lookedUp: readBitsLookedUp,
    keyFlags: ["RW access update variable_flags"],
    keySearches: ONE_KEY_SEARCH,
    method: "key ...operations: @reply",
    keepsExpiryOf: 1,
    setsAgain: onlySetsFields,
    run: bitfield,
  },
  BITFIELD_RO: {
    arity: -2,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "6.0.0",
    complexity: "O(N), N: operations",
    summary: "Reads integers of any width within a string.",
    run: bitfieldReadOnly,
  },
  BITOP: {
    arity: -4,
    flags: ["write", "denyoom"],
    keys: [write(2), read(3, -1)],
    since: "2.6.0",
    complexity: "O(N), N: bytes of all strings",
    summary: "Stores the result of AND, OR, XOR or NOT of strings.",
    events: storedEvent("$", "set", secondArgument),
    lookedUp: sourcesLookedUp,
    run: bitop,
  },
  BITPOS: {
    arity: -3,
    flags: ["readonly"],
    keys: [read(1)],
    since: "2.8.7",
    complexity: "O(N), N: bytes read",
    summary: "Returns the index of the first bit that is set (1) or clear (0).",
    method: "key bit ...range: number",
    run: bitpos,
  },
  GETBIT: {
    arity: 3,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "2.2.0",
    complexity: "O(1)",
    summary: "Returns a bit of a string.",
    method: "key offset: number",
    run: getbit,
  },
  SETBIT: {
    arity: 4,
    flags: ["write", "denyoom"],
    keys: [update(1)],
    since: "2.2.0",
    complexity: "O(1), or O(N) if the string must grow, N: its length",
    summary: "Sets a bit of a string and returns its previous value.",
    events: event("$", "setbit", ifChanged),
    method: "key offset bit: number",
    keepsExpiryOf: 1,
    setsAgain: true,
    run: setbit,
  },
});

/** @throws CommandFailure */
function bitArgument(bytes: ByteString, text: string): Bit {
  if (bytes === "0") return 0;
  if (bytes === "1") return 1;
  throw custom(text);
}

function getbit(data: Data, argv: readonly ByteString[]): Reply {
  const index = bitOffset(argv[2]!);
  const entry = data.getString(argv[1]!);
  return integer(bitAt(entry === undefined ? "" : byteOf(entry, index), index % 8));
}

/** Returns the byte that contains a bit; "" after the end. */
function byteOf(entry: KeyEntry, index: number): ByteString {
  const at = Math.floor(index / 8);
  return stringPart(entry, at, at + 1);
}

function setbit(data: Data, argv: readonly ByteString[]): Reply {
  const index = bitOffset(argv[2]!);
  const bit = bitArgument(argv[3]!, "ERR bit is not an integer or out of range");
  const length = bytesUpTo(index);
  const entry = data.getString(argv[1]!) ?? data.put(argv[1]!, "");
  const byte = byteOf(entry, index);
  const old = bitAt(byte, index % 8);
  if (old !== bit || byte === "") data.patch(entry, length - 1, byteWith(byte, index % 8, bit));
  return integer(old);
}

/** A part of a string, in bits: `from` ≤ index < `to`. */
interface Part {
  readonly from: number;
  readonly to: number;
}

/**
 * Returns the part between two indexes, both inclusive; negative ones count from the end.
 * @param unit number of bits that an index counts
 */
function partOf(bytes: ByteString, start: number, end: number, unit: number): Part {
  const total = (bytes.length * 8) / unit;
  const from = Math.max(0, start < 0 ? start + total : start);
  const last = Math.min(total - 1, Math.max(0, end < 0 ? end + total : end));
  return { from: from * unit, to: (last + 1) * unit };
}

/** Returns the number of bits that an index counts: 8 for `BYTE`, 1 for `BIT`. @throws CommandFailure */
function unitArgument(bytes: ByteString | undefined): number {
  const word = bytes?.toUpperCase() ?? "BYTE";
  if (word !== "BYTE" && word !== "BIT") throw syntaxError();
  return word === "BYTE" ? 8 : 1;
}

/** `BITCOUNT key [start end [BYTE|BIT]]` */
function bitcount(data: Data, argv: readonly ByteString[]): Reply {
  const bytes = data.getString(argv[1]!)?.value;
  if (bytes === undefined) return ZERO;
  if (argv.length === 2) return integer(onesIn(data, bytes, { from: 0, to: bytes.length * 8 }));
  if (argv.length < 4 || argv.length > 5) throw syntaxError();
  const start = indexArgument(argv[2]!);
  const end = indexArgument(argv[3]!);
  // The order of the checks is Redis's: the unit is not checked if the range is reversed.
  if (start < 0 && end < 0 && start > end) return ZERO;
  const unit = unitArgument(argv[4]);
  return integer(onesIn(data, bytes, partOf(bytes, start, end, unit)));
}

/** Cost in steps of each `BYTES_PER_STEP` bytes whose bits are counted or compared. */
const BITS_STEPS = 2;

/** Counts the bytes of a part that are about to be read. @throws BudgetExceeded */
function countPart({ effort }: Data, { from, to }: Part): void {
  effort.work((BITS_STEPS * Math.max(0, to - from)) / 8 / BYTES_PER_STEP);
}

function onesIn(data: Data, bytes: ByteString, part: Part): number {
  countPart(data, part);
  return countOnes(bytes, part.from, part.to);
}

/** `BITPOS key bit [start [end [BYTE|BIT]]]` */
function bitpos(data: Data, argv: readonly ByteString[]): Reply {
  const bit = integerBit(argv[2]!);
  const bytes = data.getString(argv[1]!)?.value;
  if (bytes === undefined) return integer(bit === 1 ? -1 : 0);
  if (argv.length > 6) throw syntaxError();

  const start = argv[3] === undefined ? 0 : indexArgument(argv[3]);
  const unit = unitArgument(argv[5]);
  const end = argv[4] === undefined ? -1 : indexArgument(argv[4]);
  const { from, to } = partOf(bytes, start, end, unit);
  if (from >= to) return integer(-1);

  countPart(data, { from, to });
  const index = findBit(bytes, bit, from, to);
  // If all bits are ones, the first zero is the one after the end of the string, unless the caller specifies an end.
  return integer(index < 0 && bit === 0 && argv[4] === undefined ? to : index);
}

/** @throws CommandFailure */
function integerBit(bytes: ByteString): Bit {
  const value = indexArgument(bytes);
  if (value !== 0 && value !== 1) throw custom("ERR The bit argument must be 1 or 0.");
  return value;
}

/** Combines words, starting at an index, with the same number of other words. */
type Combine = (into: Int32Array, at: number, others: Int32Array, count: number) => void;

/** Each operation has its own loop, which is four times as fast as a shared loop that calls a function. */
const OPERATIONS: Readonly<Record<string, Combine>> = {
  AND: (into, at, others, count) => {
    for (let i = 0; i < count; i++) into[at + i]! &= others[i]!;
  },
  OR: (into, at, others, count) => {
    for (let i = 0; i < count; i++) into[at + i]! |= others[i]!;
  },
  XOR: (into, at, others, count) => {
    for (let i = 0; i < count; i++) into[at + i]! ^= others[i]!;
  },
};

/** `BITOP AND|OR|XOR|NOT destination key [key …]` */
function bitop(data: Data, argv: readonly ByteString[]): Reply {
  const name = argv[1]!.toUpperCase();
  const combine = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name] : undefined;
  if (combine === undefined && name !== "NOT") throw syntaxError();
  if (combine === undefined && argv.length !== 4)
    throw custom("ERR BITOP NOT must be called with a single source key.");

  const sources = argv.slice(3).map((key) => data.getString(key)?.value ?? "");
  const longest = sources.reduce((max, { length }) => Math.max(max, length), 0);
  data.effort.produce(1, longest);
  for (const { length } of sources) data.effort.work(length / BYTES_PER_STEP);
  const result = combine === undefined ? inverted(sources[0]!) : combined(sources, combine);
  if (result !== "") {
    const entry = data.put(argv[2]!, result);
    data.forms?.note(entry, "raw");
  } else if (data.get(argv[2]!) !== undefined) data.delete(argv[2]!);

  return integer(result.length);
}

function inverted(bytes: ByteString): ByteString {
  const { buffer, words } = newWords(bytes.length);
  buffer.write(bytes, "latin1");
  for (let i = 0; i < words.length; i++) words[i] = ~words[i]!;
  return bytesOf(buffer, 0, bytes.length);
}

/** Combines strings; shorter ones are padded with zeros. */
function combined([first = "", ...others]: readonly ByteString[], combine: Combine): ByteString {
  const length = others.reduce((longest, bytes) => Math.max(longest, bytes.length), first.length);
  const { buffer, words } = newWords(length);
  buffer.write(first, "latin1");
  for (const bytes of others) {
    for (let start = 0; start < length; start += BLOCK_BYTES) {
      const count = Math.min(BLOCK_BYTES, length - start);
      combine(words, start / WORD_BYTES, wordsFrom(bytes, start, count), wordsIn(count));
    }
  }
  return bytesOf(buffer, 0, length);
}

const OVERFLOWS = ["WRAP", "SAT", "FAIL"] as const;
type Overflow = (typeof OVERFLOWS)[number];

interface FieldType {
  readonly signed: boolean;
  /** The field's width: 1 to 64, or to 63 for an unsigned field. */
  readonly bits: number;
}

interface Operation extends FieldType {
  readonly kind: "GET" | "SET" | "INCRBY";
  /** Index of the field's highest bit. */
  readonly index: number;
  /** The value to set or to add; 0n for GET. */
  readonly operand: bigint;
  /** How a result that does not fit is handled. */
  readonly overflow: Overflow;
}

/** Number of arguments after each subcommand of BITFIELD. */
const FIELD_ARGUMENTS: Readonly<Record<string, number>> = { GET: 2, SET: 3, INCRBY: 3, OVERFLOW: 1 };

/**
 * Returns how BITFIELD uses its key: for reading if every subcommand is valid and only reads, and otherwise for
 * writing.
 */
function bitfieldKeys(argv: readonly ByteString[]): Touch[] {
  const key = argv[1] ?? "";
  for (let i = 2; i < argv.length; i++) {
    const word = argv[i]!.toUpperCase();
    const follow = Object.hasOwn(FIELD_ARGUMENTS, word) ? FIELD_ARGUMENTS[word]! : Number.POSITIVE_INFINITY;
    if (word === "SET" || word === "INCRBY" || i + follow >= argv.length)
      return [{ db: null, key, access: "write", needs: "RW" }];
    i += follow;
  }
  return [{ db: null, key, access: "read", needs: "R" }];
}

/** Whether BITFIELD sets integers, and adds to none. */
function onlySetsFields(argv: readonly ByteString[]): boolean {
  const kinds = operationsOf(argv).map(({ kind }) => kind);
  return kinds.includes("SET") && !kinds.includes("INCRBY");
}

/** `BITFIELD_RO key [GET type offset …]` */
function bitfieldReadOnly(data: Data, argv: readonly ByteString[]): Reply {
  const operations = operationsOf(argv);
  if (operations.some(({ kind }) => kind !== "GET"))
    throw custom("ERR BITFIELD_RO only supports the GET subcommand");
  return fieldsReply(data.getString(argv[1]!), operations);
}

/**
 * `BITFIELD key [GET type offset | OVERFLOW WRAP|SAT|FAIL | SET type offset value | INCRBY type offset increment …]`
 */
function bitfield(data: Data, argv: readonly ByteString[]): Reply {
  const operations = operationsOf(argv);
  const present = data.getString(argv[1]!);

  // The operations are not spread into arguments, because there can be more than the stack has room for.
  const last = operations.reduce(
    (most, { kind, index, bits }) => (kind === "GET" ? most : Math.max(most, index + bits - 1)),
    -1,
  );
  if (last < 0) return fieldsReply(present, operations);

  const length = bytesUpTo(last);
  const entry = present ?? data.put(argv[1]!, "");
  // The string receives its final length first, even if no result fits its field.
  if (stringLength(entry) < length) data.patch(entry, length - 1, "\0");
  return array(operations.map((operation) => applyOperation(data, entry, operation)));
}

/** Returns the integers of fields. @param entry undefined if the string does not exist */
function fieldsReply(entry: KeyEntry | undefined, operations: readonly Operation[]): Reply {
  const fieldOf = (operation: Operation) =>
    fieldValue(entry === undefined ? "" : bytesOfField(entry, operation), operation);
  return array(operations.map((operation) => integer(narrow(fieldOf(operation)))));
}

/** Returns the existing bytes that contain a field. */
function bytesOfField(entry: KeyEntry, { index, bits }: Operation): ByteString {
  return stringPart(entry, Math.floor(index / 8), Math.floor((index + bits - 1) / 8) + 1);
}

function applyOperation(data: Data, entry: KeyEntry, operation: Operation): Reply {
  const { kind, index, bits, signed, operand } = operation;
  const bytes = bytesOfField(entry, operation);
  const old = fieldValue(bytes, operation);
  if (kind === "GET") return integer(narrow(old));
  const result = kind === "INCRBY" ? old + operand : signed ? operand : BigInt.asUintN(64, operand);
  const value = fitted(result, operation);
  if (value === undefined) return NIL;
  if (value !== old) data.patch(entry, Math.floor(index / 8), bytesWithField(bytes, index % 8, bits, value));
  return integer(narrow(kind === "SET" ? old : value));
}

/** Returns the value to store in a field, or undefined if the result does not fit and nothing is stored. */
function fitted(value: bigint, { kind, signed, bits, overflow }: Operation): bigint | undefined {
  const wrapped = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  if (wrapped === value || overflow === "WRAP") return wrapped;
  if (overflow === "FAIL") return undefined;
  const max = (1n << BigInt(signed ? bits - 1 : bits)) - 1n;
  // If SET receives a number so low that Redis's 64-bit arithmetic overflows, Redis stores the highest value instead of
  // the lowest.
  const isAbove = value > max || (kind === "SET" && signed && max - value > INT64_MAX);
  return isAbove ? max : signed ? -max - 1n : 0n;
}

/** @param bytes the bytes that contain the field */
function fieldValue(bytes: ByteString, { index, bits, signed }: Operation): bigint {
  const value = readField(bytes, index % 8, bits);
  return signed ? BigInt.asIntN(bits, value) : value;
}

/** @throws CommandFailure */
function operationsOf(argv: readonly ByteString[]): Operation[] {
  const operations: Operation[] = [];
  let overflow: Overflow = "WRAP";
  for (let i = 2; i < argv.length; ) {
    const kind = argv[i]!.toUpperCase();
    const follow = Object.hasOwn(FIELD_ARGUMENTS, kind) ? FIELD_ARGUMENTS[kind]! : Number.POSITIVE_INFINITY;
    if (i + follow >= argv.length) throw syntaxError();
    if (kind === "OVERFLOW") overflow = overflowArgument(argv[i + 1]!);
    else operations.push(operationOf(kind as Operation["kind"], argv.slice(i + 1, i + 1 + follow), overflow));
    i += 1 + follow;
  }

  return operations;
}

function operationOf(kind: Operation["kind"], args: readonly ByteString[], overflow: Overflow): Operation {
  const type = typeArgument(args[0]!);
  const index = bitOffset(args[1]!, type.bits);
  const operand = kind === "GET" ? 0n : BigInt(integerArgument(args[2]!));
  return { kind, ...type, index, operand, overflow };
}

/** Parses `i1` to `i64` and `u1` to `u63`; like C, it stops at a NUL byte. @throws CommandFailure */
function typeArgument(bytes: ByteString): FieldType {
  const [text = ""] = bytes.split("\0", 1);
  const signed = text.startsWith("i");
  const bits = Number(parseInteger(text.slice(1)) ?? 0);
  if ((!signed && !text.startsWith("u")) || bits < 1 || bits > (signed ? 64 : 63))
    throw custom(
      "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
    );
  return { signed, bits };
}

/** @throws CommandFailure */
function overflowArgument(bytes: ByteString): Overflow {
  const word = bytes.toUpperCase();
  const overflow = OVERFLOWS.find((each) => each === word);
  if (overflow === undefined) throw custom("ERR Invalid OVERFLOW type specified");
  return overflow;
}

/**
 * Number of bits in Redis's longest string (`proto-max-bulk-len`). Commands may read up to this limit, although strings
 * here are slightly shorter.
 */
const BITS_MAX = 8 * 512 * 1024 * 1024;

/**
 * Parses the index of a bit that a Redis string can have.
 * @param width the width of a field in bits: an index after `#` counts fields of this width; if undefined, `#` is not
 * permitted
 * @throws CommandFailure
 */
function bitOffset(bytes: ByteString, width?: number): number {
  const isFieldNumber = width !== undefined && bytes.startsWith("#");
  const number = parseInteger(isFieldNumber ? bytes.slice(1) : bytes);
  // If a product exceeds 64 bits, Redis uses its lower 64 bits.
  const index =
    isFieldNumber && number !== undefined ? BigInt.asIntN(64, BigInt(number) * BigInt(width)) : number;
  if (index === undefined || index < 0 || index >= BITS_MAX)
    throw custom("ERR bit offset is not an integer or out of range");
  return Number(index);
}

/**
 * Returns the number of bytes that a string needs to contain the bit with the given index.
 * @throws CommandFailure if no string can be that long
 */
function bytesUpTo(index: number): number {
  const length = Math.floor(index / 8) + 1;
  if (length > STRING_BYTES_MAX) throw stringTooLong();
  return length;
}
