/** How the commands on keys of any type are called. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

const condition = (g: Generator): ByteString[] =>
  g.shuffleOptions([g.maybe(0.15, "NX"), g.maybe(0.15, "XX"), g.maybe(0.15, "GT"), g.maybe(0.15, "LT")]);

const typeName = (g: Generator): ByteString =>
  g.oneOf("string", "list", "set", "zset", "hash", "stream", "HASH", "abc");

export const grammar: FamilyGrammar = {
  COPY: (g) => [
    g.key(),
    g.key(),
    ...g.shuffleOptions([g.maybe(0.3, "DB", g.dbIndex()), g.maybe(0.4, "REPLACE")]),
  ],
  DEL: (g) => g.keys(1, 3),
  EXISTS: (g) => g.keys(1, 4),
  EXPIRE: (g) => [g.key(), g.seconds(), ...condition(g)],
  EXPIREAT: (g) => [g.key(), g.unixSeconds(), ...condition(g)],
  EXPIRETIME: (g) => [g.key()],
  KEYS: (g) => [g.pattern()],
  MOVE: (g) => [g.key(), g.dbIndex()],
  PERSIST: (g) => [g.key()],
  PEXPIRE: (g) => [g.key(), g.milliseconds(), ...condition(g)],
  PEXPIREAT: (g) => [g.key(), g.unixMilliseconds(), ...condition(g)],
  PEXPIRETIME: (g) => [g.key()],
  PTTL: (g) => [g.key()],
  RANDOMKEY: () => [],
  RENAME: (g) => [g.key(), g.key()],
  RENAMENX: (g) => [g.key(), g.key()],
  SCAN: (g) => [
    g.cursor(),
    ...g.shuffleOptions([
      g.maybe(0.3, "MATCH", g.pattern()),
      g.maybe(0.4, "COUNT", g.count()),
      g.maybe(0.3, "TYPE", typeName(g)),
    ]),
  ],
  TOUCH: (g) => g.keys(1, 3),
  TTL: (g) => [g.key()],
  TYPE: (g) => [g.key()],
  UNLINK: (g) => g.keys(1, 3),
};
