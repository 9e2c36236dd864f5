/**
 * Computes correctly rounded sines, cosines and arc sines. JavaScript leaves the last digit to each engine, but the
 * values that a fold stores must be the same on every daemon. The C library that redis-server uses almost always rounds
 * in the same way.
 */

/**
 * A number of about 106 bits, the sum of two doubles. It is computed only with +, - and ×, which every machine
 * rounds in the same way. Source: Dekker, "A floating-point technique for extending the available precision" (1971).
 * The absolute value of `lo` is at most half a unit in the last place of `hi`.
 */
interface DoubleDouble {
  readonly hi: number;
  readonly lo: number;
}

/** 2^27 + 1: splits a double into two halves. */
const SPLITTER = 134217729;

/** Returns the exact sum of two doubles. */
function sumOf(a: number, b: number): DoubleDouble {
  const hi = a + b;
  const part = hi - a;
  return { hi, lo: a - (hi - part) + (b - part) };
}

/** Returns the exact product of two doubles. Neither may be near the largest or the smallest double. */
function productOf(a: number, b: number): DoubleDouble {
  const hi = a * b;
  const a1 = SPLITTER * a - (SPLITTER * a - a);
  const a2 = a - a1;
  const b1 = SPLITTER * b - (SPLITTER * b - b);
  const b2 = b - b1;
  return { hi, lo: a2 * b2 - (hi - a1 * b1 - a2 * b1 - a1 * b2) };
}

function add(a: DoubleDouble, b: DoubleDouble): DoubleDouble {
  const high = sumOf(a.hi, b.hi);
  const low = sumOf(a.lo, b.lo);
  const sum = sumOf(high.hi, high.lo + low.hi);
  return sumOf(sum.hi, sum.lo + low.lo);
}

function multiply(a: DoubleDouble, b: DoubleDouble): DoubleDouble {
  const product = productOf(a.hi, b.hi);
  return sumOf(product.hi, product.lo + (a.hi * b.lo + a.lo * b.hi));
}

function divide(a: DoubleDouble, by: number): DoubleDouble {
  const hi = a.hi / by;
  const product = productOf(hi, by);
  return sumOf(hi, (a.hi - product.hi - product.lo + a.lo) / by);
}

/** π/2 in three parts, because near a multiple of π only the last part contributes to the sine. */
const HALF_PI = [1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33] as const;
/** Number of terms of the series that need full precision; for the remaining ones a double is enough. */
const TERMS_EXACT = 7;
const TERMS = 14;

/** The terms of the series: 1/0!, -1/2!, 1/4! … and 1/1!, -1/3!, 1/5! … */
const COSINE_TERMS = series(0);
const SINE_TERMS = series(1);

function series(first: number): readonly DoubleDouble[] {
  const terms: DoubleDouble[] = [{ hi: 1, lo: 0 }];
  for (let n = first + 1; terms.length < TERMS; n += 2) terms.push(divide(divide(terms.at(-1)!, -n), n + 1));
  return terms;
}

/** @param x a number from -4 to 4 */
export function sine(x: number): number {
  return ofAngle(x, 0).hi;
}

/** @param x a number from -4 to 4 */
export function cosine(x: number): number {
  return ofAngle(x, 1).hi;
}

/** @param y a number from 0 to 1; for larger values the result is NaN, as in C */
export function arcSine(y: number): number {
  if (!(y < 1)) return y === 1 ? HALF_PI[0] : Number.NaN;
  // One step of Newton's method doubles the number of correct digits.
  const guess = Math.asin(y);
  const { hi, lo } = ofAngle(guess, 0);
  return guess + (y - hi - lo) / ofAngle(guess, 1).hi;
}

/** Returns the sine of an angle plus the given number of quarter turns. */
function ofAngle(x: number, quarters: number): DoubleDouble {
  const turns = Math.round(x / HALF_PI[0]);
  const first = sumOf(x, -turns * HALF_PI[0]);
  const second = sumOf(first.hi, -turns * HALF_PI[1]);
  const remainder = sumOf(second.hi, second.lo + first.lo - turns * HALF_PI[2]);
  const quarter = (((turns + quarters) % 4) + 4) % 4;
  const value =
    quarter % 2 === 0
      ? multiply(remainder, polynomial(SINE_TERMS, remainder))
      : polynomial(COSINE_TERMS, remainder);
  return quarter < 2 ? value : { hi: -value.hi, lo: -value.lo };
}

/** Returns the sum of terms[k] x²ᵏ. */
function polynomial(terms: readonly DoubleDouble[], x: DoubleDouble): DoubleDouble {
  const square = multiply(x, x);
  let tail = 0;
  for (let k = TERMS - 1; k > TERMS_EXACT; k--) tail = (tail + terms[k]!.hi) * square.hi;
  let sum = add(terms[TERMS_EXACT]!, productOf(tail, 1));
  for (let k = TERMS_EXACT - 1; k >= 0; k--) sum = add(terms[k]!, multiply(sum, square));
  return sum;
}
