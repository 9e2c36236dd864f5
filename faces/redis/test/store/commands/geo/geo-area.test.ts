/** Tests that sines, cosines and arc sines are the nearest doubles. The reference sums series in 200-bit integers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom, seedOfRun } from "../../../../../../test/support/seeded-random.js";
import { arcSine, cosine, sine } from "../../../../store/commands/geo/geo-area.js";

const BITS = 200n;
const ONE = 1n << BITS;
const CASES = 3000;

const seed = seedOfRun();

/** Converts a double to a multiple of 2⁻²⁰⁰. Smaller parts are truncated. */
function scaled(value: number): bigint {
  let exponent = 0;
  while (!Number.isInteger(value)) {
    value *= 2;
    exponent++;
  }
  return (BigInt(value) << BITS) >> BigInt(exponent);
}

/** Returns the sine, or with `first` 0 the cosine, of a multiple of 2⁻²⁰⁰. */
function reference(x: bigint, first: 0 | 1): bigint {
  let term = first === 1 ? x : ONE;
  let sum = 0n;
  for (let n = BigInt(first); term !== 0n; n += 2n) {
    sum += term;
    term = (-(((term * x) >> BITS) * x) >> BITS) / ((n + 1n) * (n + 2n));
  }
  return sum;
}

function neighbours(value: number): [number, number] {
  const bits = new BigInt64Array(new Float64Array([Math.abs(value)]).buffer)[0]!;
  return [bits - 1n, bits + 1n].map(
    (each) => new Float64Array(new BigInt64Array([each]).buffer)[0]! * (value < 0 ? -1 : 1),
  ) as [number, number];
}

const size = (value: bigint) => (value < 0n ? -value : value);

/** Asserts that no double is nearer to the exact value. */
function assertNearest(result: number, exact: bigint, label: string): void {
  const error = size(scaled(result) - exact);
  for (const other of neighbours(result))
    assert.ok(
      error <= size(scaled(other) - exact),
      `${label} is ${result}, but ${other} is nearer, seed ${seed}`,
    );
}

test(`sine and cosine return the nearest doubles (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 0);
  const edges = [1e-9, -1e-9, Math.PI, -Math.PI, Math.PI / 2, -Math.PI / 2, Math.PI / 4, 3, -3, 1, 2 ** -20];
  for (let i = 0; i < CASES; i++) {
    const x = edges[i] ?? (random.below(2 ** 31) / 2 ** 31 - 0.5 + random.below(2 ** 20) / 2 ** 51) * 6.28;
    assertNearest(sine(x), reference(scaled(x), 1), `sine of ${x}`);
    assertNearest(cosine(x), reference(scaled(x), 0), `cosine of ${x}`);
  }
  assert.equal(sine(0), 0);
  assert.equal(cosine(0), 1);
});

test(`the arc sine returns the nearest double (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 1);
  for (let i = 0; i < CASES; i++) {
    const y = (random.below(2 ** 31) + 1) / 2 ** 31 / 2 ** random.below(20);
    const angle = arcSine(y);
    // The exact angle is between the midpoints to its neighbours, since sines increase with the angle up to π/2.
    const [below, above] = neighbours(angle).map((other) => (scaled(angle) + scaled(other)) / 2n);
    assert.ok(reference(below!, 1) <= scaled(y) + 1n, `arc sine of ${y} is below ${angle}, seed ${seed}`);
    if (angle < 1.57)
      assert.ok(reference(above!, 1) >= scaled(y) - 1n, `arc sine of ${y} is above ${angle}, seed ${seed}`);
  }
  assert.equal(arcSine(0), 0);
  assert.equal(arcSine(1), Math.PI / 2);
  assert.ok(Number.isNaN(arcSine(1.0000000000000002)));
});
