/**
 * GEOSEARCH, GEORADIUS and their variants. Behaviour and error texts are those of Redis 7; test/conformance checks
 * them.
 */

import { custom, syntaxError } from "../../../../../daemon/store/arguments/command-errors.js";
import { integerArgument } from "../../../../../daemon/store/arguments/number-arguments.js";
import { storeSortedSet } from "../../../../../daemon/store/commands/sorted-sets/sorted-set-results.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import type { KeySpec, Touch } from "../../../../../daemon/store/rows/key-spec.js";
import { SortedSet } from "../../../../../daemon/store/values/sorted-set.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { EMPTY_ARRAY, type Reply } from "../../../../../protocol/reply.js";
import { type Area, boxArguments, circleArguments, positionArgument } from "./geo-arguments.js";
import { find, type Search, searchReply, storeFound } from "./geo-results.js";
import { type GeoPosition, positionOf } from "./geohash.js";

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
export const georadiusKeys =
  (first: number): KeySpec =>
  (argv) => {
    const touches: Touch[] = [{ db: null, key: argv[1] ?? "", access: "read", needs: "R" }];
    for (let i = first; i < argv.length - 1; i++) {
      if (/^STORE(DIST)?$/i.test(argv[i]!))
        touches.push({ db: null, key: argv[i + 1]!, access: "write", needs: "W" });
    }
    return touches;
  };

/** `GEORADIUS key longitude latitude radius unit …`, `GEORADIUSBYMEMBER key member radius unit …` */
export function georadius(
  data: Data,
  argv: readonly ByteString[],
  { byMember, mayStore }: { byMember: boolean; mayStore: boolean },
): Reply {
  const draft = draftFor(data, argv[1]!);
  const areaAt = byMember ? 3 : 4;
  // If the key is absent, position and area are not checked.
  if (!byMember) draft.centre = positionArgument(argv[2]!, argv[3]!);
  else if (draft.value !== undefined) draft.centre = positionOfMember(draft.value, argv[2]!);
  if (!byMember || draft.value !== undefined) draft.area = circleArguments(argv[areaAt]!, argv[areaAt + 1]!);
  readOptions(draft, argv, areaAt + 2, mayStore ? RADIUS_STORE : COMMON);
  return run(data, draft, "STORE option in GEORADIUS");
}

/** `GEOSEARCH key …`, `GEOSEARCHSTORE destination key …` */
export function geosearch(data: Data, argv: readonly ByteString[], { stores }: { stores: boolean }): Reply {
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
