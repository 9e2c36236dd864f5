/** Compiles expressions to functions of a row: columns are looked up once, regardless of the number of rows. */

import { BYTES_PER_STEP } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { STEP_ITEMS } from "../../../../protocol/steps.js";
import { numberText } from "../../bytes/sql-numbers.js";
import { SCALAR_FUNCTIONS } from "../grammar/functions.js";
import {
  type Arithmetic,
  type Between,
  type Binary,
  type Call,
  type Case,
  type Cast,
  type CastType,
  type Column,
  type Comparison,
  type Expression,
  type Like,
  type Membership,
  operandsOf,
  type Test,
} from "../grammar/syntax-tree.js";
import type { Scalar } from "../values/cell.js";
import { digitsAtStart, numberOfText } from "../values/number-text.js";
import { ValueSet } from "../values/value-set.js";
import {
  amount,
  type Compiled,
  combinedTruth,
  compare,
  countText,
  finiteNumber,
  isEqual,
  isTrue,
  standardAmount,
  standardOrder,
  textFor,
  truthOf,
} from "./comparisons.js";
import { type Evaluation, failure, notByRow } from "./evaluation-context.js";
import { fold, isText, positionOf } from "./relation.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";

/** The meaning of columns and calls in an expression. */
export interface Scope {
  column(column: Column): Compiled;
  call(call: Call): Compiled;
  /**
   * Returns a function for an expression whose value is already available in each row, for example an aggregate, so
   * that the parts of the expression need not be compiled; undefined for other expressions.
   */
  known?(expression: Expression): Compiled | undefined;
}

/** Returns a scope for single rows, without aggregates. */
export function rowScope(columns: readonly RelationColumn[], evaluation: Evaluation): Scope {
  return {
    column: (column) => {
      if (isText(column, columns)) return () => column.name;
      const position = positionOf(column, columns, evaluation);
      return (row) => row[position] as Scalar;
    },
    call: (call) => {
      throw notByRow(evaluation, call);
    },
  };
}

/** @throws CommandFailure if a column does not exist, or its name is ambiguous */
export function compiled(expression: Expression, scope: Scope, evaluation: Evaluation): Compiled {
  const available = scope.known?.(expression);
  if (available !== undefined) return available;

  const isStandard = evaluation.form === "standard";
  switch (expression.kind) {
    case "literal":
    case "parameter": {
      const value = constantOf(expression, evaluation) as Scalar;
      return () => value;
    }
    case "column":
      return scope.column(expression);
    case "call":
      return isStandard && SCALAR_FUNCTIONS.has(expression.name.toLowerCase())
        ? scalarCall(expression, (each) => compiled(each, scope, evaluation), evaluation)
        : scope.call(expression);
    case "not": {
      const operand = compiled(expression.operand, scope, evaluation);
      if (!isStandard) return (row) => !isTrue(operand(row), evaluation);
      return (row) => {
        const truth = truthOf(operand(row), evaluation);
        return truth === null ? null : !truth;
      };
    }
    case "negative": {
      const operand = compiled(expression.operand, scope, evaluation);
      if (!isStandard) return negated(operandValue(expression.operand, operand, evaluation), evaluation);
      return (row) => {
        const value = operand(row);
        return value === null ? null : 0 - standardAmount(value, evaluation);
      };
    }
    case "is-null": {
      const operand = compiled(expression.operand, scope, evaluation);
      const { isNegated } = expression;
      return (row) => (operand(row) === null) !== isNegated;
    }
    case "in":
    case "in-set":
    case "between":
    case "like":
      return compiledTest(expression, (each) => compiled(each, scope, evaluation), evaluation);
    case "case":
      return compiledCase(expression, (each) => compiled(each, scope, evaluation), evaluation);
    case "cast":
      return compiledCast(expression, (each) => compiled(each, scope, evaluation), evaluation);
    // Their values replace queries before the select is executed.
    case "query":
    case "in-query":
    case "exists":
      throw new Error("a query without its value");
    case "binary":
      return isStandard
        ? standardBinary(expression, scope, evaluation)
        : compiledBinary(expression, scope, evaluation);
  }
}

/** Maximum number of operators that one step calculates for all its rows together. */
const STEP_OPERATORS = 32 * STEP_ITEMS;

/** Returns the number of rows for which one step calculates these expressions: the more operators, the fewer rows. */
export function rowsAStep(expressions: readonly Expression[]): number {
  const operators = partsOfAll(expressions);
  return Math.max(1, Math.min(STEP_ITEMS, Math.floor(STEP_OPERATORS / Math.max(1, operators))));
}

/** Number of parts of expressions whose calculation is included in the cost of reading a row. */
const PARTS_INCLUDED = 8;
/** Cost in steps of each further part. */
const STEPS_PER_PART = 2;

/**
 * Counts expressions that are about to be calculated for rows, in addition to reading the rows.
 * @throws BudgetExceeded
 */
export function countCalculated(
  { effort }: Evaluation,
  rows: number,
  expressions: readonly Expression[],
): void {
  effort.work(rows * stepsPerRow(expressions));
}

/** Returns the cost in steps of calculating expressions for a row, in addition to reading it. */
export const stepsPerRow = (expressions: readonly Expression[]): number =>
  Math.max(0, partsOfAll(expressions) - PARTS_INCLUDED) * STEPS_PER_PART;

const partsOfAll = (expressions: readonly Expression[]) =>
  expressions.reduce((sum, each) => sum + partsOf(each), 0);

/**
 * Returns the number of parts of an expression: its operators, names and values. The literal values of a list count as
 * one part, because they are looked up in one operation.
 */
function partsOf(expression: Expression): number {
  return operandsOf(expression).reduce((sum, each) => sum + partsOf(each), 1 - writtenValues(expression));
}

const writtenValues = (expression: Expression) =>
  expression.kind === "in"
    ? expression.list.reduce((sum, { kind }) => sum + Number(kind === "literal" || kind === "parameter"), 0)
    : 0;

/** Compiles an expression as a condition: an unknown value counts as false. */
export function condition(
  expression: Expression,
  scope: Scope,
  evaluation: Evaluation,
): (row: RelationRow) => boolean {
  const value = compiled(expression, scope, evaluation);
  return evaluation.form === "standard"
    ? (row) => truthOf(value(row), evaluation) === true
    : (row) => isTrue(value(row), evaluation);
}

/**
 * Compiles an operator of a standard statement. Conditions have three truth values: null is neither true nor false, and
 * a result calculated from null is null.
 */
function standardBinary({ operator, ...sides }: Binary, scope: Scope, evaluation: Evaluation): Compiled {
  const left = compiled(sides.left, scope, evaluation);
  const right = compiled(sides.right, scope, evaluation);
  switch (operator) {
    case "and":
    case "or":
      return combinedTruth(operator, left, right, evaluation);
    case "+":
    case "-":
    case "*":
    case "/":
      return (row) => {
        const [one, other] = [left(row), right(row)];
        if (one === null || other === null) return null;
        const [first, second] = [standardAmount(one, evaluation), standardAmount(other, evaluation)];
        return operator === "/" && second === 0 ? null : result(operator, first, second, evaluation);
      };
    default: {
      const holds = STANDARD_COMPARISONS[operator];
      return (row) => {
        const order = standardOrder(left(row), right(row), evaluation);
        return order === null ? null : holds(order);
      };
    }
  }
}

const STANDARD_COMPARISONS: Readonly<Record<Comparison, (order: number) => boolean>> = {
  "=": (order) => order === 0,
  "!=": (order) => order !== 0,
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

function compiledBinary({ operator, ...sides }: Binary, scope: Scope, evaluation: Evaluation): Compiled {
  const left = compiled(sides.left, scope, evaluation);
  const right = compiled(sides.right, scope, evaluation);
  switch (operator) {
    case "and":
      return (row) => isTrue(left(row), evaluation) && isTrue(right(row), evaluation);
    case "or":
      return (row) => isTrue(left(row), evaluation) || isTrue(right(row), evaluation);
    case "=":
      return (row) => isEqual(left(row), right(row), evaluation);
    case "+":
    case "-":
    case "*":
    case "/": {
      const one = operandValue(sides.left, left, evaluation);
      const other = operandValue(sides.right, right, evaluation);
      return (row) => calculated(operator, one(row), other(row), evaluation);
    }
    default: {
      const holds = COMPARISONS[operator];
      return (row) => holds(left(row), right(row), evaluation);
    }
  }
}

/**
 * Returns an operand of arithmetic in a recorded statement. A text counts as the digits at its beginning, as in the
 * original. A bound text, which the original does not have, counts as its number: a number arrives as such a text.
 */
function operandValue(expression: Expression, operand: Compiled, evaluation: Evaluation): Compiled {
  const value = expression.kind === "parameter" ? constantOf(expression, evaluation) : undefined;
  const number = typeof value === "string" ? numberOfText(value) : undefined;
  return number === undefined ? operand : () => finiteNumber(number, evaluation);
}

const negated =
  (operand: Compiled, evaluation: Evaluation): Compiled =>
  (row) =>
    -amount(operand(row), evaluation);

type Holds = (one: Scalar, other: Scalar, evaluation: Evaluation) => boolean;

const COMPARISONS: Readonly<Record<Exclude<Comparison, "=">, Holds>> = {
  "!=": (one, other, evaluation) => one !== null && other !== null && !isEqual(one, other, evaluation),
  "<": (one, other, evaluation) => (compare(one, other, evaluation) ?? 0) < 0,
  "<=": (one, other, evaluation) => (compare(one, other, evaluation) ?? 1) <= 0,
  ">": (one, other, evaluation) => (compare(one, other, evaluation) ?? 0) > 0,
  ">=": (one, other, evaluation) => (compare(one, other, evaluation) ?? -1) >= 0,
};

/** @throws CommandFailure if the divisor is 0 or the result is too large */
function calculated(operator: Arithmetic, left: Scalar, right: Scalar, evaluation: Evaluation): number {
  const [one, other] = [amount(left, evaluation), amount(right, evaluation)];
  if (operator === "/" && other === 0) throw failure(evaluation, "dividedByZero", numberText(one));
  return result(operator, one, other, evaluation);
}

/** @throws CommandFailure if the result is too large */
function result(operator: Arithmetic, one: number, other: number, evaluation: Evaluation): number {
  const number =
    operator === "+"
      ? one + other
      : operator === "-"
        ? one - other
        : operator === "*"
          ? one * other
          : one / other;
  return finiteNumber(number, evaluation);
}

/** Returns the value of a literal, a parameter or a negated number; undefined for any other expression. */
export function constantOf(expression: Expression, { parameters }: Evaluation): Scalar | undefined {
  if (expression.kind === "literal") return expression.value;
  if (expression.kind === "parameter") return parameters[expression.number] ?? null;
  if (expression.kind !== "negative" || expression.operand.kind !== "literal") return undefined;
  const { value } = expression.operand;
  return typeof value === "number" ? -value : undefined;
}

/**
 * Compiles `case`: the result of the first branch that applies is calculated, and no result of another branch. A branch
 * whose condition is unknown does not apply.
 */
function compiledCase(
  { operand, branches, otherwise }: Case,
  compile: (expression: Expression) => Compiled,
  evaluation: Evaluation,
): Compiled {
  const value = operand === null ? null : compile(operand);
  const compiledBranches = branches.map(({ when, result }) => [compile(when), compile(result)] as const);
  const rest = otherwise === null ? () => null : compile(otherwise);
  return (row) => {
    const compared = value === null ? null : value(row);
    for (const [when, result] of compiledBranches) {
      const tried = when(row);
      const holds =
        value === null ? truthOf(tried, evaluation) : standardOrder(compared, tried, evaluation) === 0;
      if (holds === true) return result(row);
    }
    return rest(row);
  };
}

/** The conversions of a value that is not null, as in SQLite. */
const CONVERSIONS: Readonly<
  Record<CastType, (value: number | string | boolean, evaluation: Evaluation) => Scalar>
> = {
  number: standardAmount,
  integer: (value, evaluation) => {
    const number = typeof value === "string" ? digitsAtStart(value) : Number(value);
    return finiteNumber(Math.trunc(number) + 0, evaluation);
  },
  text: textFor,
};

/** Compiles `cast`. A text without a number at its beginning becomes 0; one that is too large a number is an error. */
function compiledCast(
  { type, operand }: Cast,
  compile: (expression: Expression) => Compiled,
  evaluation: Evaluation,
): Compiled {
  const convert = CONVERSIONS[type];
  const compiledOperand = compile(operand);
  const isBound = operand.kind === "parameter";
  return (row) => {
    const value = compiledOperand(row);
    // A number arrives as a bound text: 1e-7 is 0 as an integer, although the text begins with the digit 1.
    const number =
      isBound && type === "integer" && typeof value === "string" ? numberOfText(value) : undefined;
    return value === null ? null : convert(number ?? value, evaluation);
  };
}

type Known = number | ByteString | boolean;
type OfOne = (value: Known, evaluation: Evaluation) => Scalar;

/**
 * The functions with one argument, by name. They are not called for null: the result is then null. As in SQLite, lower
 * and upper convert only ASCII letters.
 */
const OF_ONE: ReadonlyMap<string, OfOne> = new Map<string, OfOne>(
  Object.entries<OfOne>({
    lower: (value) => fold(textFor(value)),
    upper: (value) => textFor(value).replace(/[a-z]+/g, (letters) => letters.toUpperCase()),
    length: (value) => charactersOf(textFor(value)),
    abs: (value, evaluation) => Math.abs(standardAmount(value, evaluation)),
  }),
);

/**
 * Compiles a call of a scalar function. The grammar has checked the number of arguments.
 * @param compile  compiles an argument
 */
function scalarCall(
  { name, arguments: operands }: Call,
  compile: (expression: Expression) => Compiled,
  evaluation: Evaluation,
): Compiled {
  const [first, ...others] = (operands ?? []).map(compile) as [Compiled, ...Compiled[]];
  const lower = name.toLowerCase();
  if (lower === "coalesce") return (row) => firstKnown(row, [first, ...others]);

  if (lower === "nullif") {
    const [other] = others as [Compiled];
    return (row) => {
      const value = first(row);
      return standardOrder(value, other(row), evaluation) === 0 ? null : value;
    };
  }

  if (lower === "round") {
    const [digits = () => 0] = others;
    return (row) => {
      const [value, decimals] = [first(row), digits(row)];
      return value === null || decimals === null
        ? null
        : rounded(standardAmount(value, evaluation), standardAmount(decimals, evaluation));
    };
  }

  const calculate = OF_ONE.get(lower);
  if (calculate === undefined) throw failure(evaluation, "notByRow", name);

  return (row) => {
    const value = first(row);
    if (typeof value === "string") evaluation.effort.work(value.length / BYTES_PER_STEP);
    return value === null ? null : calculate(value, evaluation);
  };
}

/** Returns the first value that is not null; the remaining values are not evaluated. */
function firstKnown(row: Parameters<Compiled>[0], values: readonly Compiled[]): Scalar {
  for (const value of values) {
    const scalar = value(row);
    if (scalar !== null) return scalar;
  }
  return null;
}

/** Counts the characters of a UTF-8 text. A byte that is not part of a character counts as one. */
function charactersOf(text: ByteString): number {
  return text.replace(/[\xc0-\xff][\x80-\xbf]*/g, "x").length;
}

const DIGITS_MAX = 30;
/** All doubles that are at least this number are integers. */
const WHOLE_MIN = 2 ** 52;
/**
 * Before a number is rounded, it is increased by the fraction NEAR / NEAR_SCALE of itself. A decimal number that is
 * stored slightly below a half is therefore rounded up: 2.675 is stored as 2.67499999999999982.
 */
const NEAR = 3n;
const NEAR_SCALE = 10n ** 16n;
/** A number is increased only if it has fewer digits than this, including those before the point. */
const NEAR_DIGITS_MAX = 15;

/**
 * Returns a number rounded to decimal places, half away from zero. Source: roundFunc and the printf of SQLite 3.40,
 * calculated exactly, so that all daemons round in the same way.
 */
function rounded(value: number, decimals: number): number {
  const size = Math.abs(value);
  const sign = value < 0 ? -1 : 1;
  const digits = Math.min(DIGITS_MAX, Math.max(0, Math.trunc(decimals)));
  if (size >= WHOLE_MIN || size === 0) return value + 0;
  if (digits === 0) return sign * Math.trunc(size + 0.5) + 0;

  const { mantissa, scale, exponent } = fractionOf(size);
  const isNear = digits + Math.trunc(exponent / 3) < NEAR_DIGITS_MAX;
  const number = mantissa * 10n ** BigInt(digits) * (NEAR_SCALE + (isNear ? NEAR : 0n));
  const unit = NEAR_SCALE << scale;
  const quotient = (2n * number + unit) / (2n * unit);
  return sign * Number(`${quotient}e-${digits}`) + 0;
}

/** Returns a positive number below 2^52 as `mantissa / 2^scale`, and the exponent of its highest bit. */
function fractionOf(value: number): { mantissa: bigint; scale: bigint; exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number(bits >> 52n);
  const fraction = bits & ((1n << 52n) - 1n);
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  return { mantissa, scale: BigInt(1075 - Math.max(1, biased)), exponent: biased - 1023 };
}

type Truth = boolean | null;
type Compile = (expression: Expression) => Compiled;

/**
 * Compiles `in`, `between` or `like` of a standard statement, with three truth values: true, false and null (unknown).
 */
function compiledTest(test: Test, compile: Compile, evaluation: Evaluation): Compiled {
  const truth = truthOfTest(test, compile, evaluation);
  if (!test.isNegated) return truth;
  return (row) => {
    const result = truth(row);
    return result === null ? null : !result;
  };
}

function truthOfTest(test: Test, compile: Compile, evaluation: Evaluation): (row: RelationRow) => Truth {
  switch (test.kind) {
    case "in":
      return membership(test, compile, evaluation);
    case "in-set": {
      const value = compile(test.operand);
      const { set } = test;
      return (row) => {
        const one = value(row);
        if (typeof one === "string") countText(one, evaluation);
        return set.test(one);
      };
    }
    case "between":
      return between(test, compile, evaluation);
    case "like":
      return like(test, compile, evaluation);
  }
}

/** Compiles `in`. For an empty list the result is false, even if the value is null. */
function membership(
  { operand, list }: Membership,
  compile: Compile,
  evaluation: Evaluation,
): (row: RelationRow) => Truth {
  const value = compile(operand);
  const written = new ValueSet();
  const calculated: Compiled[] = [];
  for (const each of list) {
    if (each.kind === "literal" || each.kind === "parameter") written.add(compile(each)([]));
    else calculated.push(compile(each));
  }
  if (list.length === 0) return () => false;

  return (row) => {
    const one = value(row);
    if (one === null) return null;
    if (typeof one === "string") countText(one, evaluation);
    if (written.has(one)) return true;

    let isUnknown = written.hasNull;
    for (const each of calculated) {
      const order = standardOrder(one, each(row), evaluation);
      if (order === 0) return true;
      isUnknown ||= order === null;
    }

    return isUnknown ? null : false;
  };
}

function between(
  { operand, from, to }: Between,
  compile: Compile,
  evaluation: Evaluation,
): (row: RelationRow) => Truth {
  const [value, low, high] = [compile(operand), compile(from), compile(to)];
  return (row) => {
    const one = value(row);
    const above = standardOrder(one, low(row), evaluation);
    const below = standardOrder(one, high(row), evaluation);
    if ((above !== null && above < 0) || (below !== null && below > 0)) return false;
    return above === null || below === null ? null : true;
  };
}

const ANY_TEXT = -1;
const ANY_CHARACTER = -2;
const UTF8_LEAD_MIN = 0xc0;
const isContinuation = (byte: number) => (byte & 0xc0) === 0x80;

/**
 * Maximum number of bytes that all `like` tests of one statement compare again by backtracking, which takes about 50
 * ms.
 */
const LIKE_STEPS_MAX = 20_000_000;
/** Backtracking to the last `%` is not counted if it repeats at most this many bytes. */
const STEPS_BACK_FREE = 16;

/**
 * A pattern as a list of bytes, with special codes for `%` and `_`. Null matches nothing: the pattern ends with the
 * escape character.
 */
type Pattern = readonly number[] | null;

/**
 * Compiles `like`. The case of the letters A to Z does not matter, and `_` matches one UTF-8 character. If the value or
 * the pattern is null, the result is null.
 */
function like(test: Like, compile: Compile, evaluation: Evaluation): (row: RelationRow) => Truth {
  const [value, pattern] = [compile(test.operand), compile(test.pattern)];
  const escapeValue = test.escape === null ? "" : compile(test.escape)([]);
  if (escapeValue === null) return () => null;

  const sign = textFor(escapeValue);
  if (test.escape !== null && (sign === "" || characterEnd(sign, 0) !== sign.length))
    throw failure(evaluation, "wrongEscape", sign === "" ? "''" : sign);

  let cached: { readonly text: ByteString; readonly pattern: Pattern } | null = null;
  return (row) => {
    const [one, other] = [value(row), pattern(row)];
    if (one === null || other === null) return null;
    const text = textFor(other);
    if (cached?.text !== text) cached = { text, pattern: patternOf(text, sign) };
    return matches(cached.pattern, fold(textFor(one)), evaluation);
  };
}

function patternOf(text: ByteString, sign: ByteString): Pattern {
  const folded = fold(text);
  const pattern: number[] = [];
  for (let at = 0; at < text.length; ) {
    if (sign !== "" && text.startsWith(sign, at)) {
      at += sign.length;
      if (at === text.length) return null;
      pattern.push(folded.charCodeAt(at++));
      continue;
    }
    const char = text[at];
    if (char !== "%" || pattern.at(-1) !== ANY_TEXT)
      pattern.push(char === "%" ? ANY_TEXT : char === "_" ? ANY_CHARACTER : folded.charCodeAt(at));
    at++;
  }

  return pattern;
}

/** Returns the end of the character that begins at `at`. */
function characterEnd(text: ByteString, at: number): number {
  let end = Math.min(text.length, at + 1);
  if (text.charCodeAt(at) >= UTF8_LEAD_MIN) while (isContinuation(text.charCodeAt(end))) end++;
  return end;
}

/** @throws CommandFailure if the statement has taken too many steps */
function matches(pattern: Pattern, text: ByteString, evaluation: Evaluation): boolean {
  if (pattern === null) return false;
  let [p, t] = [0, 0];
  /** Indexes at which to resume after the last `%` if the remaining pattern does not match. */
  let [anyP, anyT] = [-1, 0];
  for (;;) {
    const expected = pattern[p];
    if (expected === ANY_TEXT) {
      anyP = ++p;
      anyT = t;
      if (p === pattern.length) return true;
    } else if (t === text.length) return expected === undefined;
    else if (expected === ANY_CHARACTER) {
      p++;
      t = characterEnd(text, t);
    } else if (expected === text.charCodeAt(t)) {
      p++;
      t++;
    } else if (anyP >= 0) {
      if (t - anyT > STEPS_BACK_FREE) stepBack(t - anyT, evaluation);
      p = anyP;
      anyT = characterEnd(text, anyT);
      t = anyT;
    } else return false;
  }
}

function stepBack(steps: number, evaluation: Evaluation): void {
  const { work, effort } = evaluation;
  work.likeSteps += steps;
  effort.work(steps);
  if (work.likeSteps > LIKE_STEPS_MAX) throw failure(evaluation, "longLike", String(LIKE_STEPS_MAX));
}
