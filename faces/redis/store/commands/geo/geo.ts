/**
 * Positions on earth in sorted sets: each member's score encodes its position. Behaviour and error texts are those of
 * Redis 7; test/conformance checks them.
 */

import { custom, syntaxError } from "../../../../../daemon/store/arguments/command-errors.js";
import { doubleArgument, integerArgument } from "../../../../../daemon/store/arguments/number-arguments.js";
import { zadd } from "../../../../../daemon/store/commands/sorted-sets/sorted-set-add.js";
import { storeSortedSet } from "../../../../../daemon/store/commands/sorted-sets/sorted-set-ranges.js";
import {
  scoreEvents,
  storedEvent,
  storedNearEvents,
} from "../../../../../daemon/store/events/event-rules.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import {
  addsAlways,
  family,
  type Row,
  sourcesLookedUp,
} from "../../../../../daemon/store/rows/command-row.js";
import { storeSearch } from "../../../../../daemon/store/rows/key-searches.js";
import { type KeySpec, read, type Touch, write } from "../../../../../daemon/store/rows/key-spec.js";
import { SortedSet } from "../../../../../daemon/store/values/sorted-set.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import {
  array,
  bulk,
  EMPTY_ARRAY,
  integer,
  NIL,
  NIL_ARRAY,
  type Reply,
  writtenDouble,
} from "../../../../../protocol/reply.js";
import { formatFixed } from "../../../../../protocol/resp/double-text.js";
import { cellsCovering, distance, type Shape, within } from "./geo-area.js";
import { type GeoPosition, geohashText, isOnMap, positionOf, scoreOf, scoresOf } from "./geohash.js";

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

/**
 * The options read so far. If the key is absent and the centre is a member, the centre remains undefined, but the
 * remaining arguments are still checked.
 */
interface Draft {
  readonly value: SortedSet | undefined;
  centre: GeoPosition | undefined;
  /** Whether the client named the centre as a member or as a position. */
  from: "member" | "position" | undefined;
  area: Area | undefined;
  order: Search["order"];
  count: number;
  /** The options without arguments, and STOREDIST. */
  readonly flags: Set<string>;
  target: ByteString | undefined;
}

/** Reads an option's arguments. @throws CommandFailure */
type ReadOption = (draft: Draft, args: readonly ByteString[]) => void;

interface Option {
  /** Number of arguments after the option's name. */
  readonly follow: number;
  readonly read: ReadOption;
}

const flag = (name: string): Option => ({ follow: 0, read: ({ flags }) => flags.add(name) });

const COMMON: Readonly<Record<string, Option>> = {
  WITHDIST: flag("WITHDIST"),
  WITHHASH: flag("WITHHASH"),
  WITHCOORD: flag("WITHCOORD"),
  ANY: flag("ANY"),
  ASC: { follow: 0, read: (draft) => void (draft.order = "asc") },
  DESC: { follow: 0, read: (draft) => void (draft.order = "desc") },
  COUNT: {
    follow: 1,
    read: (draft, [count]) => {
      draft.count = Number(integerArgument(count!));
      if (draft.count <= 0) throw custom("ERR COUNT must be > 0");
    },
  },
};

const store = (storesDistances: boolean): Option => ({
  follow: 1,
  read: (draft, [key]) => {
    draft.target = key;
    if (storesDistances) draft.flags.add("STOREDIST");
    else draft.flags.delete("STOREDIST");
  },
});
const RADIUS_STORE: Readonly<Record<string, Option>> = {
  ...COMMON,
  STORE: store(false),
  STOREDIST: store(true),
};

const SEARCH: Readonly<Record<string, Option>> = {
  ...COMMON,
  FROMMEMBER: {
    follow: 1,
    read: (draft, [member]) => {
      if (draft.from === "position") throw syntaxError();
      draft.centre = positionOfMember(draft.value, member!);
      draft.from = "member";
    },
  },
  FROMLONLAT: {
    follow: 2,
    read: (draft, [longitude, latitude]) => {
      if (draft.from === "member") throw syntaxError();
      draft.centre = positionArgument(longitude!, latitude!);
      draft.from = "position";
    },
  },
  BYRADIUS: {
    follow: 2,
    read: (draft, [radius, unit]) => {
      if (draft.area?.shape.kind === "box") throw syntaxError();
      draft.area = circleArguments(radius!, unit!);
    },
  },
  BYBOX: {
    follow: 3,
    read: (draft, [width, height, unit]) => {
      if (draft.area?.shape.kind === "circle") throw syntaxError();
      draft.area = boxArguments(width!, height!, unit!);
    },
  },
};
const SEARCH_STORE: Readonly<Record<string, Option>> = { ...SEARCH, STOREDIST: flag("STOREDIST") };

/**
 * Returns the source key and the key after each STORE and STOREDIST, the last of which applies.
 * @param first index of the first option
 */
function georadiusKeys(first: number): KeySpec {
  return (argv) => {
    const touches: Touch[] = [{ db: null, key: argv[1] ?? "", access: "read", needs: "R" }];
    for (let i = first; i < argv.length - 1; i++) {
      if (/^STORE(DIST)?$/i.test(argv[i]!))
        touches.push({ db: null, key: argv[i + 1]!, access: "write", needs: "W" });
    }
    return touches;
  };
}

/** `GEORADIUS key longitude latitude radius unit …`, `GEORADIUSBYMEMBER key member radius unit …` */
function georadius(
  data: Data,
  argv: readonly ByteString[],
  { byMember, mayStore }: { byMember: boolean; mayStore: boolean },
): Reply {
  const draft = draftFor(data, argv[1]!);
  const areaAt = byMember ? 3 : 4;

  // If the key is absent, GEORADIUSBYMEMBER checks neither the member nor the radius.
  if (!byMember) draft.centre = positionArgument(argv[2]!, argv[3]!);
  else if (draft.value !== undefined) draft.centre = positionOfMember(draft.value, argv[2]!);
  if (!byMember || draft.value !== undefined) draft.area = circleArguments(argv[areaAt]!, argv[areaAt + 1]!);
  readOptions(draft, argv, areaAt + 2, mayStore ? RADIUS_STORE : COMMON);
  return run(data, draft, "STORE option in GEORADIUS");
}

/** `GEOSEARCH key …`, `GEOSEARCHSTORE destination key …` */
function geosearch(data: Data, argv: readonly ByteString[], { stores }: { stores: boolean }): Reply {
  const draft = draftFor(data, argv[stores ? 2 : 1]!);
  if (stores) draft.target = argv[1];
  readOptions(draft, argv, stores ? 3 : 2, stores ? SEARCH_STORE : SEARCH);
  checkStore(draft, "GEOSEARCHSTORE");
  if (draft.from === undefined)
    throw custom(`ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${argv[0]!}`);
  if (draft.area === undefined)
    throw custom(`ERR exactly one of BYRADIUS and BYBOX can be specified for ${argv[0]!}`);
  return run(data, draft, "GEOSEARCHSTORE");
}

function draftFor(data: Data, key: ByteString): Draft {
  return {
    value: data.getAs(SortedSet, key)?.value,
    centre: undefined,
    from: undefined,
    area: undefined,
    order: undefined,
    count: 0,
    flags: new Set(),
    target: undefined,
  };
}

/**
 * Returns the position of a member, or undefined if the key is absent.
 * @throws CommandFailure if the member does not exist
 */
function positionOfMember(value: SortedSet | undefined, member: ByteString): GeoPosition | undefined {
  if (value === undefined) return undefined;
  const score = value.get(member);
  if (score === undefined) throw custom("ERR could not decode requested zset member");
  return positionOf(score);
}

/** @throws CommandFailure */
function readOptions(
  draft: Draft,
  argv: readonly ByteString[],
  first: number,
  options: Readonly<Record<string, Option>>,
): void {
  for (let i = first; i < argv.length; ) {
    const name = argv[i]!.toUpperCase();
    const option = Object.hasOwn(options, name) ? options[name]! : undefined;
    if (option === undefined || i + option.follow >= argv.length) throw syntaxError();
    option.read(draft, argv.slice(i + 1, i + 1 + option.follow));
    i += 1 + option.follow;
  }
}

/** @throws CommandFailure */
function checkStore({ target, flags }: Draft, name: string): void {
  const shows = flags.has("WITHDIST") || flags.has("WITHHASH") || flags.has("WITHCOORD");
  if (target !== undefined && shows)
    throw custom(`ERR ${name} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`);
}

/** @param name the storing command or option, for errors */
function run(data: Data, draft: Draft, name: string): Reply {
  checkStore(draft, name);
  const { value, centre, area, order, count, flags, target } = draft;
  if (flags.has("ANY") && count === 0) throw custom("ERR the ANY argument requires COUNT argument");
  if (value === undefined || centre === undefined || area === undefined)
    return target === undefined ? EMPTY_ARRAY : storeSortedSet(data, target, []);

  const search: Search = {
    centre,
    area,
    order,
    count,
    any: flags.has("ANY"),
    withDistance: flags.has("WITHDIST"),
    withScore: flags.has("WITHHASH"),
    withPosition: flags.has("WITHCOORD"),
  };
  const members = find(data, value, search);
  if (target === undefined) return searchReply(members, search);

  return storeFound(data, target, members, { area, asDistances: flags.has("STOREDIST") });
}

const DISTANCE_DIGITS = 4;
const POSITION_DIGITS = 17;

interface Search {
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
function find(data: Data, value: SortedSet, search: Search): Found[] {
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

/**
 * Returns the found members, with the requested properties of each. The behaviour is that of Redis 7; test/conformance
 * checks it.
 */
function searchReply(found: readonly Found[], search: Search): Reply {
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
function storeFound(
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

function distanceReply(distance: number): Reply {
  return bulk(formatFixed(distance, DISTANCE_DIGITS));
}

function positionReply({ longitude, latitude }: GeoPosition): Reply {
  return array([longitude, latitude].map((degrees) => writtenDouble(degrees, degreesText(degrees))));
}

function degreesText(degrees: number): string {
  return formatFixed(degrees, POSITION_DIGITS).replace(/\.?0+$/, "");
}

/** The lengths of the units in metres. */
const UNITS: Readonly<Record<string, number>> = { m: 1, km: 1000, ft: 0.3048, mi: 1609.34 };
const DEGREE_DIGITS = 6;

/** A shape from the arguments, with lengths in metres, and the length in metres of the unit that replies use. */
interface Area {
  readonly shape: Shape;
  readonly unit: number;
}

/** @throws CommandFailure */
function positionArgument(longitude: ByteString, latitude: ByteString): GeoPosition {
  const position = { longitude: doubleArgument(longitude), latitude: doubleArgument(latitude) };
  if (isOnMap(position)) return position;
  const degrees = [position.longitude, position.latitude].map((value) => formatFixed(value, DEGREE_DIGITS));
  throw custom(`ERR invalid longitude,latitude pair ${degrees.join(",")}`);
}

/** Returns the length of a unit in metres. @throws CommandFailure */
function unitArgument(bytes: ByteString): number {
  const name = bytes.toLowerCase();
  if (!Object.hasOwn(UNITS, name)) throw custom("ERR unsupported unit provided. please use M, KM, FT, MI");
  return UNITS[name]!;
}

/** @throws CommandFailure */
function circleArguments(radius: ByteString, unit: ByteString): Area {
  const length = doubleArgument(radius, () => custom("ERR need numeric radius"));
  if (length < 0) throw custom("ERR radius cannot be negative");
  const metres = unitArgument(unit);
  return { shape: { kind: "circle", radius: length * metres }, unit: metres };
}

/** @throws CommandFailure */
function boxArguments(width: ByteString, height: ByteString, unit: ByteString): Area {
  const wide = doubleArgument(width, () => custom("ERR need numeric width"));
  const high = doubleArgument(height, () => custom("ERR need numeric height"));
  if (wide < 0 || high < 0) throw custom("ERR height or width cannot be negative");
  const metres = unitArgument(unit);
  return { shape: { kind: "box", width: wide * metres, height: high * metres }, unit: metres };
}
