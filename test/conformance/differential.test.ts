/**
 * Runs random commands on the store and on a real redis-server: replies and final state must be the same. DBSYNC_SEED
 * replays a run, DBSYNC_COMMANDS makes it longer, DBSYNC_EPISODE plays one part of it.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { array, bulk, double, map, pairs, type Reply, set } from "../../protocol/reply.js";
import { amount } from "../support/amount.js";
import { RedisConnection } from "../support/redis-connection.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";
import { skipWithout } from "../support/requirements.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { type Difference, play, shrink } from "./differential.js";
import { type Episode, episode, type Step } from "./episode.js";
import { comparedGrammars } from "./families.js";
import { Generator } from "./grammar.js";
import { asResp3, haveSameShape, shownExactly } from "./resp3.js";
import type { RedisQueries } from "./state.js";

const EPISODE_CALLS = 500;
const COMMANDS_FULL = 60_000;
/**
 * Minimum number of calls of each command in a full run, in each protocol, and minimum number of calls that succeed.
 */
const CASES_MIN = 50;
const CASES_OF_PROTOCOL_MIN = 15;
const SUCCESSES_MIN = 5;

const UNKNOWN_CALLS = 2000;

const seed = seedOfRun();
const total = Number(process.env["DBSYNC_COMMANDS"] ?? amount(8000, COMMANDS_FULL));
const onlyEpisode = process.env["DBSYNC_EPISODE"];

const skip = skipWithout("redis-server");
let server: RedisServer;
before(async () => {
  if (skip === false) server = await startRedis();
});
after(() => server?.stop());

test(`the store replies as redis-server does (seed ${seed})`, { skip }, async () => {
  using redis = await RedisConnection.open(server.port);
  const cases = new Map(comparedGrammars.map(({ name }) => [name, { all: 0, good: 0, resp3: 0 }]));
  const numbers =
    onlyEpisode === undefined ? [...Array(Math.ceil(total / EPISODE_CALLS)).keys()] : [Number(onlyEpisode)];

  for (const number of numbers) {
    const played = episode(seed, number, { calls: EPISODE_CALLS, now: Date.now() });
    const { difference, succeeded } = await play(played, redis);
    if (difference !== undefined) assert.fail(await report(number, played, difference, redis));
    played.steps.forEach(({ name }, i) => {
      const count = cases.get(name)!;
      count.all++;
      if (played.resp === 3) count.resp3++;
      if (succeeded[i]) count.good++;
    });
  }

  if (onlyEpisode !== undefined || total < COMMANDS_FULL) return;
  const alwaysFails = (name: string) =>
    /^(ACL|AUTH|CLIENT|CONFIG|DISCARD|EXEC|XGROUP|XINFO|FUNCTION(\|(DELETE|KILL))?|SCRIPT(\|KILL)?|CLUSTER\|(ADD|DECIDED?|MEMBERS|SEMANTICS|UNDECIDE)|KEY(\|.*)?|LATENCY|MEMORY|MODULE|OBJECT|PUBSUB|SLOWLOG|TIMELINE(\|.*)?)$/.test(
      name,
    );

  const scarce = [...cases].filter(
    ([name, { all, good, resp3 }]) =>
      all < CASES_MIN ||
      Math.min(resp3, all - resp3) < CASES_OF_PROTOCOL_MIN ||
      (good < SUCCESSES_MIN && !alwaysFails(name)),
  );
  assert.deepEqual(scarce, [], "commands with too few calls, or too few successful ones");
});

test(`the store and redis-server reply alike to unknown commands (seed ${seed})`, { skip }, async () => {
  using redis = await RedisConnection.open(server.port);
  const random = new SeededRandom(seed, -1);
  const g = new Generator({ random, now: 0 });
  // No command's name may precede a NUL byte: redis-server finds that command if both are in the same hash bucket.
  const name = () => g.oneOf("", "nonsense", "nonsense\0x", "G\r\nET", "\xff", "g".repeat(300), g.bytes(20));
  const command = () => (g.chance(0.2) ? [g.caseOf("COMMAND"), name()] : [name()]);
  const steps = Array.from({ length: UNKNOWN_CALLS }, (_, i) => {
    const argv = [...command(), ...g.some(() => (g.chance(0.1) ? "\r\n\0x" : g.value()), 0, 12)];
    return { name: "", argv, db: 0, at: 0, id: String(i) };
  });
  assert.equal((await play({ steps, encoding: "default", resp: 2 }, redis)).difference?.text, undefined);
});

test("a different reply is found, and the calls are reduced to those that reproduce it", {
  skip,
}, async () => {
  using redis = await RedisConnection.open(server.port);
  const step = (...argv: string[]): Step => ({ name: argv[0]!, argv, db: 0, at: 0, id: argv.join() });
  const others = Array.from({ length: 50 }, (_, i) => [
    step("SET", "k", String(i)),
    step("LPUSH", "l", String(i)),
  ]);
  // Redis has scripts, the store does not.
  const played: Episode = {
    steps: [...others.flat(), step("EVAL", "return 1", "0"), ...others.flat()],
    encoding: "default",
    resp: 3,
  };
  const { difference } = await play(played, redis);
  assert.equal(difference?.place, 100);
  assert.deepEqual((await shrink(played, difference, redis)).steps, [step("EVAL", "return 1", "0")]);
});

test("an earlier double out of range, which makes redis-server's SORT fail, causes no difference", {
  skip,
}, async () => {
  using redis = await RedisConnection.open(server.port);
  const calls = [
    ["RPUSH", "l", "3.5", "1.5"],
    ["GEOADD", "g", "1", "-1e309", "m"],
    ["SORT_RO", "l"],
    ["GEOADD", "g", "1", "-1e309", "m"],
    ["SORT", "l", "STORE", "d"],
  ];
  const at = Date.now();
  const steps = calls.map((argv, i) => ({ name: argv[0]!, argv, db: 0, at, id: String(i) }));
  for (const resp of [2, 3] as const) {
    const { difference } = await play({ steps, encoding: "default", resp }, redis);
    assert.equal(difference?.text, undefined);
  }
});

test("RESP3 replies of different kinds differ even if their parts are equal", () => {
  const parts = [bulk("a"), double(1)];
  const kinds: readonly Reply[] = [array(parts), set(parts), map(parts), pairs(parts)];
  assert.equal(new Set(kinds.map((reply) => shownExactly(asResp3(reply)))).size, kinds.length);
  for (const one of kinds) {
    for (const other of kinds) assert.equal(haveSameShape(asResp3(one), asResp3(other)), one === other);
  }
});

test("play finds a difference between the final states", { skip }, async () => {
  using redis = await RedisConnection.open(server.port);
  // Both replies confirm that the key expires, but redis-server expires it an hour later.
  const wrongRedis: RedisQueries = {
    queue: (argv) => redis.queue(argv.map((word) => (word === "1000000" ? "4600000" : word))),
    flush: () => redis.flush(),
    call: (...argv) => redis.call(...argv),
  };
  const played = expiring(Date.now());
  const { difference } = await play(played, wrongRedis);
  assert.equal(difference?.place, 2);
  assert.match(difference.text, /^state: \[0,"k"\]/);
  assert.equal((await play(played, redis)).difference?.text, undefined);
});

test("times to live may differ by the delay on a slow machine", { skip }, async () => {
  using redis = await RedisConnection.open(server.port);
  const late = expiring(Date.now() - 900_000, ["PTTL", "k"], ["EXPIRETIME", "k"]);
  assert.equal((await play(late, redis)).difference?.text, undefined);
});

/** Returns an episode with a key that expires, followed by more steps on it. */
function expiring(at: number, ...more: readonly string[][]): Episode {
  const calls = [["SET", "k", "v"], ["PEXPIRE", "k", "1000000"], ...more];
  const steps = calls.map((argv, i) => ({ name: argv[0]!, argv, db: 0, at, id: String(i) }));
  return { steps, encoding: "default", resp: 2 };
}

async function report(
  number: number,
  played: Episode,
  difference: Difference,
  redis: RedisConnection,
): Promise<string> {
  const needed = await shrink(played, difference, redis);
  const last = (await play(needed, redis)).difference ?? difference;
  const lines = needed.steps.map(({ db, argv }) => `  ${db}> ${JSON.stringify(argv)}`);
  return [
    `The store and redis-server differ in episode ${number} (${played.encoding}, RESP${played.resp}), call ${difference.place}. These calls reproduce it:`,
    ...lines,
    last.text,
    `To replay: DBSYNC_SEED=${seed} DBSYNC_EPISODE=${number} node --test dist/test/conformance/differential.test.js`,
  ].join("\n");
}
