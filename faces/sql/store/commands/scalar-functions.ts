/**
 * The scalar functions of standard statements: lower, upper, length, abs, round, coalesce. As in SQLite, lower and
 * upper convert only ASCII letters.
 */

import { BYTES_PER_STEP } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Call, Expression } from "../grammar/syntax-tree.js";
import type { Scalar } from "../values/cell.js";
import { type Evaluation, failure } from "./evaluation-context.js";
import { fold } from "./relation.js";
import { type Compiled, standardAmount, textFor } from "./standard-values.js";

type Known = number | ByteString | boolean;
type OfOne = (value: Known, evaluation: Evaluation) => Scalar;

/** The functions with one argument, by name. They are not called for null: the result is then null. */
const OF_ONE: ReadonlyMap<string, OfOne> = new Map<string, OfOne>(
  Object.entries<OfOne>({
    lower: (value) => fold(textFor(value)),
    upper: (value) => textFor(value).replace(/[a-z]+/g, (letters) => letters.toUpperCase()),
    length: (value) => charactersOf(textFor(value)),
    abs: (value, evaluation) => Math.abs(standardAmount(value, evaluation)),
  }),
);

/** Compiles a call. The grammar has checked the number of arguments. @param compile  compiles an argument */
export function scalarCall(
  { name, arguments: operands }: Call,
  compile: (expression: Expression) => Compiled,
  evaluation: Evaluation,
): Compiled {
  const [first, ...others] = (operands ?? []).map(compile) as [Compiled, ...Compiled[]];
  const lower = name.toLowerCase();
  if (lower === "coalesce") return (row) => firstKnown(row, [first, ...others]);
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
export function rounded(value: number, decimals: number): number {
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
