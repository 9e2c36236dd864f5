/**
 * How many different elements a sketch has seen, from how often each register value occurs.
 * Source: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithm 6; in the order
 * of operations of redis-server 7.0, since the last digit depends on it.
 */

const ALPHA_INFINITE = 0.5 / Math.LN2;

/**
 * @param occurrences  for each register value from 0 to q + 1 how many registers have it
 * @returns a whole number
 */
export function estimate(occurrences: readonly number[]): number {
  const registers = occurrences.reduce((sum, count) => sum + count, 0);
  const last = occurrences.length - 1;
  let z = registers * tau((registers - occurrences[last]!) / registers);
  for (let value = last - 1; value >= 1; value--) z = (z + occurrences[value]!) * 0.5;
  z += registers * sigma(occurrences[0]! / registers);
  return Math.round((ALPHA_INFINITE * registers * registers) / z);
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
