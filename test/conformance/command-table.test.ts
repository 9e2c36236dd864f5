/** Compares the store's table of commands with redis-server's; each command must have a grammar. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { commands, findCommand } from "../../daemon/store/command-table.js";
import { introspection } from "../../daemon/store/commands/introspection.js";
import { Database } from "../../daemon/store/database.js";
import { CommandIndex } from "../../daemon/store/rows/command-index.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import { isOfListener } from "../../daemon/store/rows/listener-rows.js";
import type { Reply } from "../../protocol/reply.js";
import { RedisConnection } from "../support/redis-connection.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";
import { skipWithout } from "../support/requirements.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { families, isInRedis } from "./families.js";
import { incomparable, otherFlags, otherKeys, otherRows } from "./incomparable.js";
import { folded, itemsOf, shown } from "./resp2-fold.js";

/** Indexes into a row of COMMAND INFO. */
const FLAGS = 2;
const CATEGORIES = 6;
const TIPS = 7;
const KEYS = 8;
const COMPARED = 9;

const skip = skipWithout("redis-server");
let server: RedisServer;
before(async () => {
  if (skip === false) server = await startRedis();
});
after(() => server?.stop());

test("every command has a grammar or belongs to a connection, and every grammar belongs to a command", () => {
  const grammars = families.flatMap((family) => family.commands.map(({ name }) => name));
  const comparable = commands.filter(
    (command) =>
      grammars.includes(command.name) || !(command.inEnvelope !== undefined || isOfListener(command)),
  );
  assert.deepEqual(grammars.toSorted(), comparable.map(({ name }) => name).toSorted());
});

test("every exception concerns a command of the table", () => {
  const strangers = Object.keys(incomparable).filter((name) => findCommand(name) === undefined);
  assert.deepEqual(strangers, []);
});

/** The properties of rows that only COMMAND INFO shows, and their values in a row that does not state them. */
const ONLY_SHOWN: Partial<Command> = {
  categories: undefined,
  keyFlags: undefined,
  keyRange: undefined,
  keySearches: undefined,
  tips: [],
};

test("each of these properties changes a row that is compared with redis-server's", () => {
  const unnoticed = commands.flatMap((command) =>
    (Object.keys(ONLY_SHOWN) as (keyof Command)[])
      .filter((property) => isStated(command, property))
      .filter((property) => {
        const without = { ...command, [property]: ONLY_SHOWN[property] };
        return !isInRedis(command) || isDeepStrictEqual(infoOf(without), infoOf(command));
      })
      .map((property) => `${property} of ${command.name}`),
  );
  assert.deepEqual(unnoticed, []);
});

function isStated(command: Command, property: keyof Command): boolean {
  const value = command[property];
  return Array.isArray(value) ? value.length > 0 : value !== undefined;
}

/** Returns what COMMAND INFO shows of a row. */
function infoOf(command: Command): string[] {
  const info = introspection(new CommandIndex([command])).find(
    ({ name }) => name === "COMMAND|INFO",
  ) as Command;
  const database = new Database();
  const reply = database.run(info, ["COMMAND", "INFO", command.name], { at: 0, db: 0, id: "" });
  const [row] = itemsOf(folded(reply));
  return comparableRow(row, [], otherKeys[command.name] !== undefined);
}

test("every command's row equals redis-server's: arity, flags, key positions, categories, tips, key specifications", {
  skip,
}, async () => {
  using redis = await RedisConnection.open(server.port);
  const database = new Database();
  for (const command of commands) {
    const { name } = command;
    const argv = ["COMMAND", "INFO", name.toLowerCase()];
    const [ours] = itemsOf(folded(database.execute(argv, { at: 0, db: 0, id: "" })));
    const [theirs] = itemsOf(await redis.call(...argv));
    if (!isInRedis(command)) {
      assert.equal(
        theirs?.kind,
        "nil",
        `redis-server has ${name}: write its version in \`since\` of its row`,
      );
      continue;
    }
    const rows = [ours, theirs].map((row, i) =>
      comparableRow(
        row,
        i === 1 ? [...Object.keys(otherFlags), otherRows[name] ?? ""] : [],
        otherKeys[name] !== undefined,
      ),
    );
    assert.deepEqual(rows[0], rows[1], name);
  }
});

/** Returns the replies of the store and of redis-server to a command. */
async function replies(
  redis: RedisConnection,
  argv: readonly string[],
): Promise<[ours: Reply, theirs: Reply]> {
  const ours = new Database().execute(argv, { at: 0, db: 0, id: "" });
  return [folded(ours), await redis.call(...argv)];
}

const CALLS = [
  ...["EVAL_RO x 0", "EVALSHA x 0 y", "FCALL f 0", "EVAL x 1 k", "EVAL x 2 k a", "EVAL x 2 k", "EVAL x n k"],
  ...["EVAL x -1 k", "FCALL_RO f 99999999999999999999 k", "EVAL x"],
  ...["ZUNION 0 k", "ZUNION 2 k k", "ZUNION 3 k k", "SINTERCARD 0 k", "LMPOP x k LEFT", "ZUNIONSTORE d 0 x"],
  ...[
    "ZUNIONSTORE d 1 x",
    "ZUNIONSTORE d 3 x",
    "GET",
    "PING",
    "PUBLISH a b",
    "KEYS *",
    "FLUSHALL x",
    "SORT a",
  ],
  ...["XREAD COUNT 1 STREAMS a 0", "OBJECT HELP", "OBJECT ENCODING", "nonsense x"],
];

test("COMMAND GETKEYS and GETKEYSANDFLAGS find the keys of calls, or errors, as redis-server does", {
  skip,
}, async () => {
  using redis = await RedisConnection.open(server.port);
  for (const call of CALLS)
    for (const subcommand of ["GETKEYS", "GETKEYSANDFLAGS"]) {
      const [ours, theirs] = await replies(redis, ["COMMAND", subcommand, ...call.split(" ")]);
      assert.equal(shown(ours), shown(theirs), `${subcommand} ${call}`);
    }
});

const seed = seedOfRun();

test(`COMMAND LIST matches names with a pattern as redis-server does (seed ${seed})`, { skip }, async () => {
  using redis = await RedisConnection.open(server.port);
  const random = new SeededRandom(seed, 0);
  const byte = () => random.oneOf([..."\\^-]sSeEtTzZaA*?_"]);
  const some = () => Array.from({ length: random.between(1, 5) }, byte).join("");
  const drawn = Array.from({ length: 300 }, () =>
    random.oneOf([`[${some()}]et`, `s${byte()}${byte()}`, `${some()}t`, `[${byte()}-${byte()}]et`]),
  );
  const inBoth = (reply: Reply) =>
    itemsOf(reply)
      .map(shown)
      .filter((name) => /^"[gs]et/.test(name))
      .sort()
      .join(" ");
  for (const pattern of ["SET", "[^S]et", "[Z-a]et", "[a-Z]et", "[\\S]et", "\\Set", ...drawn]) {
    const [ours, theirs] = await replies(redis, ["COMMAND", "LIST", "FILTERBY", "PATTERN", pattern]);
    assert.equal(inBoth(ours), inBoth(theirs), pattern);
  }
});

/**
 * Returns a row in comparable form.
 * @param without flags to omit
 * @param readsOnly whether our row omits how keys are used
 */
function comparableRow(row: Reply | undefined, without: readonly string[], readsOnly: boolean): string[] {
  return itemsOf(row)
    .slice(0, COMPARED)
    .map((item, index) => {
      if (index === TIPS) return itemsOf(item).map(shown).sort().join(" ");
      if (index === KEYS)
        return readsOnly
          ? ""
          : itemsOf(item)
              .map(withoutNotes)
              .filter((spec) => !SHARD_CHANNELS.test(spec))
              .join(" ");
      if (index !== FLAGS && index !== CATEGORIES) return shown(item);
      const words = itemsOf(item).flatMap((word) => (word.kind === "status" ? [word.text] : []));
      return words
        .filter((word) => !without.includes(word))
        .sort()
        .join(" ");
    });
}

/** The flag by which Redis Cluster finds the slot of a shard channel. Channels are not keys, so our rows omit them. */
const SHARD_CHANNELS = /not_key/;

/** Returns a key specification without redis-server's notes, which are free text. */
function withoutNotes(spec: Reply): string {
  const parts = itemsOf(spec);
  const noted = parts[0]?.kind === "bulk" && parts[0].bytes === "notes";
  return parts
    .slice(noted ? 2 : 0)
    .map(shown)
    .join(" ");
}
