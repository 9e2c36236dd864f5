/**
 * Positions on earth as integers. The ranges of longitude and latitude are each divided into 2^step parts, and the bits
 * of the two part numbers are interleaved, beginning with the longitude. Step 26 yields a sorted set's score of 52
 * bits, or 54 bits for a position on the upper edge. Source: redis-server 7.0, test/conformance.
 */

/** A position on earth, in degrees. */
export interface GeoPosition {
  readonly longitude: number;
  readonly latitude: number;
}

/** One of the 2^step × 2^step cells of the earth, counted from the west and from the south. */
export interface GeoCell {
  readonly step: number;
  readonly east: number;
  readonly north: number;
}

/** A range of longitudes or latitudes, in degrees. */
interface Range {
  readonly min: number;
  readonly max: number;
}

export interface Area {
  readonly longitude: Range;
  readonly latitude: Range;
}

const LONGITUDES: Range = { min: -180, max: 180 };
/** The latitudes between which a Mercator map is square. */
const LATITUDES: Range = { min: -85.05112878, max: 85.05112878 };
/** The latitudes of the usual geohash text, which covers all latitudes. */
const TEXT_LATITUDES: Range = { min: -90, max: 90 };

export const STEP_MAX = 26;
const TEXT_ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz";
/** Number of characters of five bits each: 52 bits fill ten of them, and an eleventh carries no information. */
const TEXT_CHARACTERS = 10;
const TWO_32 = 2 ** 32;

export function isOnMap({ longitude, latitude }: GeoPosition): boolean {
  return (
    longitude >= LONGITUDES.min &&
    longitude <= LONGITUDES.max &&
    latitude >= LATITUDES.min &&
    latitude <= LATITUDES.max
  );
}

/** Returns the cell of a position; a position on the upper edge belongs to the cell beyond it. */
export function cellAt(position: GeoPosition, step: number, latitudes = LATITUDES): GeoCell {
  return {
    step,
    east: stepsTo(position.longitude, LONGITUDES, step),
    north: stepsTo(position.latitude, latitudes, step),
  };
}

function stepsTo(degrees: number, { min, max }: Range, step: number): number {
  return Math.floor(((degrees - min) / (max - min)) * 2 ** step);
}

/** Returns the cell that is the given number of cells away. At an edge of the map, the opposite edge follows. */
export function neighbour({ step, east, north }: GeoCell, byEast: number, byNorth: number): GeoCell {
  const mask = 2 ** step - 1;
  return {
    step,
    east: byEast === 0 ? east : (east + byEast) & mask,
    north: byNorth === 0 ? north : (north + byNorth) & mask,
  };
}

export function areaOf({ step, east, north }: GeoCell): Area {
  return { longitude: rangeOf(east, LONGITUDES, step), latitude: rangeOf(north, LATITUDES, step) };
}

function rangeOf(steps: number, { min, max }: Range, step: number): Range {
  const scale = max - min;
  const all = 2 ** step;
  return { min: min + (steps / all) * scale, max: min + (((steps + 1) >>> 0) / all) * scale };
}

/** Returns the scores of the positions in a cell: `from` ≤ score < `to`. */
export function scoresOf({ step, east, north }: GeoCell): { from: number; to: number } {
  const finer = 4 ** (STEP_MAX - step);
  const hi = interleaved(north >>> 16, east >>> 16) * TWO_32;
  const lo = interleaved(north & 0xffff, east & 0xffff);
  return { from: (hi + lo) * finer, to: (hi + (lo + 1)) * finer };
}

export function scoreOf(position: GeoPosition): number {
  return scoresOf(cellAt(position, STEP_MAX)).from;
}

/** Returns the middle of the cell that a score encodes; for an invalid score, returns the same position as Redis. */
export function positionOf(score: number): GeoPosition {
  const { longitude, latitude } = areaOf(cellOf(score));
  return {
    longitude: within(LONGITUDES, (longitude.min + longitude.max) / 2),
    latitude: within(LATITUDES, (latitude.min + latitude.max) / 2),
  };
}

function within({ min, max }: Range, degrees: number): number {
  return Math.max(min, Math.min(max, degrees));
}

function cellOf(score: number): GeoCell {
  const bits = unsigned64(score);
  const lo = Number(bits & 0xffff_ffffn);
  const hi = Number(bits >> 32n);
  return {
    step: STEP_MAX,
    east: ((separated(hi >>> 1) << 16) | separated(lo >>> 1)) >>> 0,
    north: ((separated(hi) << 16) | separated(lo)) >>> 0,
  };
}

/** Converts a double to an unsigned integer as C does on x86-64. */
function unsigned64(value: number): bigint {
  const isSmall = value < 2 ** 63;
  const offset = isSmall ? value : value - 2 ** 63;
  const signed = offset >= -(2 ** 63) && offset < 2 ** 63 ? BigInt(Math.trunc(offset)) : -(2n ** 63n);
  return BigInt.asUintN(64, isSmall ? signed : signed + 2n ** 63n);
}

/** Interleaves two 16-bit numbers: the bits of the first go to even positions, those of the second to odd ones. */
function interleaved(even: number, odd: number): number {
  return (spread(even) | (spread(odd) << 1)) >>> 0;
}

function spread(bits: number): number {
  bits = (bits | (bits << 8)) & 0x00ff00ff;
  bits = (bits | (bits << 4)) & 0x0f0f0f0f;
  bits = (bits | (bits << 2)) & 0x33333333;
  return (bits | (bits << 1)) & 0x55555555;
}

/** Returns the bits at even positions, packed together. */
function separated(bits: number): number {
  bits &= 0x55555555;
  bits = (bits | (bits >>> 1)) & 0x33333333;
  bits = (bits | (bits >>> 2)) & 0x0f0f0f0f;
  bits = (bits | (bits >>> 4)) & 0x00ff00ff;
  return (bits | (bits >>> 8)) & 0xffff;
}

/** Returns the geohash of 11 characters that other programs understand. */
export function geohashText(position: GeoPosition): string {
  const { from } = scoresOf(cellAt(position, STEP_MAX, TEXT_LATITUDES));
  const bits = BigInt(from);
  let text = "";
  for (let character = 1; character <= TEXT_CHARACTERS; character++) {
    text += TEXT_ALPHABET[Number((bits >> BigInt(2 * STEP_MAX - 5 * character)) & 31n)];
  }
  return `${text}0`;
}
