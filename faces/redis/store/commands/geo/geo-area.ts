/**
 * Computes distances on earth, and the cells of the map that cover a circle or a box around a position. The earth is
 * approximated by a sphere. Source: redis-server 7.0, test/conformance; the operations are in the same order as in
 * Redis, because the last digit depends on the order.
 */

import { arcSine, cosine, sine } from "../../arithmetic/trigonometry.js";
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
 * Returns the position that a score encodes, and its distance from the centre in metres; undefined if the position is outside
 * the shape.
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
