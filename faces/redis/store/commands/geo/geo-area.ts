/**
 * Computes distances on earth, and the cells of the map that cover a circle or a box around a position. The earth is
 * approximated by a sphere. Source: redis-server 7.0, test/conformance; the operations are in the same order as in
 * Redis, because the last digit depends on the order.
 *
 * Sines, cosines and arc sines are correctly rounded here. JavaScript leaves the last digit to each engine, but the
 * values that a fold stores must be the same on every daemon. The C library that redis-server uses almost always rounds
 * in the same way.
 */
import {
  type Area,
  areaOf,
  type Cell,
  cellAt,
  type GeoPosition,
  neighbour,
  positionOf,
  STEP_MAX,
} from "./geohash.js";

/** The radius of the earth in metres. */
const EARTH_RADIUS = 6372797.560856;
/** Half the equator on a Mercator map, in metres. */
const MERCATOR_MAX = 20037726.37;
const DEGREE = Math.PI / 180;
/**
 * Above each of these two latitudes, in the north and the south, the step (fineness) of the cells is one less, because
 * cells are narrow there.
 */
const NORTHERN = 66;
const POLAR = 80;

/** A shape around a position, with lengths in metres. */
export type Shape =
  | { readonly kind: "circle"; readonly radius: number }
  | { readonly kind: "box"; readonly width: number; readonly height: number };

export function distance(one: GeoPosition, other: GeoPosition): number {
  const v = sine((other.longitude * DEGREE - one.longitude * DEGREE) / 2);
  if (v === 0) return latitudeDistance(one.latitude, other.latitude);
  const latitude = one.latitude * DEGREE;
  const otherLatitude = other.latitude * DEGREE;
  const u = sine((otherLatitude - latitude) / 2);
  const a = u * u + cosine(latitude) * cosine(otherLatitude) * v * v;
  return 2 * EARTH_RADIUS * arcSine(Math.sqrt(a));
}

function latitudeDistance(one: number, other: number): number {
  return EARTH_RADIUS * Math.abs(other * DEGREE - one * DEGREE);
}

/**
 * Returns the position that a score encodes, and its distance from the centre in metres; undefined if the position is
 * outside the shape.
 */
export function within(
  shape: Shape,
  centre: GeoPosition,
  score: number,
): { position: GeoPosition; metres: number } | undefined {
  const position = positionOf(score);
  if (shape.kind === "box") {
    if (latitudeDistance(position.latitude, centre.latitude) > shape.height / 2) return undefined;
    const nearest = { longitude: centre.longitude, latitude: position.latitude };
    if (distance(position, nearest) > shape.width / 2) return undefined;
  }

  const metres = distance(centre, position);
  return shape.kind === "circle" && metres > shape.radius ? undefined : { position, metres };
}

/**
 * The middle cell and the cells around it in search order, each as its distance to the east and to the north in cells.
 */
const AROUND = [
  [0, 0],
  [0, 1],
  [0, -1],
  [1, 0],
  [-1, 0],
  [1, 1],
  [-1, 1],
  [1, -1],
  [-1, -1],
] as const;

/** Returns the cells that cover a shape, in the order in which they must be searched. */
export function cellsCovering(shape: Shape, centre: GeoPosition): Cell[] {
  const bounds = boundsOf(shape, centre);
  let step = stepFor(shape, centre);
  if (step > 1 && !coversAll(cellAt(centre, step), bounds)) step--;
  const middle = cellAt(centre, step);
  const area = areaOf(middle);
  const isUseful = ([byEast, byNorth]: readonly [number, number]): boolean => {
    if (step < 2) return true;
    if (byNorth < 0 && area.latitude.min < bounds.latitude.min) return false;
    if (byNorth > 0 && area.latitude.max > bounds.latitude.max) return false;
    if (byEast < 0 && area.longitude.min < bounds.longitude.min) return false;
    return !(byEast > 0 && area.longitude.max > bounds.longitude.max);
  };
  const cells = AROUND.filter(isUseful).map(([byEast, byNorth]) => neighbour(middle, byEast, byNorth));
  // On a coarse map, the neighbours on opposite sides may be the same cell.
  return cells.filter((cell, i) => i < 2 || !isSame(cell, cells[i - 1]!));
}

function isSame(one: Cell, other: Cell): boolean {
  return one.east === other.east && one.north === other.north;
}

/** Whether the neighbours of the middle cell extend to the bounds. */
function coversAll(middle: Cell, { longitude, latitude }: Area): boolean {
  return (
    areaOf(neighbour(middle, 0, 1)).latitude.max >= latitude.max &&
    areaOf(neighbour(middle, 0, -1)).latitude.min <= latitude.min &&
    areaOf(neighbour(middle, 1, 0)).longitude.max >= longitude.max &&
    areaOf(neighbour(middle, -1, 0)).longitude.min <= longitude.min
  );
}

/**
 * Returns the step (fineness) at which the cells are large enough for a shape, from the distance between its centre and
 * its farthest point.
 */
function stepFor(shape: Shape, { latitude }: GeoPosition): number {
  let reach =
    shape.kind === "circle"
      ? shape.radius
      : Math.sqrt((shape.width / 2) * (shape.width / 2) + (shape.height / 2) * (shape.height / 2));
  if (reach === 0) return STEP_MAX;
  let step = -1;
  for (; reach < MERCATOR_MAX; reach *= 2) step++;
  if (Math.abs(latitude) > NORTHERN) step--;
  if (Math.abs(latitude) > POLAR) step--;
  return Math.min(STEP_MAX, Math.max(1, step));
}

/** Returns a rectangle around a shape, in degrees; it may extend over the map's edges. */
function boundsOf(shape: Shape, { longitude, latitude }: GeoPosition): Area {
  const height = shape.kind === "circle" ? shape.radius : shape.height / 2;
  const width = shape.kind === "circle" ? shape.radius : shape.width / 2;
  const byNorth = height / EARTH_RADIUS / DEGREE;
  // Degrees of longitude are shortest on the side nearer to the pole.
  const narrow = (latitude < 0 ? latitude - byNorth : latitude + byNorth) * DEGREE;
  const byEast = width / EARTH_RADIUS / (Math.abs(narrow) <= 4 ? cosine(narrow) : 1) / DEGREE;
  return {
    longitude: { min: longitude - byEast, max: longitude + byEast },
    latitude: { min: latitude - byNorth, max: latitude + byNorth },
  };
}

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
