/**
 * Numbers of about 106 bits, each the sum of two doubles. They are computed only with +, - and ×, which every machine
 * rounds in the same way. Source: Dekker, "A floating-point technique for extending the available precision" (1971).
 */

/** The absolute value of `lo` is at most half a unit in the last place of `hi`. */
export interface DoubleDouble {
  readonly hi: number;
  readonly lo: number;
}

/** 2^27 + 1: splits a double into two halves. */
const SPLITTER = 134217729;

/** Returns the exact sum of two doubles. */
export function sumOf(a: number, b: number): DoubleDouble {
  const hi = a + b;
  const part = hi - a;
  return { hi, lo: a - (hi - part) + (b - part) };
}

/** Returns the exact product of two doubles. Neither may be near the largest or the smallest double. */
export function productOf(a: number, b: number): DoubleDouble {
  const hi = a * b;
  const a1 = SPLITTER * a - (SPLITTER * a - a);
  const a2 = a - a1;
  const b1 = SPLITTER * b - (SPLITTER * b - b);
  const b2 = b - b1;
  return { hi, lo: a2 * b2 - (hi - a1 * b1 - a2 * b1 - a1 * b2) };
}

export function add(a: DoubleDouble, b: DoubleDouble): DoubleDouble {
  const high = sumOf(a.hi, b.hi);
  const low = sumOf(a.lo, b.lo);
  const sum = sumOf(high.hi, high.lo + low.hi);
  return sumOf(sum.hi, sum.lo + low.lo);
}

export function multiply(a: DoubleDouble, b: DoubleDouble): DoubleDouble {
  const product = productOf(a.hi, b.hi);
  return sumOf(product.hi, product.lo + (a.hi * b.lo + a.lo * b.hi));
}

export function divide(a: DoubleDouble, by: number): DoubleDouble {
  const hi = a.hi / by;
  const product = productOf(hi, by);
  return sumOf(hi, (a.hi - product.hi - product.lo + a.lo) / by);
}
