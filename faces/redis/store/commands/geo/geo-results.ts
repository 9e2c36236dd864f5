/** Returns or stores the results of a search. The behaviour is that of Redis 7; test/conformance checks it. */

import { storeSortedSet } from "../../../../../daemon/store/commands/sorted-sets/sorted-set-results.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import type { SortedSet } from "../../../../../daemon/store/values/sorted-set.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import {
  array,
  bulk,
  EMPTY_ARRAY,
  integer,
  type Reply,
  writtenDouble,
} from "../../../../../protocol/reply.js";
import { formatFixed } from "../../../../../protocol/resp/double-text.js";
import { cellsCovering, within } from "./geo-area.js";
import type { Area } from "./geo-arguments.js";
import { type GeoPosition, scoresOf } from "./geohash.js";

const DISTANCE_DIGITS = 4;
const POSITION_DIGITS = 17;

export interface Search {
  readonly centre: GeoPosition;
  readonly area: Area;
  readonly order: "asc" | "desc" | undefined;
  /** Maximum number of members; 0 means no limit. */
  readonly count: number;
  /** Whether the search may stop after the given number of members, even if other members are nearer. */
  readonly any: boolean;
  readonly withDistance: boolean;
  readonly withScore: boolean;
  readonly withPosition: boolean;
}

interface Found {
  readonly member: ByteString;
  readonly score: number;
  readonly position: GeoPosition;
  readonly metres: number;
}

/** Cost in steps of each member whose distance is calculated. */
const CHECKED_STEPS = 45;
/** Cost in steps of each member that is found, sorted and returned. */
const FOUND_STEPS = 60;

/** Returns the members in an area, in the requested order, and counts the cost. @throws BudgetExceeded */
export function find(data: Data, value: SortedSet, search: Search): Found[] {
  const { order, count, any } = search;
  const members = inArea(data, value, search, any ? count : 0);
  // Members at the same distance keep the order of the search; in Redis their order is undefined.
  if (order === "desc") members.sort((one, other) => other.metres - one.metres);
  else if (order === "asc" || (count > 0 && !any)) members.sort((one, other) => one.metres - other.metres);
  return count > 0 ? members.slice(0, count) : members;
}

/** @param limit 0 means no limit */
function inArea({ effort }: Data, value: SortedSet, { centre, area }: Search, limit: number): Found[] {
  const members: Found[] = [];
  for (const cell of cellsCovering(area.shape, centre)) {
    const { from, to } = scoresOf(cell);
    const first = value.countBelowScore(from, false);
    const end = value.countBelowScore(to, false);
    for (const [member, score] of value.range(first, end)) {
      effort.work(CHECKED_STEPS);
      const inside = within(area.shape, centre, score);
      if (inside === undefined) continue;
      effort.work(FOUND_STEPS);
      members.push({ member, score, ...inside });
      if (members.length === limit) return members;
    }
  }
  return members;
}

export function searchReply(found: readonly Found[], search: Search): Reply {
  const { withDistance, withScore, withPosition, area } = search;
  if (found.length === 0) return EMPTY_ARRAY;
  if (!withDistance && !withScore && !withPosition) return array(found.map(({ member }) => bulk(member)));
  return array(
    found.map(({ member, metres, score, position }) =>
      array([
        bulk(member),
        ...(withDistance ? [distanceReply(metres / area.unit)] : []),
        ...(withScore ? [integer(Math.trunc(score))] : []),
        ...(withPosition ? [positionReply(position)] : []),
      ]),
    ),
  );
}

/** @param asDistances whether the stored scores are distances instead of positions */
export function storeFound(
  data: Data,
  key: ByteString,
  found: readonly Found[],
  { area, asDistances }: { area: Area; asDistances: boolean },
): Reply {
  const pairs = found.map(
    ({ member, metres, score }) => [member, asDistances ? metres / area.unit : score] as const,
  );
  return storeSortedSet(data, key, pairs);
}

export function distanceReply(distance: number): Reply {
  return bulk(formatFixed(distance, DISTANCE_DIGITS));
}

export function positionReply({ longitude, latitude }: GeoPosition): Reply {
  return array([longitude, latitude].map((degrees) => writtenDouble(degrees, degreesText(degrees))));
}

function degreesText(degrees: number): string {
  return formatFixed(degrees, POSITION_DIGITS).replace(/\.?0+$/, "");
}
