/**
 * Tests of single values by the operators of filters. Source: MongoDB's manual, "Query Predicates"; types as in
 * "Comparison/Sort Order".
 */

import { type ByteString, textOfBytes } from "../../../../protocol/byte-string.js";
import {
  type Bson,
  type BsonDocument,
  Extreme,
  isArray,
  isDocument,
  Regex,
  rankOf,
  TYPES,
  typeNamed,
  typeNumbered,
  typeOf,
} from "../values/bson.js";
import { doubleOf, integerOf, isNumber } from "../values/bson-numbers.js";
import { compareBson, keyOf } from "../values/bson-order.js";
import { Decimal } from "../values/decimal.js";
import { integerIn } from "./command-fields.js";
import type { ValueTest } from "./document-paths.js";
import { badValue, MongoFailure, notImplemented, spend, type Work } from "./mongo-failure.js";
import { compilePattern, PatternExceeded, PatternFault, type PatternProgram } from "./pattern.js";
import { compareCounted, isLarge, keyCounted } from "./value-size.js";

const isNothing = (value: Bson | undefined): boolean => value === undefined || value === null;

/** Tests for an equal value, possibly of another numeric type. Null also equals a missing value. */
export function equals(expected: Bson, work: Work): ValueTest {
  if (expected === null) return isNothing;
  const rank = rankOf(expected);
  const compare = comparing(expected, work);
  return (value) => rankOf(value) === rank && compare(value) === 0;
}

/** Returns a function that compares values with an operand. Only comparisons with a large operand may take long. */
const comparing = (operand: Bson, work: Work): ((value: Bson | undefined) => number) =>
  isLarge(operand) ? (value) => compareCounted(value, operand, work) : (value) => compareBson(value, operand);

/** Whether a document consists of operators. A reference to another document (DBRef) is a value. */
export function isOperators(value: Bson): value is BsonDocument {
  if (!isDocument(value)) return false;
  const [first] = value.keys();
  return first?.startsWith("$") === true && !(value.has("$ref") && value.has("$id"));
}

export type Comparison = "$gt" | "$gte" | "$lt" | "$lte";

const PASSES: Readonly<Record<Comparison, (order: number) => boolean>> = {
  $lt: (order) => order < 0,
  $lte: (order) => order <= 0,
  $gt: (order) => order > 0,
  $gte: (order) => order >= 0,
};

/** Compares values of the same kind, or with the minimum or the maximum of all values. NaN equals only itself. */
export function compares(operator: Comparison, operand: Bson, work: Work): ValueTest {
  const passes = PASSES[operator];
  const takesEqual = passes(0);
  if (operand === null) return (value) => takesEqual && isNothing(value);

  const rank = rankOf(operand);
  if (operand instanceof Extreme) return (value) => passes(rankOf(value) - rank);

  const isWantedNan = isNan(operand);
  const compare = comparing(operand, work);
  return (value) => {
    if (value === undefined || rankOf(value) !== rank) return false;
    if (isWantedNan || isNan(value)) return takesEqual && isWantedNan && isNan(value);
    return passes(compare(value));
  };
}

const isNan = (value: Bson): boolean =>
  typeof value === "number" ? Number.isNaN(value) : value instanceof Decimal && value.parts === "nan";

export function isIn(values: readonly Bson[], work: Work): ValueTest {
  const keys = new Set<ByteString>();
  const patterns: ValueTest[] = [];
  for (const one of values) {
    if (isOperators(one)) throw badValue("cannot nest $ under $in");
    if (one instanceof Regex) patterns.push(matches(one, work));
    else keys.add(keyOf(one));
  }
  return (value) => keys.has(keyCounted(value ?? null, work)) || patterns.some((test) => test(value));
}

/** Number of characters in a text that cost as much as checking one document. */
const CHARS_PER_UNIT = 2;

/** Tests for a string that contains a match of the pattern, or for the pattern itself. */
export function matches(regex: Regex, work: Work): ValueTest {
  const program = programOf(regex);
  const isSame = equals(regex, work);
  return (value) => {
    return typeof value === "string" ? isFound(program, value, work) : isSame(value);
  };
}

/** Whether a text contains a match, and counts the cost. @throws CommandFailure if the search takes too long */
export function isFound(program: PatternProgram, text: ByteString, work: Work): boolean {
  spend(work, Math.floor(text.length / CHARS_PER_UNIT));
  try {
    return program.isIn(textOfBytes(text));
  } catch (problem) {
    if (!(problem instanceof PatternExceeded)) throw problem;
    throw new MongoFailure(
      51156,
      `a pattern can match a text of ${text.length} bytes in too many ways: use a simpler pattern`,
    );
  }
}

const NOT_ASCII = /[^\x00-\x7f]/;

/** @throws CommandFailure if the pattern or an option is not supported */
export function programOf({ pattern, options }: Regex) {
  for (const option of options)
    if (!"isu".includes(option))
      throw notImplemented(`$regex supports only the options i and s, not ${option}`);

  const ignoresCase = options.includes("i");
  if (ignoresCase && NOT_ASCII.test(pattern))
    throw notImplemented("case-insensitive $regex supports only ASCII letters");

  try {
    return compilePattern((ignoresCase ? "(?i)" : "") + textOfBytes(pattern), options.includes("s"));
  } catch (problem) {
    if (problem instanceof PatternFault) throw badValue(`$regex: ${problem.message}`);
    throw problem;
  }
}

/** @param wanted a name, a number, or a list of them */
export function isOfType(wanted: Bson): ValueTest {
  const numbers = new Set<number>();
  for (const one of isArray(wanted) ? wanted : [wanted])
    for (const number of typeNumbers(one)) numbers.add(number);
  if (numbers.size === 0) throw badValue("$type must match at least one type");
  return (value) => value !== undefined && numbers.has(typeOf(value).number);
}

const NUMBERS = [TYPES.double, TYPES.int, TYPES.long, TYPES.decimal].map(({ number }) => number);
/** Types that no value here can have, but that a filter may name. */
const ABSENT: readonly (string | number)[] = [
  ...["undefined", "dbPointer", "javascript", "symbol", "javascriptWithScope"],
  ...[6, 12, 13, 14, 15],
];

function typeNumbers(wanted: Bson): readonly number[] {
  if (wanted === "number") return NUMBERS;
  const name = isNumber(wanted) ? doubleOf(wanted) : wanted;
  if (ABSENT.includes(name as string | number)) return [Number.NaN];
  const type =
    typeof name === "string" ? typeNamed(name) : typeof name === "number" ? typeNumbered(name) : undefined;
  if (type === undefined) throw badValue("Unknown type name or number for $type");
  return [type.number];
}

export function hasSize(operand: Bson): ValueTest {
  const size = integerIn(operand, "$size");
  if (size < 0) throw badValue("$size may not be negative");
  return (value) => isArray(value) && value.length === size;
}

/** @param operand divisor and remainder; fractions of both and of the value are truncated */
export function hasRemainder(operand: Bson): ValueTest {
  if (!isArray(operand) || operand.length !== 2) throw badValue("malformed mod, needs to be an array of two");
  const [divisor, remainder] = operand.map((one) => (isNumber(one) ? cutOff(doubleOf(one), one) : undefined));
  if (divisor === undefined || remainder === undefined)
    throw badValue("malformed mod, divisor or remainder is not a number");
  if (divisor === 0n) throw badValue("divisor cannot be 0");
  return (value) => {
    const integer = isNumber(value) ? cutOff(doubleOf(value), value) : undefined;
    return integer !== undefined && integer % divisor === remainder;
  };
}

function cutOff(near: number, value: Bson): bigint | undefined {
  const exact = isNumber(value) ? integerOf(value) : undefined;
  if (exact !== undefined) return exact;
  const cut = Math.trunc(near);
  return Number.isSafeInteger(cut) ? BigInt(cut) : undefined;
}
