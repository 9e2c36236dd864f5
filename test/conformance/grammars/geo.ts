/** Calls of the geo commands. Places vary, so distances rarely tie. Redis leaves the order of ties undefined. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

/** Returns a random number from `from` to `to`. */
const between = (g: Generator, from: number, to: number): number =>
  from + ((to - from) * g.random.below(2 ** 30)) / 2 ** 30;

/** The centres around which places are generated; some are at the map's edges. */
const CENTRES: readonly (readonly [longitude: number, latitude: number])[] = [
  [13.361389, 38.115556],
  [15.087269, 37.502669],
  [0, 0],
  [179.999, 10],
  [-179.999, 10],
  [20, 84.9],
  [-60, -84.9],
  [10, 67],
];

const place = (g: Generator): ByteString[] => {
  const kind = g.random.below(40);
  if (kind === 0) return [g.float(), g.float()];
  if (kind === 1)
    return [g.oneOf("180", "-180", "180.1", "-181.0078125", "inf"), String(between(g, -85, 85))];
  if (kind === 2)
    return [String(between(g, -180, 180)), g.oneOf("85.05112878", "-85.05112878", "85.06", "90")];
  if (kind < 15) return [String(between(g, -180, 180)), String(between(g, -85.05, 85.05))];
  const [longitude, latitude] = g.oneOf(...CENTRES);
  const spread = g.oneOf(0.001, 0.05, 0.15);
  return [longitude, latitude].map((degrees) => String(between(g, degrees - spread, degrees + spread)));
};

const unit = (g: Generator): ByteString =>
  g.chance(0.97) ? g.caseOf(g.oneOf("M", "KM", "FT", "MI")) : g.oneOf("", "cm", "k");

/** A length in any unit, of any order of magnitude. */
const length = (g: Generator): ByteString =>
  g.chance(0.93)
    ? String(Math.round(between(g, 1, 10) * 10 ** g.random.below(8) * 100) / 100)
    : g.oneOf("0", "-1", "1e9", "inf", "abc", "", "0.001");

const members = (g: Generator): ByteString[] => g.some(() => g.member(), 0, 4);

const flags = (g: Generator, probability = 0.3): (readonly ByteString[])[] => [
  g.maybe(probability, "WITHDIST"),
  g.maybe(probability, "WITHHASH"),
  g.maybe(probability, "WITHCOORD"),
];

const ordering = (g: Generator): (readonly ByteString[])[] => [
  g.maybe(0.3, g.oneOf("ASC", "DESC")),
  g.chance(0.3) ? ["COUNT", g.count(), ...g.maybe(0.4, "ANY")] : [],
  g.maybe(0.02, "ANY"),
];

/** A key in which to store a result. Stored distances replace places, so it is rarely a key of this family. */
const target = (g: Generator): ByteString => g.key(g.chance(0.7) ? "zset" : "geo");

const storing = (g: Generator): readonly ByteString[] =>
  g.chance(0.3) ? [g.oneOf("STORE", "STOREDIST"), target(g)] : [];

const radius = (g: Generator, mayStore: number): ByteString[] => {
  const store = g.chance(mayStore) ? storing(g) : [];
  return [
    length(g),
    unit(g),
    ...g.shuffleOptions([...flags(g, store.length > 0 ? 0.03 : 0.3), ...ordering(g), store]),
  ];
};

const search = (g: Generator, storesDistances: number): ByteString[] => {
  const from = () => (g.chance(0.4) ? ["FROMMEMBER", g.member()] : ["FROMLONLAT", ...place(g)]);
  const by = () =>
    g.chance(0.5) ? ["BYRADIUS", length(g), unit(g)] : ["BYBOX", length(g), length(g), unit(g)];
  return g.shuffleOptions([
    g.chance(0.97) ? from() : [],
    g.chance(0.97) ? by() : [],
    g.chance(0.04) ? from() : [],
    g.chance(0.04) ? by() : [],
    ...flags(g, storesDistances > 0 ? 0.03 : 0.3),
    ...ordering(g),
    g.maybe(storesDistances, "STOREDIST"),
  ]);
};

export const grammar: FamilyGrammar = {
  GEOADD: (g) => [
    g.key(),
    ...g.shuffleOptions([g.maybe(0.1, "NX"), g.maybe(0.1, "XX"), g.maybe(0.2, "CH")]),
    ...g.some(() => [...place(g), g.member()], 1, 6),
  ],
  GEODIST: (g) => [g.key(), g.member(), g.member(), ...g.maybe(0.6, unit(g)), ...g.maybe(0.02, "m")],
  GEOHASH: (g) => [g.key(g.chance(0.1) ? "zset" : "geo"), ...members(g)],
  GEOPOS: (g) => [g.key(g.chance(0.1) ? "zset" : "geo"), ...members(g)],
  GEORADIUS: (g) => [g.key(), ...place(g), ...radius(g, 1)],
  GEORADIUS_RO: (g) => [g.key(), ...place(g), ...radius(g, 0.03)],
  GEORADIUSBYMEMBER: (g) => [g.key(), g.member(), ...radius(g, 1)],
  GEORADIUSBYMEMBER_RO: (g) => [g.key(), g.member(), ...radius(g, 0.03)],
  GEOSEARCH: (g) => [g.key(), ...search(g, 0)],
  GEOSEARCHSTORE: (g) => [target(g), g.key(), ...search(g, 0.4)],
};
