/** Tests of one value by the operators of filters. Source: MongoDB's manual, "Query Predicates"; types as in "Comparison/Sort Order". */
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import { compilePattern, PatternFault } from "../../patterns/pattern.js";
import { type Bson, Extreme, isArray, isDocument, Regex } from "../../values/collections/bson.js";
import { doubleOf, integerOf, isNumber } from "../../values/collections/bson-numbers.js";
import { compareBson, keyOf } from "../../values/collections/bson-order.js";
import { rankOf, TYPES, typeNamed, typeNumbered, typeOf } from "../../values/collections/bson-type.js";
import { Decimal } from "../../values/collections/decimal.js";
import type { Comparison } from "../filter.js";
import { badValue, notHere, spend, type Work } from "./mongo-failure.js";
import { integerIn } from "./spec.js";
import type { ValueTest } from "./ways.js";

const isNothing = (value: Bson | undefined): boolean => value === undefined || value === null;

/** A value that is equal, whatever kind of number it is; null: also none. */
export function equals(wanted: Bson): ValueTest {
  if (wanted === null) return isNothing;
  const rank = rankOf(wanted);
  return (value) => rankOf(value) === rank && compareBson(value, wanted) === 0;
}

const PASSES: Readonly<Record<Comparison, (order: number) => boolean>> = {
  $lt: (order) => order < 0,
  $lte: (order) => order <= 0,
  $gt: (order) => order > 0,
  $gte: (order) => order >= 0,
};

/** Compares values of one kind only, or with the minimum and the maximum of all. A value that is not a number equals itself alone. */
export function compares(operator: Comparison, wanted: Bson): ValueTest {
  const passes = PASSES[operator];
  const takesEqual = passes(0);
  if (wanted === null) return (value) => takesEqual && isNothing(value);
  const rank = rankOf(wanted);
  if (wanted instanceof Extreme) return (value) => passes(rankOf(value) - rank);
  const isWantedNan = isNan(wanted);
  return (value) => {
    if (value === undefined || rankOf(value) !== rank) return false;
    if (isWantedNan || isNan(value)) return takesEqual && isWantedNan && isNan(value);
    return passes(compareBson(value, wanted));
  };
}

const isNan = (value: Bson): boolean =>
  typeof value === "number" ? Number.isNaN(value) : value instanceof Decimal && value.parts === "nan";

export function isIn(wanted: readonly Bson[], work: Work): ValueTest {
  const keys = new Set<ByteString>();
  const patterns: ValueTest[] = [];
  for (const one of wanted) {
    if (isDocument(one) && [...one.keys()][0]?.startsWith("$") === true)
      throw badValue("cannot nest $ under $in");
    if (one instanceof Regex) patterns.push(matches(one, work));
    else keys.add(keyOf(one));
  }
  return (value) => keys.has(keyOf(value ?? null)) || patterns.some((test) => test(value));
}

/** Characters of a text that count as much as a document. */
const CHARS_A_UNIT = 2;

/** A string that the pattern is found in, or the pattern itself. */
export function matches(regex: Regex, work: Work): ValueTest {
  const program = programOf(regex);
  const isSame = equals(regex);
  return (value) => {
    if (typeof value !== "string") return isSame(value);
    spend(work, Math.floor(value.length / CHARS_A_UNIT));
    return program.isIn(textOfBytes(value));
  };
}

const NOT_ASCII = /[^\x00-\x7f]/;

/** @throws CommandFailure  a pattern or an option that is not supported */
export function programOf({ pattern, options }: Regex) {
  for (const option of options)
    if (option !== "i" && option !== "u")
      throw notHere(`of the options of $regex only i is there, not ${option}`);
  const ignoresCase = options.includes("i");
  if (ignoresCase && NOT_ASCII.test(pattern))
    throw notHere("$regex without regard to case takes letters of ASCII only");
  try {
    return compilePattern((ignoresCase ? "(?i)" : "") + textOfBytes(pattern));
  } catch (problem) {
    if (problem instanceof PatternFault) throw badValue(`$regex: ${problem.message}`);
    throw problem;
  }
}

/** @param wanted  a name, a number, or some of them */
export function isOfType(wanted: Bson): ValueTest {
  const numbers = new Set<number>();
  for (const one of isArray(wanted) ? wanted : [wanted])
    for (const number of typeNumbers(one)) numbers.add(number);
  if (numbers.size === 0) throw badValue("$type must match at least one type");
  return (value) => value !== undefined && numbers.has(typeOf(value).number);
}

const NUMBERS = [TYPES.double, TYPES.int, TYPES.long, TYPES.decimal].map(({ number }) => number);
/** Types that no value here can have, and that may be asked for. */
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

export function hasSize(wanted: Bson): ValueTest {
  const size = integerIn(wanted, "$size");
  if (size < 0) throw badValue("$size may not be negative");
  return (value) => isArray(value) && value.length === size;
}

/** @param operand  divisor and remainder; fractions of both and of the value are cut off */
export function hasRemainder(operand: Bson): ValueTest {
  if (!isArray(operand) || operand.length !== 2) throw badValue("malformed mod, needs to be an array of two");
  const [divisor, remainder] = operand.map((one) => (isNumber(one) ? cutOff(doubleOf(one), one) : undefined));
  if (divisor === undefined || remainder === undefined)
    throw badValue("malformed mod, divisor or remainder is no number");
  if (divisor === 0n) throw badValue("divisor cannot be 0");
  return (value) => {
    const whole = isNumber(value) ? cutOff(doubleOf(value), value) : undefined;
    return whole !== undefined && whole % divisor === remainder;
  };
}

function cutOff(near: number, value: Bson): bigint | undefined {
  const exact = isNumber(value) ? integerOf(value) : undefined;
  if (exact !== undefined) return exact;
  const cut = Math.trunc(near);
  return Number.isSafeInteger(cut) ? BigInt(cut) : undefined;
}
