/**
 * Converts documents from and to Extended JSON, the form that people write. It reads the canonical and the relaxed form
 * and writes the canonical one. Source: github.com/mongodb/specifications, extended-json v2.1.
 */
import { type ByteString, bytesOf, bytesOfText, textOfBytes } from "../../../../protocol/byte-string.js";
import { calendarDate } from "../../../../protocol/calendar-date.js";
import { MalformedJson, parseJson } from "../../../../protocol/json/json-reader.js";
import { JsonNumber, JsonObject, type JsonValue } from "../../../../protocol/json/json-value.js";
import {
  Binary,
  type Bson,
  BsonDate,
  type BsonDocument,
  BsonFault,
  countValues,
  DEPTH_MAX,
  DOCUMENT_BYTES_MAX,
  DocumentTooLarge,
  Extreme,
  Int32,
  isArray,
  isLong,
  MAX_KEY,
  MIN_KEY,
  ObjectId,
  Regex,
  Timestamp,
  WRITTEN_VALUES,
  WrittenDouble,
} from "./bson.js";
import { Decimal, decimalOfText, decimalText } from "./decimal.js";

/** @param text the text in UTF-8 @throws BsonFault if the text is not a document that can be stored */
export function readExtendedJson(text: ByteString, max = DOCUMENT_BYTES_MAX): BsonDocument {
  if (text.length > max) throw new DocumentTooLarge(text.length, max);
  const value = readDocument(parsed(text), 1);
  if (value instanceof Map) return value;
  throw new BsonFault("the text is not a document");
}

function parsed(text: ByteString): JsonValue {
  try {
    return parseJson(textOfBytes(text));
  } catch (problem) {
    if (problem instanceof MalformedJson) throw new BsonFault(problem.message);
    throw problem;
  }
}

function readDocument(value: JsonValue, depth: number): Bson {
  if (typeof value === "string") return bytesOfText(value);
  if (value instanceof JsonNumber) return numberOf(value.text);
  if (Array.isArray(value)) {
    checkDepth(depth);
    return value.map((one) => readDocument(one, depth + 1));
  }
  if (!(value instanceof JsonObject)) return value as boolean | null;

  const special = wrappedIn(value, depth);
  if (special !== undefined) return special;

  checkDepth(depth);
  return new Map(
    value.names.map((each, i) => [fieldName(each), readDocument(value.values[i] as JsonValue, depth + 1)]),
  );
}

/**
 * Returns the value of another type that an object represents, or undefined for an ordinary object. The text's own
 * object is a document, so it is ordinary unless it is exactly such a value.
 * @throws BsonFault if the object names a type, but does not have its form
 */
function wrappedIn(object: JsonObject, depth: number): Bson | undefined {
  const { names } = object;
  const name = names.find((one) => one.startsWith("$") && WRAPPERS.has(one));
  if (name === undefined) return undefined;

  const { form, read } = WRAPPERS.get(name) as Wrapper;
  const special = names.length === 1 ? read(object.get(name) as JsonValue) : undefined;
  if (special !== undefined || depth === 1) return special;

  throw new BsonFault(
    form === null
      ? `the deprecated type of {"${name}":…} is not supported`
      : `malformed Extended JSON: expected ${form}`,
  );
}

/** Checks the depth as for BSON: a scalar is as deep as the document or array that contains it. */
function checkDepth(depth: number): void {
  if (depth > DEPTH_MAX) throw new BsonFault(`documents are nested more than ${DEPTH_MAX} levels deep`);
}

function fieldName(name: string): ByteString {
  if (name.includes("\0")) throw new BsonFault("a field's name contains a zero byte");
  return bytesOfText(name);
}

function numberOf(text: string): Bson {
  if (!/^-?\d+$/.test(text) || text === "-0") return Number(text);
  const integer = BigInt(text);
  if (BigInt.asIntN(32, integer) === integer) return new Int32(Number(integer));
  return BigInt.asIntN(64, integer) === integer ? integer : Number(text);
}

// The functions of JavaScript also convert texts that are not in these forms.
const DOUBLE = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|-?Infinity|NaN)$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** The subtype of binary data that is a UUID. */
const UUID_SUBTYPE = 4;

/** An object that represents a value of another type, by its only name. */
interface Wrapper {
  /** The form that the error describes; null for a deprecated type, which cannot be stored. */
  readonly form: string | null;
  /** Returns undefined if the object does not have the form. */
  readonly read: (value: JsonValue) => Bson | undefined;
}

function integer(value: JsonValue, bits: number): bigint | undefined {
  if (typeof value !== "string" || !/^-?\d{1,20}$/.test(value)) return undefined;
  const read = BigInt(value);
  return BigInt.asIntN(bits, read) === read ? read : undefined;
}

function uint32(value: JsonValue | undefined): bigint | undefined {
  if (!(value instanceof JsonNumber && /^\d{1,10}$/.test(value.text))) return undefined;
  const read = BigInt(value.text);
  return BigInt.asUintN(32, read) === read ? read : undefined;
}

/** Returns the named members of an object, in this order, or no values if it has other members. */
function membersOf(value: JsonValue, names: readonly string[]): readonly (JsonValue | undefined)[] {
  if (!(value instanceof JsonObject) || value.names.length !== names.length) return [];
  return names.map((name) => value.get(name));
}

const isOne = (value: JsonValue): boolean => value instanceof JsonNumber && value.text === "1";

const DEPRECATED: Wrapper = { form: null, read: () => undefined };

const WRAPPERS: ReadonlyMap<string, Wrapper> = new Map<string, Wrapper>([
  [
    "$oid",
    {
      form: '{"$oid":"24 hexadecimal digits"}',
      read: (value) =>
        typeof value === "string" && /^[0-9a-f]{24}$/i.test(value)
          ? new ObjectId(bytesOf(Buffer.from(value, "hex")))
          : undefined,
    },
  ],
  [
    "$numberInt",
    {
      form: '{"$numberInt":"a whole number of 32 bits"}',
      read: (value) => {
        const read = integer(value, 32);
        return read === undefined ? undefined : new Int32(Number(read));
      },
    },
  ],
  [
    "$numberLong",
    { form: '{"$numberLong":"a whole number of 64 bits"}', read: (value) => integer(value, 64) },
  ],
  [
    "$numberDouble",
    {
      form: '{"$numberDouble":"a number, Infinity, -Infinity or NaN"}',
      read: (value) => (typeof value === "string" && DOUBLE.test(value) ? Number(value) : undefined),
    },
  ],
  [
    "$numberDecimal",
    {
      form: '{"$numberDecimal":"a number, Infinity, -Infinity or NaN"}',
      read: (value) => (typeof value === "string" ? decimalOfText(value) : undefined),
    },
  ],
  [
    "$date",
    {
      form: '{"$date":"2024-02-29T23:59:59.123Z"} or {"$date":{"$numberLong":"milliseconds since 1970"}}',
      read: readDate,
    },
  ],
  [
    "$timestamp",
    {
      form: '{"$timestamp":{"t":seconds since 1970,"i":number}}, each of 32 bits',
      read: (value) => {
        const [t, i] = membersOf(value, ["t", "i"]).map(uint32);
        return t === undefined || i === undefined ? undefined : new Timestamp((t << 32n) | i);
      },
    },
  ],
  [
    "$binary",
    {
      form: '{"$binary":{"base64":"bytes in base64","subType":"one or two hexadecimal digits"}}',
      read: (value) => {
        const [data, subtype] = membersOf(value, ["base64", "subType"]);
        if (typeof data !== "string" || !BASE64.test(data)) return undefined;
        if (typeof subtype !== "string" || !/^[0-9a-f]{1,2}$/i.test(subtype)) return undefined;
        return new Binary(Number.parseInt(subtype, 16), bytesOf(Buffer.from(data, "base64")));
      },
    },
  ],
  [
    "$uuid",
    {
      form: '{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}',
      read: (value) =>
        typeof value === "string" && UUID.test(value)
          ? new Binary(UUID_SUBTYPE, bytesOf(Buffer.from(value.replaceAll("-", ""), "hex")))
          : undefined,
    },
  ],
  [
    "$regularExpression",
    {
      form: '{"$regularExpression":{"pattern":"text","options":"letters"}}',
      read: (value) => {
        const [pattern, options] = membersOf(value, ["pattern", "options"]);
        if (typeof pattern !== "string" || typeof options !== "string") return undefined;
        return new Regex(fieldName(pattern), fieldName([...options].sort().join("")));
      },
    },
  ],
  ["$minKey", { form: '{"$minKey":1}', read: (value) => (isOne(value) ? MIN_KEY : undefined) }],
  ["$maxKey", { form: '{"$maxKey":1}', read: (value) => (isOne(value) ? MAX_KEY : undefined) }],
  ...["$undefined", "$symbol", "$code", "$dbPointer"].map((name) => [name, DEPRECATED] as const),
]);

function readDate(value: JsonValue): Bson | undefined {
  if (typeof value === "string") {
    const isWritten = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?Z$/.test(value);
    const at = isWritten ? calendarDate(value) : undefined;
    return at === undefined ? undefined : new BsonDate(BigInt(at));
  }
  const [milliseconds] = membersOf(value, ["$numberLong"]);
  const at = milliseconds === undefined ? undefined : integer(milliseconds, 64);
  return at === undefined ? undefined : new BsonDate(at);
}

/** @returns the text in UTF-8 */
export function writeExtendedJson(value: Bson): ByteString {
  return bytesOfText(written(value));
}

/** Writes a document as `writeExtendedJson` does, a large one in steps. */
export function* extendedJsonInSteps(document: BsonDocument): Generator<void, ByteString> {
  return isLong(document) ? bytesOfText(yield* writtenInSteps(document)) : writeExtendedJson(document);
}

function* writtenInSteps(container: BsonDocument | readonly Bson[]): Generator<void, string> {
  const joined: string[] = [];
  let parts: string[] = [];
  let count = 0;
  for (const [name, value] of container.entries()) {
    count += 1 + countValues(value, WRITTEN_VALUES);
    const json = isLong(value) ? yield* writtenInSteps(value) : written(value);
    parts.push(isArray(container) ? json : `${quoted(name as ByteString)}:${json}`);
    if (count < WRITTEN_VALUES) continue;
    joined.push(parts.join(","));
    [parts, count] = [[], 0];
    yield;
  }

  const all = [...joined, ...parts].join(",");
  return isArray(container) ? `[${all}]` : `{${all}}`;
}

const quoted = (bytes: ByteString): string => JSON.stringify(textOfBytes(bytes));
const hex = (bytes: ByteString): string => Buffer.from(bytes, "latin1").toString("hex");

function written(value: Bson): string {
  switch (typeof value) {
    case "string":
      return quoted(value);
    case "number":
      return `{"$numberDouble":"${Object.is(value, -0) ? "-0.0" : Number.isInteger(value) ? value.toFixed(1) : value}"}`;
    case "bigint":
      return `{"$numberLong":"${value}"}`;
    case "boolean":
      return String(value);
  }

  if (value === null) return "null";
  if (value instanceof Map)
    return `{${[...value].map(([name, one]) => `${quoted(name)}:${written(one)}`).join(",")}}`;
  if (Array.isArray(value)) return `[${value.map(written).join(",")}]`;

  return writtenSpecial(value as Exclude<typeof value, BsonDocument | readonly Bson[]>);
}

function writtenSpecial(
  value: Int32 | WrittenDouble | Decimal | ObjectId | BsonDate | Timestamp | Binary | Regex | Extreme,
): string {
  if (value instanceof WrittenDouble) return written(value.value);
  if (value instanceof Int32) return `{"$numberInt":"${value.value}"}`;
  if (value instanceof ObjectId) return `{"$oid":"${hex(value.bytes)}"}`;
  if (value instanceof BsonDate) return `{"$date":{"$numberLong":"${value.at}"}}`;
  if (value instanceof Decimal) return `{"$numberDecimal":"${decimalText(value)}"}`;
  if (value instanceof Timestamp)
    return `{"$timestamp":{"t":${value.value >> 32n},"i":${value.value & 0xffffffffn}}}`;
  if (value instanceof Binary) {
    const data = Buffer.from(value.bytes, "latin1").toString("base64");
    return `{"$binary":{"base64":"${data}","subType":"${value.subtype.toString(16).padStart(2, "0")}"}}`;
  }
  if (value instanceof Regex)
    return `{"$regularExpression":{"pattern":${quoted(value.pattern)},"options":${quoted(value.options)}}}`;

  return value instanceof Extreme && value.side === "min" ? '{"$minKey":1}' : '{"$maxKey":1}';
}
