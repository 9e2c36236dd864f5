/**
 * Estimates how many different elements a sketch has seen, from the number of occurrences of each register value.
 * Source: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithm 6, with the
 * order of operations of redis-server 7.0, since the last digit depends on it.
 */

const ALPHA_INFINITE = 0.5 / Math.LN2;

/** The result of a C conversion of a number outside the range of 64-bit integers. */
const BEYOND_INT64 = -(2n ** 63n);

/**
 * @param registers the number of registers; some may have values above q + 1, but only in corrupt or forged sketches
 * @param occurrences for each register value from 0 to q + 1 the number of registers that have it
 * @returns a 64-bit integer
 */
export function estimate(registers: number, occurrences: readonly number[]): bigint {
  const last = occurrences.length - 1;
  let z = registers * tau((registers - occurrences[last]!) / registers);
  for (let value = last - 1; value >= 1; value--) z = (z + occurrences[value]!) * 0.5;
  z += registers * sigma(occurrences[0]! / registers);
  const rounded = Math.round((ALPHA_INFINITE * registers * registers) / z);
  return rounded < 2 ** 63 ? BigInt(rounded) : BEYOND_INT64;
}

function sigma(x: number): number {
  if (x === 1) return Number.POSITIVE_INFINITY;
  let power = x;
  let factor = 1;
  let sum = x;
  for (let before = Number.NaN; before !== sum; ) {
    before = sum;
    power *= power;
    sum += power * factor;
    factor += factor;
  }
  return sum;
}

function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let root = x;
  let factor = 1;
  let sum = 1 - x;
  for (let before = Number.NaN; before !== sum; ) {
    before = sum;
    root = Math.sqrt(root);
    factor *= 0.5;
    sum -= (1 - root) * (1 - root) * factor;
  }
  return sum / 3;
}
