/**
 * Positions on earth in sorted sets: each member's score encodes its position. Behaviour and error texts are those of Redis
 * 7; test/conformance checks them.
 */

import { syntaxError } from "../../../../../daemon/store/arguments/command-errors.js";
import { zadd } from "../../../../../daemon/store/commands/sorted-sets/sorted-set-add.js";
import {
  scoreEvents,
  storedEvent,
  storedNearEvents,
} from "../../../../../daemon/store/events/event-rules.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import { family, type Row } from "../../../../../daemon/store/rows/command-row.js";
import { sourcesLookedUp } from "../../../../../daemon/store/rows/counted-lookups.js";
import { storeSearch } from "../../../../../daemon/store/rows/key-searches.js";
import { read, write } from "../../../../../daemon/store/rows/key-spec.js";
import { addsAlways } from "../../../../../daemon/store/rows/recorded-call.js";
import { SortedSet } from "../../../../../daemon/store/values/sorted-set.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { array, bulk, NIL, NIL_ARRAY, type Reply } from "../../../../../protocol/reply.js";
import { distance } from "./geo-area.js";
import { positionArgument, unitArgument } from "./geo-arguments.js";
import { distanceReply, positionReply } from "./geo-results.js";
import { georadius, georadiusKeys, geosearch } from "./geo-search.js";
import { type GeoPosition, geohashText, positionOf, scoreOf } from "./geohash.js";

const OF_SEARCH = "O(N+log(M)), N: members in the cells around the shape, M: members";

const radius = (arity: number, summary: string): Row => ({
  arity: -arity,
  flags: ["write", "denyoom", "movablekeys"],
  keys: georadiusKeys(arity),
  keyRange: [1, 1, 1],
  since: "3.2.0",
  complexity: OF_SEARCH,
  summary,
  run: (data, argv) => georadius(data, argv, { byMember: arity === 5, mayStore: true }),
});

const radiusReadOnly = (arity: number, summary: string): Row => ({
  arity: -arity,
  flags: ["readonly"],
  keys: [read(1)],
  since: "3.2.10",
  complexity: OF_SEARCH,
  summary,
  run: (data, argv) => georadius(data, argv, { byMember: arity === 5, mayStore: false }),
});

export const geo = family("geo", {
  GEOADD: {
    arity: -5,
    flags: ["write", "denyoom"],
    keys: [write(1)],
    since: "3.2.0",
    complexity: "O(log(N)) for each member, N: members",
    summary: "Adds members with their longitudes and latitudes, or moves them.",
    cost: "arguments",
    events: scoreEvents,
    keyFlags: ["RW update"],
    method: "key ...rest: number",
    keepsExpiryOf: 1,
    setsAgain: addsAlways,
    run: geoadd,
  },
  GEODIST: {
    arity: -4,
    flags: ["readonly"],
    keys: [read(1)],
    since: "3.2.0",
    complexity: "O(1)",
    summary: "Returns the distance between two members.",
    method: "key member1 member2 unit?: @text?",
    run: geodist,
  },
  GEOHASH: {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "3.2.0",
    complexity: "O(N), N: members named",
    summary: "Returns the positions of members as geohashes of 11 characters.",
    method: "key ...members: @list?",
    run: (data, argv) =>
      array(positionsOf(data, argv).map((position) => (position ? bulk(geohashText(position)) : NIL))),
  },
  GEOPOS: {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "3.2.0",
    complexity: "O(N), N: members named",
    summary: "Returns the longitudes and latitudes of members.",
    method: "key ...members: @reply",
    reply: "positions",
    run: (data, argv) =>
      array(positionsOf(data, argv).map((position) => (position ? positionReply(position) : NIL_ARRAY))),
  },
  GEORADIUS: {
    ...radius(6, "Returns or stores the members around a position; GEOSEARCH's old form."),
    events: storedNearEvents,
    lookedUp: sourcesLookedUp,
    keyFlags: ["RO access", "OW update", "OW update"],
    keySearches: storeSearch(6),
    reply: "locations",
  },
  GEORADIUS_RO: {
    ...radiusReadOnly(6, "Returns the members around a position; GEOSEARCH's old form."),
    reply: "locations",
  },
  GEORADIUSBYMEMBER: {
    ...radius(5, "Returns or stores the members around a member; GEOSEARCH's old form."),
    events: storedNearEvents,
    lookedUp: sourcesLookedUp,
    keyFlags: ["RO access", "OW update", "OW update"],
    keySearches: storeSearch(5),
    reply: "locations",
  },
  GEORADIUSBYMEMBER_RO: {
    ...radiusReadOnly(5, "Returns the members around a member; GEOSEARCH's old form."),
    reply: "locations",
  },
  GEOSEARCH: {
    arity: -7,
    flags: ["readonly"],
    keys: [read(1)],
    since: "6.2.0",
    complexity: OF_SEARCH,
    summary: "Returns the members in a circle or a box.",
    method: "key ...rest: @reply",
    reply: "locations",
    run: (data, argv) => geosearch(data, argv, { stores: false }),
  },
  GEOSEARCHSTORE: {
    arity: -8,
    flags: ["write", "denyoom"],
    keys: [write(1), read(2)],
    since: "6.2.0",
    complexity: OF_SEARCH,
    summary: "Stores the members in a circle or a box.",
    events: storedEvent("z", "geosearchstore"),
    lookedUp: sourcesLookedUp,
    run: (data, argv) => geosearch(data, argv, { stores: true }),
  },
});

const OPTIONS = ["nx", "xx", "ch"];

/** `GEOADD key [NX|XX] [CH] longitude latitude member [longitude latitude member …]` */
function geoadd(data: Data, argv: readonly ByteString[]): Reply {
  let first = 2;
  while (first < argv.length && OPTIONS.includes(argv[first]!.toLowerCase())) first++;
  const options = argv.slice(2, first).map((option) => option.toLowerCase());
  if ((argv.length - first) % 3 !== 0 || (options.includes("nx") && options.includes("xx")))
    throw syntaxError();
  const pairs: ByteString[] = [];
  for (let i = first; i < argv.length; i += 3)
    pairs.push(String(scoreOf(positionArgument(argv[i]!, argv[i + 1]!))), argv[i + 2]!);
  return zadd(data, ["zadd", argv[1]!, ...options, ...pairs], false);
}

/** `GEODIST key member member [unit]` */
function geodist(data: Data, argv: readonly ByteString[]): Reply {
  if (argv.length > 5) throw syntaxError();
  const metres = argv[4] === undefined ? 1 : unitArgument(argv[4]);
  const [one, other] = positionsOf(data, argv.slice(0, 4));
  if (one === undefined || other === undefined) return NIL;
  return distanceReply(distance(one, other) / metres);
}

/** Returns the positions of members, in the order of the arguments. */
function positionsOf(data: Data, [, key, ...members]: readonly ByteString[]): (GeoPosition | undefined)[] {
  const value = data.getAs(SortedSet, key!)?.value;
  return members.map((member) => {
    const score = value?.get(member);
    return score === undefined ? undefined : positionOf(score);
  });
}
