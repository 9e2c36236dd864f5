/**
 * States what remains if one daemon removes a key while a client of another daemon uses it, and the link between the
 * daemons is cut. The removal has the earlier date. The commands of a script then take effect as any client's commands
 * do: the key has what was written after the removal, and nothing else. A hash may therefore be partial, and a script
 * that needs its remaining fields fails. docs/decisions/0076 explains why no rule prevents this.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ActiveCluster, type ScenarioClient } from "../support/active-cluster.js";
import { until } from "../support/until.js";

type Argv = readonly [name: string, ...argv: string[]];

/** The time that the scripts receive, in seconds. Their windows last from here on. */
const NOW = "1000";
const SECONDS = 600;
/**
 * The keys of the first case, and of each other one. Each daemon uses one of them afterwards, and a last test the last.
 */
const [KEYS_FIRST, KEYS] = [10, 3];
/** Longer than the clock's resolution and than the shortest lifetime that a test sets, in milliseconds. */
const LATER_MS = 5;

/** Counts calls in a window, whose limits are in the same hash, as Laravel's `Redis::throttle` does. */
const throttle = (writesWindowAgain: boolean) => `
  if redis.call('EXISTS', KEYS[1]) == 0 then
    redis.call('HSET', KEYS[1], 'start', ARGV[1], 'end', ARGV[1] + ${SECONDS}, 'count', 1)
    redis.call('EXPIRE', KEYS[1], ${2 * SECONDS})
    return 1
  end
  local window = redis.call('HMGET', KEYS[1], 'start', 'end')
  if tonumber(ARGV[1]) > tonumber(window[2]) then
    redis.call('HSET', KEYS[1], 'start', ARGV[1], 'end', ARGV[1] + ${SECONDS}, 'count', 1)
    return 1
  end
  ${writesWindowAgain ? "redis.call('HSET', KEYS[1], 'start', window[1], 'end', window[2])" : ""}
  return redis.call('HINCRBY', KEYS[1], 'count', 1)`;

/** Takes a token from a bucket, and writes all fields of the hash. */
const BUCKET = `
  local tokens = tonumber(redis.call('HGET', KEYS[1], 'tokens') or 100) - 1
  redis.call('HSET', KEYS[1], 'tokens', tokens, 'refilled', ARGV[1])
  redis.call('EXPIRE', KEYS[1], ${SECONDS})
  return tokens`;

/** Counts in a string, as rate-limiter-flexible and rate-limit-redis do. */
const COUNTER = `
  redis.call('SET', KEYS[1], 0, 'EX', ${SECONDS}, 'NX')
  return redis.call('INCRBY', KEYS[1], 1)`;

/** Adds a job that has an id of its own, unless there is one with this id, as BullMQ does. */
const ADD_JOB = `
  if redis.call('EXISTS', KEYS[1]) == 1 then return 'duplicate' end
  redis.call('HSET', KEYS[1], 'name', 'mail', 'data', '{}')
  return 'added'`;

/** Changes a job if it exists, as BullMQ does. */
const SET_PROGRESS = `
  if redis.call('EXISTS', KEYS[1]) == 0 then return 'missing' end
  redis.call('HSET', KEYS[1], 'progress', 50)
  return 'changed'`;

/** Adds a job to the hash of all jobs, as bee-queue does. */
const ADD_TO_REGISTRY = `
  if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 'duplicate' end
  redis.call('HSET', KEYS[1], ARGV[1], 'data')
  return 'added'`;

/** Notes when a session was used, and answers its user. */
const TOUCH = `
  local user = redis.call('HGET', KEYS[1], 'user')
  if user then redis.call('HSET', KEYS[1], 'seen', ARGV[1]) end
  return user`;

interface Case {
  readonly name: string;
  /** What one daemon has received before the link is cut. */
  readonly begin: (key: string) => Argv;
  /** The removal at the first daemon. */
  readonly remove: (key: string) => Argv;
  /** The later call at the second daemon, in a transaction that watches the key if it is to be conditional. */
  readonly use: (key: string) => Argv;
  readonly isConditional?: true;
  readonly answer: unknown;
  /** What each daemon has in the end: the fields of a hash, or a string. */
  readonly holds: Readonly<Record<string, string>> | string;
  /** Whether the key expires in the end. */
  readonly expires: boolean;
  /** The answer to the next call at each daemon, or the error that it fails with. */
  readonly next: unknown;
}

const evaluates =
  (script: string, argument = NOW) =>
  (key: string): Argv => ["EVAL", script, "1", key, argument];
const removes = (key: string): Argv => ["DEL", key];

const limited = { begin: evaluates(throttle(false)), use: evaluates(throttle(false)), answer: 2 } as const;
/** The hash that a throttle leaves without its window, so that each later call fails until the key expires. */
const partial = { holds: { count: "1" }, expires: true, next: /attempt to compare/ } as const;
const WINDOW = { start: NOW, end: String(Number(NOW) + SECONDS) };

const JOB: Case = {
  name: "a job's hash whose script checks that it exists, and DEL",
  begin: evaluates(ADD_JOB),
  remove: removes,
  use: evaluates(SET_PROGRESS),
  answer: "changed",
  holds: { progress: "50" },
  expires: false,
  next: "changed",
};

const CASES: readonly Case[] = [
  { name: "a throttle in a hash, and DEL", ...limited, remove: removes, ...partial },
  { name: "a throttle in a hash, and UNLINK", ...limited, remove: (key) => ["UNLINK", key], ...partial },
  {
    name: "a throttle in a hash, and EXPIRE",
    ...limited,
    remove: (key) => ["PEXPIRE", key, "1"],
    ...partial,
  },
  {
    name: "a throttle in a hash, and RENAME",
    ...limited,
    remove: (key) => ["RENAME", key, `${key}:old`],
    ...partial,
  },
  {
    name: "a throttle in a hash, and HDEL of its window",
    ...limited,
    remove: (key) => ["HDEL", key, "start", "end"],
    ...partial,
    holds: { count: "2" },
  },
  {
    name: "a throttle in a hash that is reset by a write of a window that is over",
    ...limited,
    remove: (key) => ["HSET", key, "start", "0", "end", "0", "count", "0"],
    holds: { start: "0", end: "0", count: "1" },
    expires: true,
    next: 1,
  },
  {
    name: "a throttle in a hash that writes its window again, and DEL",
    ...limited,
    remove: removes,
    use: evaluates(throttle(true)),
    holds: { ...WINDOW, count: "1" },
    expires: true,
    next: 2,
  },
  {
    name: "a throttle in a transaction that watches the hash, and DEL",
    ...limited,
    remove: removes,
    isConditional: true,
    answer: [2],
    holds: {},
    expires: false,
    next: 1,
  },
  {
    name: "a bucket of tokens whose script writes all fields, and DEL",
    begin: evaluates(BUCKET),
    remove: removes,
    use: evaluates(BUCKET),
    answer: 98,
    holds: { tokens: "98", refilled: NOW },
    expires: true,
    next: 97,
  },
  {
    name: "a counter in a string, and DEL",
    begin: evaluates(COUNTER),
    remove: removes,
    use: evaluates(COUNTER),
    answer: 2,
    holds: "1",
    expires: true,
    next: 2,
  },
  JOB,
  {
    name: "a hash of all jobs to which a script adds one, and DEL",
    begin: evaluates(ADD_TO_REGISTRY, "1"),
    remove: removes,
    use: evaluates(ADD_TO_REGISTRY, "2"),
    answer: "added",
    holds: { "2": "data" },
    expires: false,
    next: "duplicate",
  },
  {
    name: "a session whose script reads its user, and DEL",
    begin: (key) => ["HSET", key, "user", "ann", "seen", "1"],
    remove: removes,
    use: evaluates(TOUCH),
    answer: "ann",
    holds: { seen: NOW },
    expires: false,
    next: null,
  },
  {
    name: "a job's hash that a plain command changes, and DEL",
    begin: (key) => ["HSET", key, "data", "{}", "status", "queued"],
    remove: removes,
    use: (key) => ["HSET", key, "status", "deferred"],
    answer: 0,
    holds: { status: "deferred" },
    expires: false,
    next: 0,
  },
];

const keysOf = (index: number) =>
  Array.from({ length: index === 0 ? KEYS_FIRST : KEYS }, (_, n) => `case${index}:${n}`);
const ALL = CASES.flatMap((played, index) => keysOf(index).map((key) => ({ played, key })));

let cluster: ActiveCluster;
/** A client of each daemon. */
let clients: readonly [ScenarioClient, ScenarioClient];
/** The answers of the calls while the link was cut, by key. */
const answers = new Map<string, unknown>();

const call = (client: ScenarioClient, [name, ...argv]: Argv) => client.call(name, ...argv);

async function callConditionally(client: ScenarioClient, key: string, argv: Argv): Promise<unknown> {
  await client.call("WATCH", key);
  await client.call("MULTI");
  await call(client, argv);
  return await client.call("EXEC");
}

before(async () => {
  cluster = await ActiveCluster.start(2, { isInMemory: true, isPatient: true, areHere: true });
  clients = [cluster.client(0), cluster.client(1)];
  const [first, second] = clients;
  for (const { played, key } of ALL) await call(first, played.begin(key));
  await cluster.untilEqual();

  cluster.areApart = true;
  for (const { played, key } of ALL) await call(first, played.remove(key));
  const removed = Date.now();
  await until("the removals have earlier dates", () => Date.now() > removed + LATER_MS);

  for (const { played, key } of ALL) {
    const argv = played.use(key);
    const answer = played.isConditional ? callConditionally(second, key, argv) : call(second, argv);
    answers.set(key, await answer);
  }

  cluster.areApart = false;
  await cluster.untilEqual();
});

after(() => cluster[Symbol.asyncDispose]());

/** Returns what both daemons have, and fails if they differ. */
async function same(...argv: Argv): Promise<unknown> {
  const [one, other] = await Promise.all(clients.map((client) => call(client, argv)));
  assert.deepEqual(other, one, argv.join(" "));
  return one;
}

for (const [index, played] of CASES.entries())
  test(`${played.name}: ${JSON.stringify(played.holds)} remains`, async () => {
    for (const key of keysOf(index)) {
      assert.deepEqual(answers.get(key), played.answer);
      const isString = typeof played.holds === "string";
      const value = await same(isString ? "GET" : "HGETALL", key);
      const held = isString ? value : Object.fromEntries(pairsOf(value as readonly string[]));
      assert.deepEqual(held, played.holds, key);
      assert.equal(Number(await same("PEXPIRETIME", key)) > 0, played.expires, key);
    }
    for (const [daemon, client] of clients.entries()) {
      const next = call(client, played.use(keysOf(index)[daemon] as string));
      if (played.next instanceof RegExp) await assert.rejects(next, played.next);
      else assert.deepEqual(await next, played.next);
    }
  });

test("a partial hash of a job makes each later job with its id a duplicate, until it is removed again", async () => {
  const key = keysOf(CASES.indexOf(JOB)).at(-1) as string;
  const [client] = clients;
  assert.equal(await call(client, JOB.begin(key)), "duplicate");
  assert.equal(await call(client, JOB.remove(key)), 1);
  assert.equal(await call(client, JOB.begin(key)), "added");
});

test("a second DEL repairs a throttle at both daemons", async () => {
  const key = keysOf(0).at(-1) as string;
  const [first, second] = clients;
  assert.equal(await call(first, removes(key)), 1);
  await cluster.untilEqual();
  assert.equal(await call(second, limited.use(key)), 1);
  await cluster.untilEqual();
  assert.equal(await call(first, limited.use(key)), 2);
});

function* pairsOf(flat: readonly string[]): Generator<[string, string]> {
  for (let i = 0; i < flat.length; i += 2) yield [flat[i] as string, flat[i + 1] as string];
}
