/**
 * BITFIELD and BITFIELD_RO: integers of any width in a string. Behaviour and error texts are those of Redis 7;
 * test/conformance checks them.
 */

import { custom, syntaxError } from "../../../../../daemon/store/arguments/command-errors.js";
import {
  INT64_MAX,
  integerArgument,
  narrow,
  parseInteger,
} from "../../../../../daemon/store/arguments/number-arguments.js";
import type { Entry } from "../../../../../daemon/store/keyspace/keyspace.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import { stringLength, stringPart } from "../../../../../daemon/store/keyspace/string-parts.js";
import type { Touch } from "../../../../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { array, integer, NIL, type Reply } from "../../../../../protocol/reply.js";
import { bitOffset, bytesUpTo } from "./bit-offset.js";
import { bytesWithField, readField } from "./bits.js";

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

/** Number of arguments after each subcommand. */
const ARGUMENTS: Readonly<Record<string, number>> = { GET: 2, SET: 3, INCRBY: 3, OVERFLOW: 1 };

/**
 * Returns how BITFIELD uses its key: for reading if every subcommand is valid and only reads, and otherwise for
 * writing.
 */
export function bitfieldKeys(argv: readonly ByteString[]): Touch[] {
  const key = argv[1] ?? "";
  for (let i = 2; i < argv.length; i++) {
    const word = argv[i]!.toUpperCase();
    const follow = Object.hasOwn(ARGUMENTS, word) ? ARGUMENTS[word]! : Number.POSITIVE_INFINITY;
    if (word === "SET" || word === "INCRBY" || i + follow >= argv.length)
      return [{ db: null, key, access: "write", needs: "RW" }];
    i += follow;
  }
  return [{ db: null, key, access: "read", needs: "R" }];
}

/** `BITFIELD_RO key [GET type offset …]` */
export function bitfieldReadOnly(data: Data, argv: readonly ByteString[]): Reply {
  const operations = operationsOf(argv);
  if (operations.some(({ kind }) => kind !== "GET"))
    throw custom("ERR BITFIELD_RO only supports the GET subcommand");
  return fields(data.getString(argv[1]!), operations);
}

/** `BITFIELD key [GET type offset | OVERFLOW WRAP|SAT|FAIL | SET type offset value | INCRBY type offset increment …]` */
export function bitfield(data: Data, argv: readonly ByteString[]): Reply {
  const operations = operationsOf(argv);
  const present = data.getString(argv[1]!);
  // The operations are not spread into arguments, because there can be more than the stack has room for.
  const last = operations.reduce(
    (most, { kind, index, bits }) => (kind === "GET" ? most : Math.max(most, index + bits - 1)),
    -1,
  );
  if (last < 0) return fields(present, operations);
  const length = bytesUpTo(last);
  const entry = present ?? data.put(argv[1]!, "");
  // The string receives its final length first, even if no result fits its field.
  if (stringLength(entry) < length) data.patch(entry, length - 1, "\0");
  return array(operations.map((operation) => apply(data, entry, operation)));
}

/** Returns the values of fields. @param entry undefined if the string does not exist */
function fields(entry: Entry | undefined, operations: readonly Operation[]): Reply {
  const fieldOf = (operation: Operation) =>
    fieldValue(entry === undefined ? "" : bytesOf(entry, operation), operation);
  return array(operations.map((operation) => integer(narrow(fieldOf(operation)))));
}

/** Returns the existing bytes that contain a field. */
function bytesOf(entry: Entry, { index, bits }: Operation): ByteString {
  return stringPart(entry, Math.floor(index / 8), Math.floor((index + bits - 1) / 8) + 1);
}

function apply(data: Data, entry: Entry, operation: Operation): Reply {
  const { kind, index, bits, signed, operand } = operation;
  const bytes = bytesOf(entry, operation);
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
    const follow = Object.hasOwn(ARGUMENTS, kind) ? ARGUMENTS[kind]! : Number.POSITIVE_INFINITY;
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
