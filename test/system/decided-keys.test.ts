/**
 * Tests decided keys with real daemons: commands of unmodified clients at three daemons that all take writes, also
 * while one is killed or suspended, and while two are down. Source: docs/decisions/0081-decided-keys.md.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import { type Client, DbsyncError } from "../../client/public-api.js";
import { ask } from "../../faces/memcached/test/memcached-lines.js";
import { runDbsync } from "../client/child.js";
import { PHP_FILE } from "../examples/php-script.js";
import { env, PYTHON } from "../python/running.js";
import { amount, skipUnlessFull } from "../support/amount.js";
import { EARLY_PATTERNS, sendOrder } from "../support/decided-patterns.js";
import { pause } from "../support/pause.js";
import { RawClient } from "../support/raw-client.js";
import { RedisConnection, valueOfReply } from "../support/redis-connection.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { respPort } from "../support/resp-trio.js";
import { run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";

const ARGS = ["--resp", "0", "--memcached", "0", "--admin", "0", ...EARLY_PATTERNS];
const DAEMONS = [0, 1, 2];

let trio: Trio;
let clients: readonly Redis[] = [];

/** Returns the answer to a signed write without `decide`: `ok`, or the refusal. */
async function plainWrite(client: Client, key: string): Promise<string> {
  try {
    await client.call(["SET", key, "1"], { policy: "first" });
    return "ok";
  } catch (problem) {
    if (!(problem instanceof DbsyncError)) throw problem;
    return /needs-decision/.test(JSON.stringify(problem.outcomes)) ? "needs-decision" : problem.message;
  }
}

/** Returns a client that never sends a command twice. */
async function connect(index: number): Promise<Redis> {
  const redis = new Redis(await respPort(trio, index), {
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: null,
  });
  redis.on("error", () => {});
  return redis;
}

const at = (index: number): Redis => clients[index % clients.length] as Redis;

/** The answer to a command, or its effect if there is none. */
type Outcome<Answer> =
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "refused" | "unknown"; readonly reason: string };

async function outcomeOf<Answer>(calling: Promise<Answer>): Promise<Outcome<Answer>> {
  try {
    return { kind: "answer", answer: await calling };
  } catch (problem) {
    const { message } = problem as Error;
    return { kind: /^NOTAPPLIED/.test(message) ? "refused" : "unknown", reason: message };
  }
}

before(async () => {
  trio = await Trio.start(ARGS, 3, { keys: "app" });
  await trio.until(
    "the pattern is announced",
    async () => (await sendOrder(trio, 0, "CLUSTER", "DECIDE", "d:*")) === "OK",
  );
  clients = await Promise.all(DAEMONS.map(connect));
});
after(async () => {
  for (const client of clients) client.disconnect();
  await trio?.[Symbol.asyncDispose]();
});

/** Waits until all daemons decide on plain writes. @returns their answers until then */
async function untilBegun(): Promise<ReadonlySet<string>> {
  const seen = new Set<string>();
  const ofEach = DAEMONS.map((index) => trio.client([index]));
  try {
    await trio.until("the pattern has begun", async () => {
      const answers = await Promise.all(ofEach.map((one, index) => plainWrite(one, `d:begun:${index}`)));
      for (const answer of answers) seen.add(answer);
      return answers.every((answer) => answer === "ok");
    });
  } finally {
    await Promise.all(ofEach.map((one) => one.close()));
  }
  return seen;
}

// The time between the two steps may be too short for a write.
test("writes that clients sign without decide are refused between the two steps", {
  skip: skipUnlessFull,
}, async () => {
  assert.ok((await untilBegun()).has("needs-decision"));
});

test("writes that clients sign without decide are decided once the pattern has begun", async () => {
  await untilBegun();
  await using client = trio.client();
  for (let n = 1; n <= amount(3, 100); n++)
    assert.equal(await client.call(["INCR", "d:signed"], { policy: "majority" }), n);
  for (const index of DAEMONS)
    await trio.until(
      "the same value",
      async () => (await at(index).get("d:signed")) === String(amount(3, 100)),
    );
});

test("programs that sign with each library count once, although they send to three daemons", async () => {
  using folder = new ScratchFolder();
  const key = folder.privateKey(trio.app);
  const servers = trio.servers.join();
  const programs = join(repositoryRoot, "test", "system", "programs");
  const input = `${JSON.stringify([[["INCR", "d:programs"]], null])}\n`;

  const runs: (() => Promise<{ readonly stdout: string }>)[] = [
    () => runDbsync(["send", "-k", key, "-s", servers, "INCR", "d:programs"]),
  ];
  if (skipWithout(PYTHON) === false)
    runs.push(() => run(PYTHON, [join(programs, "contender.py"), servers, key, "20"], { env, input }));
  if (skipWithout("php") === false)
    runs.push(() => run("php", [join(programs, "contender.php"), PHP_FILE, servers, key, "20"], { input }));

  for (const [index, start] of runs.entries()) {
    const { stdout } = await start();
    assert.match(stdout, new RegExp(`^\\D*${index + 1}\\D*$`), stdout);
  }
  for (const index of DAEMONS)
    await trio.until("the same value", async () => Number(await at(index).get("d:programs")) === runs.length);
});

test("each race for a key with SET NX has one owner", async () => {
  for (let round = 0; round < amount(10, 300); round++) {
    const key = `d:lock:${round}`;
    const outcomes = await Promise.all(
      DAEMONS.map((index) => outcomeOf(at(index).set(key, index, "PX", 60_000, "NX"))),
    );
    const owners = outcomes.filter((one) => one.kind === "answer" && one.answer === "OK").length;
    const isUnknown = outcomes.some(({ kind }) => kind === "unknown");
    assert.ok(owners === 1 || (owners === 0 && isUnknown), JSON.stringify(outcomes));
  }
});

test("all answers to INCR are different", async () => {
  const count = amount(300, 10_000);
  const outcomes = await Promise.all(
    Array.from({ length: count }, (_, i) => outcomeOf(at(i).incr("d:counter"))),
  );
  const answers = outcomes.flatMap((one) => (one.kind === "answer" ? [one.answer] : []));
  const unknown = outcomes.filter(({ kind }) => kind === "unknown").length;
  assert.equal(new Set(answers).size, answers.length);
  const last = Number(await at(0).incr("d:counter"));
  assert.ok(last > answers.length && last <= answers.length + unknown + 1, `${last} after ${answers.length}`);
});

/** How clients take elements of a key: one command that takes some, and one that lists those that are left. */
interface Queue {
  readonly name: string;
  readonly add: (redis: Redis, key: string, element: string) => Promise<unknown>;
  readonly take: (redis: Redis, key: string, daemon: number) => Promise<readonly string[]>;
  readonly left: (redis: Redis, key: string) => Promise<readonly string[]>;
}

const taken = (reply: unknown): readonly string[] => (reply === null ? [] : [String(reply)]);
const list = {
  add: (redis: Redis, key: string, element: string) => redis.rpush(key, element),
  left: (redis: Redis, key: string) => redis.lrange(key, 0, -1),
};
const POPPED: Queue = {
  ...list,
  name: "LPOP",
  take: async (redis, key) => taken(await redis.lpop(key)),
};
const QUEUES: readonly Queue[] = [
  POPPED,
  { ...list, name: "RPOP", take: async (redis, key) => taken(await redis.rpop(key)) },
  { ...list, name: "BLPOP", take: async (redis, key) => taken((await redis.blpop(key, 0.05))?.[1] ?? null) },
  {
    ...list,
    name: "LMOVE",
    take: async (redis, key, daemon) =>
      taken(await redis.lmove(key, `d:by:${key}:${daemon}`, "LEFT", "RIGHT")),
  },
  {
    name: "SPOP",
    add: (redis, key, element) => redis.sadd(key, element),
    take: async (redis, key) => taken(await redis.spop(key)),
    left: (redis, key) => redis.smembers(key),
  },
  {
    name: "ZPOPMIN",
    add: (redis, key, element) => redis.zadd(key, "1", element),
    take: async (redis, key) => taken((await redis.zpopmin(key))[0] ?? null),
    left: (redis, key) => redis.zrange(key, "0", "-1"),
  },
  {
    name: "XREADGROUP",
    add: async (redis, key, element) => {
      await redis.xgroup("CREATE", key, "g", "0", "MKSTREAM").catch(() => {});
      return await redis.xadd(key, "*", "job", element);
    },
    take: async (redis, key, daemon) => {
      const reply = await redis.xreadgroup("GROUP", "g", `c${daemon}`, "COUNT", "1", "STREAMS", key, ">");
      const [[, entries = []] = []] = (reply ?? []) as [string, [string, string[]][]][];
      return entries.flatMap(([, [, job]]) => (job === undefined ? [] : [job]));
    },
    // Those that no client has received.
    left: async (redis, key) => {
      const reply = await redis.xreadgroup("GROUP", "g", "rest", "COUNT", "1000", "STREAMS", key, ">");
      const [[, entries = []] = []] = (reply ?? []) as [string, [string, string[]][]][];
      return entries.flatMap(([, [, job]]) => (job === undefined ? [] : [job]));
    },
  },
];

/**
 * Lets one client for each daemon take elements until none is left, and checks that none is taken twice or lost.
 * @param fault  happens while they take
 */
async function compete(queue: Queue, key: string, count: number, fault?: () => Promise<void>): Promise<void> {
  const jobs = Array.from({ length: count }, (_, i) => `job ${i}`);
  const added = await Promise.all(jobs.map((job, i) => outcomeOf(queue.add(at(i % 2), key, job))));

  const got: string[] = [];
  const lines: string[] = [];
  let unknown = 0;
  const work = async (daemon: number): Promise<void> => {
    for (let empty = 0; empty < 3; ) {
      const outcome = await outcomeOf(queue.take(at(daemon), key, daemon));
      if (outcome.kind === "unknown" && at(daemon).status === "end") {
        unknown++;
        return;
      }
      if (outcome.kind === "unknown") unknown++;
      if (outcome.kind === "refused") await pause(20);
      if (outcome.kind !== "answer") continue;
      got.push(...outcome.answer);
      for (const one of outcome.answer) lines.push(`${performance.now().toFixed(0)} ${daemon} ${one}`);
      empty = outcome.answer.length === 0 ? empty + 1 : 0;
    }
  };

  await Promise.all([...DAEMONS.map(work), fault?.()]);
  // Then the daemon has applied all earlier decisions.
  await trio.until("a decision is made", async () => (await at(0).incr("d:after")) > 0);

  const rest = await queue.left(at(0), key);
  const all = [...got, ...rest];
  assert.equal(
    new Set(all).size,
    all.length,
    `${queue.name} took an element twice: left ${rest.join()}\n${lines.join("\n")}`,
  );
  const sure = added.filter(({ kind }) => kind === "answer").length;
  assert.ok(all.length >= sure - unknown, `${queue.name}: ${all.length} of ${sure}, ${unknown} unknown`);
}

for (const queue of QUEUES)
  test(`${queue.name} at three daemons takes each element once`, async () => {
    await compete(queue, `d:queue:${queue.name}`, amount(12, 200));
  });

test("a pipeline of decided and other commands takes effect in the order in which it was sent", async () => {
  using connection = await RedisConnection.open(await respPort(trio, 1));
  for (let round = 0; round < amount(3, 50); round++) {
    const [x, p, q] = [`d:x:${round}`, `p:${round}`, `d:q:${round}`];
    const lines = [
      ...[`SET ${p} 1`, `COPY ${p} ${q}`, `INCR ${x}`, `GET ${x}`, `INCR ${x}`, `INCR ${x}`, `GET ${x}`],
      ...[`SET ${p} 2`, `APPEND ${p} 3`, `COPY ${p} ${q} REPLACE`, `SET ${p} 4`, `GET ${q}`, `GET ${p}`],
      ...[`WATCH ${x}`, "MULTI", `INCR ${x}`, `SET ${p} 5`, "EXEC", `GET ${x}`, `GET ${p}`],
      ...["MULTI", `INCR ${x}`, `GET ${x}`, "EXEC", `INCR ${x}`, `GET ${x}`],
      ...[`INCR ${x}`, `SET ${p} 6`, "SELECT 1", `GET ${p}`, "SELECT 0", `GET ${p}`],
    ];
    for (const line of lines) connection.queue(line.split(" "));
    const replies = (await connection.flush()).map(valueOfReply);
    assert.deepEqual(
      replies.map((reply) => (reply instanceof Error ? reply.message : reply)),
      [
        ...["OK", 1, 1, "1", 2, 3, "3", "OK", 2, 1, "OK", "23", "4"],
        ...["OK", "OK", "QUEUED", "QUEUED", [4, "OK"], "4", "5"],
        ...["OK", "QUEUED", "QUEUED", [5, "5"], 6, "6"],
        ...[7, "OK", "OK", null, "OK", "6"],
      ],
    );
  }
});

/** Returns the number of slots that the first daemon knows to be decided. */
async function slots(): Promise<number> {
  const port = await trio.daemon(0).portOf("/healthz and /metrics");
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^dbsyncd_decision_slots_total (\d+)$/m.exec(text)?.[1] ?? assert.fail(text));
}

test("commands on several keys and databases are decided if they may write a decided one", async () => {
  const redis = at(0);
  await redis.mset("plain:r", "r", "plain:c", "c");
  await redis.rpush("plain:l", "2", "1");
  const dump = (await redis.dumpBuffer("plain:r")) ?? assert.fail();

  // Those without a decision may be called again.
  const cases: readonly (readonly [isDecided: boolean, ...command: [string, ...(string | Buffer)[]]])[] = [
    [true, "RENAME", "plain:r", "d:r"],
    [false, "COPY", "d:r", "plain:r", "REPLACE"],
    [true, "COPY", "plain:c", "d:c"],
    [true, "MOVE", "d:c", "3"],
    [false, "SORT", "plain:l"],
    [true, "SORT", "plain:l", "STORE", "d:l"],
    [true, "RESTORE", "d:restored", "0", dump],
    [false, "RESTORE", "plain:restored", "0", dump, "REPLACE"],
    [true, "DEL", "plain:c", "d:l"],
    [false, "DEL", "plain:l", "plain:restored"],
    [true, "SWAPDB", "5", "6"],
  ];

  for (const [isDecided, command, ...args] of cases) {
    const takesSlot = async () => {
      const before = await slots();
      await redis.call(command, ...args);
      return (await slots()) > before;
    };
    if (isDecided) assert.ok(await takesSlot(), `${command} ${args} is not decided`);
    // A new keeper decides slots, too.
    else await trio.until(`${command} ${args} needs no decision`, async () => !(await takesSlot()));
  }

  assert.deepEqual(await redis.mget("plain:r", "d:r", "d:c", "plain:c"), ["r", "r", null, null]);
  await redis.del("plain:r");
});

// Each ballot of a keeper that replaces a slow one takes slots, too.
test("1,000 decided commands of one connection take few envelopes", { skip: skipUnlessFull }, async () => {
  using connection = await RedisConnection.open(await respPort(trio, 0));
  const before = await slots();
  for (let i = 0; i < 1000; i++) connection.queue(["INCR", "d:many"]);
  const replies = await connection.flush();
  assert.deepEqual(valueOfReply(replies.at(-1) ?? assert.fail()), 1000);
  // 256 units of an envelope, the first ones alone, and the slots that a new keeper decides.
  const used = (await slots()) - before;
  assert.ok(used >= 4 && used <= 12, `${used} slots`);
});

test("a transaction on watched decided keys has an effect in one of three daemons", async () => {
  await at(0).set("d:balance", "0");
  let won = 0;
  for (let round = 0; round < amount(5, 100); round++) {
    for (const index of DAEMONS) await at(index).watch("d:balance");
    const value = Number(await at(0).get("d:balance"));
    const all = await Promise.all(
      DAEMONS.map((index) =>
        outcomeOf(
          at(index)
            .multi()
            .set("d:balance", value + 1)
            .exec(),
        ),
      ),
    );
    const owners = all.filter((one) => one.kind === "answer" && one.answer !== null).length;
    assert.ok(owners <= 1, JSON.stringify(all));
    won += owners;
  }
  assert.ok(won > 0);
});

test("scripts that write decided keys, and transactions that take elements elsewhere, change nothing", async () => {
  const redis = at(2);
  await redis.rpush("plain", "a");
  const script = "redis.call('SET', 'plain:2', '1'); return redis.call('SET', KEYS[1], '1')";
  await assert.rejects(redis.eval(script, 1, "d:script"), /a script cannot write decided keys/);
  assert.deepEqual([await redis.exists("plain:2"), await redis.exists("d:script")], [0, 0]);
  assert.equal(await redis.eval("return redis.call('GET', KEYS[1])", 1, "d:script"), null);
  await assert.rejects(
    redis.multi().set("d:script", "1").lpop("plain").exec(),
    /take elements only from such keys/,
  );
  await assert.rejects(redis.lmove("plain", "d:script", "LEFT", "LEFT"), /take elements only from such keys/);
  assert.deepEqual([await redis.lrange("plain", 0, -1), await redis.exists("d:script")], [["a"], 0]);
});

test("memcached clients at three daemons add, count and compare decided items", async () => {
  const raws = await Promise.all(
    DAEMONS.map(async (index) => await RawClient.open(await trio.daemon(index).portOf("memcached clients"))),
  );
  const all = (request: string) => Promise.all(raws.map((raw) => ask(raw, request)));

  for (let round = 0; round < amount(3, 50); round++) {
    const key = `d:item:${round}`;
    const added = await all(`add ${key} 0 0 1\r\n0\r\n`);
    assert.equal(added.filter((answer) => answer === "STORED\r\n").length, 1, added.join());
    await trio.until("all have it", async () =>
      (await all(`get ${key}\r\n`)).every((answer) => answer.startsWith("VALUE")),
    );

    const counted = await all(`incr ${key} 1\r\n`);
    assert.deepEqual(counted.map((answer) => answer.trim()).sort(), ["1", "2", "3"]);
    await trio.until("all have counted", async () =>
      (await all(`get ${key}\r\n`)).every((answer) => /\r\n3\r\n/.test(answer)),
    );

    const uniques = (await all(`gets ${key}\r\n`)).map(
      (answer) => /^VALUE \S+ \d+ \d+ (\d+)/.exec(answer)?.[1],
    );
    const compared = await Promise.all(
      raws.map((raw, i) => ask(raw, `cas ${key} 0 0 1 ${uniques[i]}\r\n${i}\r\n`)),
    );
    assert.equal(compared.filter((answer) => answer === "STORED\r\n").length, 1, compared.join());
  }
  for (const raw of raws) raw[Symbol.dispose]();
});

// In full runs, claims/decided-claims.test.ts does this with all kinds of keys.
test("LPOP takes each element once, although a daemon is suspended", async () => {
  await compete(POPPED, "d:stopped", amount(40, 150), async () => {
    const daemon = trio.daemon(2);
    daemon.kill("SIGSTOP");
    await pause(amount(1000, 5000));
    daemon.kill("SIGCONT");
  });
});

test("LPOP takes each element once, although a daemon is killed", async () => {
  await compete(POPPED, "d:killed", amount(40, 150), async () => {
    await pause(50);
    await trio.end(2, "SIGKILL");
  });
  await trio.start(2);
  clients = [at(0), at(1), await connect(2)];
  await trio.until("it decides again", async () => (await at(2).incr("d:restarted")) > 0);
});

// A busy machine may take longer than five seconds for a refusal.
test("without a majority decided keys are refused soon, and other keys are not", {
  skip: skipUnlessFull,
}, async () => {
  await Promise.all([1, 2].map((index) => trio.end(index, "SIGKILL")));
  const redis = at(0);
  await trio.until("the daemon knows it", async () => {
    const outcome = await outcomeOf(redis.set("d:alone", "1"));
    return outcome.kind === "refused";
  });
  for (const run of [
    () => redis.set("d:alone", "2"),
    () => redis.incr("d:counter"),
    () => redis.rename("plain", "d:renamed"),
    () => redis.flushall(),
    () => redis.multi().incr("d:counter").exec(),
  ]) {
    const since = performance.now();
    const outcome = await outcomeOf<unknown>(run());
    assert.equal(outcome.kind, "refused", JSON.stringify(outcome));
    assert.ok(performance.now() - since < 5000);
  }
  assert.equal(await redis.incr("plain:counter"), 1);
  assert.deepEqual(await redis.lrange("plain", 0, -1), ["a"]);

  await Promise.all([1, 2].map((index) => trio.start(index)));
  await trio.until("they decide again", async () => (await redis.incr("d:healed")) > 0);
  clients = [redis, await connect(1), await connect(2)];
  await trio.until("they count again", async () => (await at(2).incr("d:healed")) > 1);
});

test("after the pattern is removed, writes take effect without a decision", async () => {
  const remove = () => sendOrder(trio, 1, "CLUSTER", "UNDECIDE", "d:*");
  await trio.until("it is removed", async () => (await remove()) === "OK");
  await trio.until("scripts write its keys at each daemon", async () => {
    for (const index of DAEMONS)
      await at(index).eval("return redis.call('SET', KEYS[1], '1')", 1, "d:script");
    return true;
  });
});
