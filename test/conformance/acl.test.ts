/**
 * Compares our rules with redis-server's ACL: random rules are passed to ACL SETUSER and to our parser, random commands
 * to ACL DRYRUN and to our check. DBSYNC_SEED replays a run, DBSYNC_VERDICTS makes it longer.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CommandFailure } from "../../daemon/store/arguments/command-errors.js";
import { commands, commandTable, findCommand } from "../../daemon/store/command-table.js";
import { Acl } from "../../daemon/store/rights/acl.js";
import { CATEGORIES } from "../../daemon/store/rights/acl-rules.js";
import { ABSENT_COMMANDS, administers } from "../../daemon/store/rows/absent-commands.js";
import { type Command, categoriesOf } from "../../daemon/store/rows/command-row.js";
import { touchesOf } from "../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { amount } from "../support/amount.js";
import { RedisConnection } from "../support/redis-connection.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";
import { skipWithout } from "../support/requirements.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { randomCall } from "./call.js";
import { commandGrammars, isInRedis } from "./families.js";
import { Generator } from "./grammar.js";
import { itemsOf, shown } from "./resp2-fold.js";
import { ALL_KEYS } from "./vocabulary.js";

const VERDICTS = Number(process.env["DBSYNC_VERDICTS"] ?? amount(20_000, 100_000));
/** Number of commands checked for each user. */
const COMMANDS_PER_USER = 100;
/** Redis's error for a command that the user may not run, or for keys that the user may not access. */
const DENIAL = /^This user has no permissions/;

const table = { all: () => commands, find: findCommand };
const skip = skipWithout("redis-server");
const seed = seedOfRun();
const grammars = commandGrammars.filter(({ name }) => isInRedis(findCommand(name) as Command));
/** Categories of commands that Redis does not have. */
const OURS: readonly string[] = ["dbsync", "document", "mongo", "sql"];
const redisCategories = CATEGORIES.filter((category) => !OURS.includes(category));
let server: RedisServer;
before(async () => {
  if (skip === false) server = await startRedis();
});
after(() => server?.stop());

test("the categories are redis-server's and our own, and commands have no others", { skip }, async () => {
  using redis = await RedisConnection.open(server.port);
  const theirs = itemsOf(await redis.call("ACL", "CAT")).map((item) =>
    item.kind === "bulk" ? item.bytes : "",
  );
  assert.deepEqual([...CATEGORIES].sort(), [...theirs, ...OURS].sort());
  for (const command of commands) {
    for (const category of categoriesOf(command)) assert.ok(CATEGORIES.includes(category), category);
  }
});

test("rules may name every command of redis-server, including those that are absent here", {
  skip,
}, async () => {
  using redis = await RedisConnection.open(server.port);
  const ours = new Set(commands.map(({ name }) => name));
  const names = itemsOf(await redis.call("COMMAND", "LIST")).flatMap((item) =>
    item.kind === "bulk" ? [item.bytes.toUpperCase()] : [],
  );
  assert.ok(names.length > 300);
  assert.deepEqual(
    names.filter((name) => !ours.has(name) && findCommand(name) === undefined).sort(),
    [...ABSENT_COMMANDS].sort(),
  );
  for (const name of names.map((one) => one.toLowerCase())) {
    for (const rule of [`+${name}`, `-${name}`]) {
      await redis.call("ACL", "SETUSER", "someone", "reset", rule);
      const { normalForm } = new Acl([rule], table);
      assert.equal(normalForm[0]?.commands, `-@all ${rule}`);
    }
  }
});

test("every administrative command of redis-server is administrative here", { skip }, async () => {
  using redis = await RedisConnection.open(server.port);
  const names = itemsOf(await redis.call("COMMAND", "LIST", "FILTERBY", "ACLCAT", "admin"));
  assert.ok(names.length > 50);
  for (const item of names) {
    const [name = "", subcommand] = item.kind === "bulk" ? item.bytes.split("|") : [];
    assert.ok(administers(name) || (subcommand === undefined && findCommand(name) !== undefined), name);
  }
});

test(`rules permit what redis-server permits (seed ${seed})`, { skip }, async () => {
  using redis = await RedisConnection.open(server.port);
  const tally = { permitted: 0, denied: 0, refusedRules: 0 };
  for (let user = 0; tally.permitted + tally.denied < VERDICTS; user++) {
    const g = new Generator({ random: new SeededRandom(seed, user), now: 0 });
    await compareUser(g, redis, tally, `seed ${seed}, user ${user}`);
  }
  assert.ok(Math.min(tally.permitted, tally.denied) > VERDICTS / 5, JSON.stringify(tally));
  assert.ok(tally.refusedRules > 0);
});

async function compareUser(
  g: Generator,
  redis: RedisConnection,
  tally: { permitted: number; denied: number; refusedRules: number },
  where: string,
): Promise<void> {
  const rules = randomRules(g);
  const acl = parsed(rules);
  const accepted = await redis.call("ACL", "SETUSER", "alice", "reset", ...rules);
  assert.equal(
    acl === undefined,
    accepted.kind === "error",
    `${where}: ${rules.join(" ")}: ${shown(accepted)}`,
  );

  if (acl === undefined) {
    tally.refusedRules++;
    return;
  }
  const calls = Array.from({ length: COMMANDS_PER_USER }, () => randomCall(g, g.oneOf(...grammars)));
  for (const argv of calls) redis.queue(["ACL", "DRYRUN", "alice", ...argv]);
  const verdicts = await redis.flush();

  calls.forEach((argv, index) => {
    const command = commandTable.resolve(argv);
    const theirs = verdicts[index] as Reply;
    if (command instanceof CommandFailure || theirs.kind === "error" || isMiscounted(command, argv)) return;

    const denial = acl.denial(command, argv);
    const isDenied = theirs.kind === "bulk" && DENIAL.test(theirs.bytes);
    tally[isDenied ? "denied" : "permitted"]++;
    if (isStricter(command, argv) && denial !== null && !isDenied) return;

    const message = `${where}: ${rules.join(" ")}: ${JSON.stringify(argv)}: ours ${denial}, theirs ${shown(theirs)}`;
    assert.equal(denial !== null, isDenied, message);
  });
}

/**
 * Whether our check is stricter than Redis's. If a command affects a complete database, our rules must permit all keys,
 * but Redis's need not. Redis also does not find the key of PFMERGE without sources, and finds only the first key if
 * GEORADIUS has several STORE or STOREDIST options.
 */
function isStricter(command: Command, argv: readonly ByteString[]): boolean {
  if (command.name === "PFMERGE" && argv.length === 2) return true;
  if (/^GEORADIUS/.test(command.name) && argv.filter((word) => /^STORE(DIST)?$/i.test(word)).length > 1)
    return true;
  return touchesOf(command.keys, argv).some(({ key }) => key === null);
}

/**
 * Whether the number of keys is invalid or too large. The command fails in any case, and Redis parses the number
 * differently.
 */
function isMiscounted({ name, flags }: Command, argv: readonly ByteString[]): boolean {
  if (!flags.includes("movablekeys") || /^(XREAD|SORT|SORT_RO|GEO.*)$/.test(name)) return false;
  const countAt = /STORE$|^B/.test(name) ? 2 : 1;
  const count = argv[countAt] ?? "";
  return !/^[1-9]\d?$/.test(count) || Number(count) >= argv.length - countAt;
}

function parsed(rules: readonly ByteString[]): Acl | undefined {
  try {
    return new Acl(rules, table);
  } catch (failure) {
    if (failure instanceof CommandFailure) return undefined;
    throw failure;
  }
}

function randomRules(g: Generator): ByteString[] {
  // Without the first two rules, hardly any command would be permitted.
  return [
    ...g.maybe(0.5, "+@all"),
    ...g.maybe(0.2, g.oneOf("%R~*", "%W~*", "%RW~*")),
    ...g.some(() => (g.chance(0.15) ? selector(g) : rule(g, true)), 1, 8),
  ];
}

function selector(g: Generator): ByteString[] {
  const words = g.some(() => rule(g, false), 0, 4).join(" ");
  return g.chance(0.5) ? [`(${words})`] : `(${words})`.split(" ").filter((word) => word !== "");
}

function rule(g: Generator, outside: boolean): ByteString {
  const sign = g.chance(0.7) ? "+" : "-";
  const kind = g.random.below(outside ? 100 : 97);
  if (kind < 24) return `${sign}@${g.oneOf(...redisCategories)}`;
  if (kind < 34) return g.oneOf("+@all", "allcommands", "+@ALL", "-@all", "nocommands");
  if (kind < 50) return `${sign}${g.caseOf(g.oneOf(...grammars).name)}`;
  if (kind < 80) return keyRule(g);
  if (kind < 90) return g.oneOf("~*", "allkeys", "%R~*", "%W~*", "%RW~*");
  if (kind < 94) return "resetkeys";
  if (kind < 97)
    return g.oneOf("+nonsense", "+@nonsense", "%X~a", "nonsense", "~", "+command|nonsense", "%R~");
  return "clearselectors";
}

function keyRule(g: Generator): ByteString {
  const key = g.oneOf(...ALL_KEYS.filter((each) => !/[\s\0]/.test(each)));
  const pattern = g.oneOf(
    "s:*",
    "h*",
    "?:*",
    "[s-z]:[1-3]",
    "t?6",
    "**",
    "[^l]*",
    key,
    key.replaceAll("*", "\\*"),
  );
  return g.oneOf("~", "~", "%R~", "%W~", "%RW~", "%rw~", "%wR~") + pattern;
}
