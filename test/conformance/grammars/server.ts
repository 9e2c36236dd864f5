/** Calls of the commands that concern the server, the connection and the table of commands. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

const flushMode = (g: Generator): readonly ByteString[] =>
  g.maybe(0.4, g.oneOf("ASYNC", "SYNC", "async", "abc"));

const keyCount = (g: Generator): ByteString => g.oneOf("1", "2", "3", "0", "-1");

/** A complete call of another command. */
const otherCall = (g: Generator): readonly ByteString[] =>
  g.oneOf<readonly ByteString[]>(
    ["GET", g.key()],
    ["set", g.key(), g.value()],
    ["MGET", ...g.keys()],
    ["MSET", ...g.some(() => [g.key(), g.value()], 1, 3)],
    ["RENAME", g.key(), g.key()],
    ["LMPOP", keyCount(g), g.key(), g.key(), "LEFT"],
    ["ZUNIONSTORE", g.key(), keyCount(g), g.key(), g.key()],
    ["SINTERCARD", "2", g.key(), g.key()],
    ["PING"],
    ["OBJECT", "encoding", g.key()],
    ["memory", "USAGE", g.key(), "SAMPLES", "5"],
    ["XINFO", "STREAM", g.key()],
    ["OBJECT", "HELP"],
    ["object", g.oneOf("nonsense", "FREQ"), g.key()],
    ["OBJECT|ENCODING", g.key()],
    ["FLUSHALL"],
    ["COMMAND", "COUNT"],
    ["GET"],
    ["nonsense", g.key()],
  );

export const grammar: FamilyGrammar = {
  AUTH: (g) => g.oneOf<readonly ByteString[]>([g.value()], ["alice", g.value()], ["a", "b", "c"]),
  ECHO: (g) => [g.value()],
  PING: (g) => g.maybe(0.5, g.value()),
  SELECT: (g) => [g.dbIndex()],
  WAIT: (g) => [g.count(), g.integer()],
  DISCARD: () => [],
  EXEC: () => [],
  MULTI: () => [],
  UNWATCH: () => [],
  WATCH: (g) => g.keys(),
  DBSIZE: () => [],
  FLUSHALL: flushMode,
  FLUSHDB: flushMode,
  SWAPDB: (g) => [g.dbIndex(), g.dbIndex()],
  TIME: () => [],
  COMMAND: () => [],
  "ACL|HELP": () => [],
  "CLIENT|HELP": () => [],
  "COMMAND|HELP": () => [],
  "CONFIG|HELP": () => [],
  "LATENCY|HELP": () => [],
  "MEMORY|HELP": () => [],
  "PUBSUB|HELP": () => [],
  "SLOWLOG|HELP": () => [],
  ACL: () => ["x"],
  MODULE: () => ["x"],
  "MODULE|HELP": () => [],
  CLIENT: () => ["x"],
  CONFIG: () => ["x"],
  PUBSUB: () => ["x"],
  LATENCY: () => ["x"],
  SLOWLOG: () => ["x"],
  "COMMAND|COUNT": () => [],
  "COMMAND|GETKEYS": otherCall,
  "COMMAND|INFO": (g) => g.some(() => g.oneOf("get", "SET", "command", "command|count", "nonsense"), 1, 3),
  "COMMAND|DOCS": (g) => g.some(() => g.oneOf("get", "SET", "object", "nonsense"), 1, 3),
  "COMMAND|GETKEYSANDFLAGS": otherCall,
  "COMMAND|LIST": (g) =>
    g.maybe(
      0.7,
      "FILTERBY",
      g.oneOf("ACLCAT", "PATTERN", "module", "nonsense"),
      g.oneOf("hash", "x*", "nonsense"),
    ),
};
