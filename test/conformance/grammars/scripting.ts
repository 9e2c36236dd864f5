/** Calls of the commands on scripts and functions. Neither side has stored scripts or functions. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

const flushMode = (g: Generator): readonly ByteString[] =>
  g.maybe(0.5, g.oneOf("ASYNC", "sync", "SYNC", "now"), ...g.maybe(0.1, "SYNC"));

const hash = (g: Generator): ByteString => g.oneOf("0".repeat(40), "f".repeat(40), "abc", "");

export const grammar: FamilyGrammar = {
  FUNCTION: () => ["x"],
  "FUNCTION|DELETE": (g) => [g.value()],
  "FUNCTION|FLUSH": flushMode,
  "FUNCTION|HELP": () => [],
  "FUNCTION|KILL": () => [],
  "FUNCTION|LIST": (g) => [
    ...g.maybe(0.5, "LIBRARYNAME", ...g.maybe(0.9, g.oneOf("*", "lib?", "none"))),
    ...g.maybe(0.4, g.oneOf("WITHCODE", "withcode", "code")),
  ],
  "FUNCTION|STATS": () => [],
  SCRIPT: () => ["x"],
  "SCRIPT|EXISTS": (g) => g.some(() => hash(g), 1, 3),
  "SCRIPT|FLUSH": flushMode,
  "SCRIPT|HELP": () => [],
  "SCRIPT|KILL": () => [],
};
