/**
 * Parses positions, lengths and units in arguments. Behaviour and error texts are those of Redis 7; test/conformance
 * checks them.
 */

import { custom } from "../../../../../daemon/store/arguments/command-errors.js";
import { doubleArgument } from "../../../../../daemon/store/arguments/number-arguments.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { formatFixed } from "../../../../../protocol/resp/double-text.js";
import type { Shape } from "./geo-area.js";
import { type GeoPosition, isOnMap } from "./geohash.js";

/** The lengths of the units in metres. */
const UNITS: Readonly<Record<string, number>> = { m: 1, km: 1000, ft: 0.3048, mi: 1609.34 };
const DEGREE_DIGITS = 6;

/** A shape from the arguments, with lengths in metres, and the length in metres of the unit that replies use. */
export interface Area {
  readonly shape: Shape;
  readonly unit: number;
}

/** @throws CommandFailure */
export function positionArgument(longitude: ByteString, latitude: ByteString): GeoPosition {
  const position = { longitude: doubleArgument(longitude), latitude: doubleArgument(latitude) };
  if (isOnMap(position)) return position;
  const degrees = [position.longitude, position.latitude].map((value) => formatFixed(value, DEGREE_DIGITS));
  throw custom(`ERR invalid longitude,latitude pair ${degrees.join(",")}`);
}

/** Returns the length of a unit in metres. @throws CommandFailure */
export function unitArgument(bytes: ByteString): number {
  const name = bytes.toLowerCase();
  if (!Object.hasOwn(UNITS, name)) throw custom("ERR unsupported unit provided. please use M, KM, FT, MI");
  return UNITS[name]!;
}

/** @throws CommandFailure */
export function circleArguments(radius: ByteString, unit: ByteString): Area {
  const length = doubleArgument(radius, () => custom("ERR need numeric radius"));
  if (length < 0) throw custom("ERR radius cannot be negative");
  const metres = unitArgument(unit);
  return { shape: { kind: "circle", radius: length * metres }, unit: metres };
}

/** @throws CommandFailure */
export function boxArguments(width: ByteString, height: ByteString, unit: ByteString): Area {
  const wide = doubleArgument(width, () => custom("ERR need numeric width"));
  const high = doubleArgument(height, () => custom("ERR need numeric height"));
  if (wide < 0 || high < 0) throw custom("ERR height or width cannot be negative");
  const metres = unitArgument(unit);
  return { shape: { kind: "box", width: wide * metres, height: high * metres }, unit: metres };
}
