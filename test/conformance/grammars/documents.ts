/** How the commands on documents are called: few names and ids, so that they meet. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

const SCALARS: readonly ByteString[] = [
  ...[
    "1",
    "0",
    '"1"',
    '"a"',
    '"\xc3\xa4"',
    "true",
    "null",
    "1.50",
    "-0",
    "1e30",
    "[]",
    "{}",
    "[1,2]",
    '{"x":1}',
  ],
  ...["12345678901234567890", '"01"', '""'],
];

const scalar = (g: Generator): ByteString => g.random.oneOf(SCALARS);

/** Mostly with the members that all others have. */
const entry = (g: Generator): ByteString => {
  const kind = g.random.below(20);
  if (kind < 17)
    return kind < 9 ? `{"a":${scalar(g)},"b":${scalar(g)}}` : `{"b":${scalar(g)}, "a":${scalar(g)}}`;
  return kind < 19
    ? g.oneOf('{"a":1}', '{"c":1}', "[1]", "{}", '{"a":1,"a":2,"b":3}')
    : g.oneOf("", "{", scalar(g), "\xff");
};

const id = (g: Generator): ByteString =>
  g.chance(0.8)
    ? String(g.random.below(5))
    : g.oneOf("x", "y", "__proto__", "1e0", " 1", "-1", "1.9", "007", "1x", "");

const changes = (g: Generator): ByteString => {
  const kind = g.random.below(20);
  if (kind < 14) return g.oneOf(`{"a":${scalar(g)}}`, `{"b":${scalar(g)}}`, `{"a":${scalar(g)},"b":1}`, "{}");
  return kind < 18 ? `[${entry(g)},${entry(g)}]` : g.oneOf("5", "[]", '{"z":1}', "nonsense");
};

const query = (g: Generator): readonly ByteString[] => g.maybe(0.5, g.caseOf("QUERY"), changes(g));

export const grammar: FamilyGrammar = {
  "DOC.COUNT": (g) => [g.key(), ...query(g)],
  "DOC.CREATE": (g) => [g.key()],
  "DOC.DELETE": (g) => [g.key(), id(g)],
  "DOC.DROP": (g) => [g.chance(0.8) ? "nothing" : g.key()],
  "DOC.EMPTY": (g) => [g.chance(0.5) ? "nothing" : g.key()],
  "DOC.GET": (g) => [g.key(), ...(g.chance(0.5) ? g.maybe(0.7, g.caseOf("ID"), id(g)) : query(g))],
  "DOC.GETALL": () => [],
  "DOC.GETKEYS": (g) => [g.key()],
  "DOC.INSERT": (g) =>
    g.chance(0.6)
      ? [g.key(), ...g.some(() => entry(g), 1, 4)]
      : [g.key(), g.caseOf("KEYS"), ...g.some(() => [id(g), entry(g)], 1, 3)],
  "DOC.LIST": () => [],
  "DOC.UPDATE": (g) => [g.key(), changes(g), ...g.maybe(0.7, g.caseOf("ID"), id(g))],
};
