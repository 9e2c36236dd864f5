/** Calls of the commands on HyperLogLogs. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

/** Number of different elements that make a sketch dense. */
const ELEMENTS = 40_000;

const element = (g: Generator): ByteString =>
  g.chance(0.8) ? `e${g.random.below(ELEMENTS)}` : g.chance(0.5) ? g.member() : g.bytes(g.random.below(40));

/** Returns elements. In a few calls there are enough of them to make the sketch dense immediately. */
const elements = (g: Generator): ByteString[] => {
  const kind = g.random.below(40);
  return g.some(() => element(g), 0, kind < 32 ? 4 : kind < 39 ? 60 : 1500);
};

export const grammar: FamilyGrammar = {
  PFADD: (g) => [g.key(), ...elements(g)],
  PFCOUNT: (g) => g.keys(1, g.chance(0.5) ? 1 : 4),
  PFDEBUG: (g) => [g.caseOf(g.oneOf("DECODE", "ENCODING", "GETREG", "TODENSE", "NONSENSE")), g.key()],
  // A valid call would keep redis-server busy for half a second.
  PFSELFTEST: (g) => [...g.maybe(0.95, "too many")],
  PFMERGE: (g) => [g.key(), ...g.keys(0, 4)],
};
