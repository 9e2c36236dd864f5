/**
 * Tests what programs receive from their libraries for a write to a decided key whose decision or answer is lost, and
 * how often it takes effect. docs/consistency.md has the table.
 */
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { type Client, createClient, type DbsyncError } from "../../client/public-api.js";
import { skipUnlessFull } from "../support/amount.js";
import { pause } from "../support/pause.js";
import { RedisConnection, valueOfReply } from "../support/redis-connection.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { Trio } from "../support/trio.js";
import { LineProgram } from "./line-program.js";

type Served = "Redis clients" | "MongoDB clients" | "memcached clients";

interface Library {
  readonly name: string;
  readonly served: Served;
  readonly program: readonly [program: string, file: string];
  readonly skip: string | false;
  /** What the program sees if the effect is unknown. */
  readonly unknown: RegExp;
  /** What the program sees if nothing has taken effect. */
  readonly refused: RegExp;
}

const folder = join(repositoryRoot, "test", "libraries");
const npmSkip =
  skipUnlessFull || (existsSync(join(folder, "npm", "node_modules")) ? false : "npm is not installed");
const NODE = [process.execPath, "npm/decided-calls.mjs"] as const;
const PYTHON = ["/usr/bin/python3", "python/decided_calls.py"] as const;
const PHP = ["php", "php/decided_calls.php"] as const;
const REDIS = "Redis clients";
const MONGO = "MongoDB clients";

const errors = (prefix: string): Pick<Library, "unknown" | "refused"> => ({
  unknown: new RegExp(`^\\{"error": ?"${prefix}MAYBEAPPLIED`),
  refused: new RegExp(`^\\{"error": ?"${prefix}NOTAPPLIED`),
});
const skipDebian = (name: string) => skipUnlessFull || skipWithout(name);

const LIBRARIES: readonly Library[] = [
  { name: "ioredis", served: REDIS, program: NODE, skip: npmSkip, ...errors("ReplyError: ") },
  { name: "node-redis", served: REDIS, program: NODE, skip: npmSkip, ...errors("Error: ") },
  {
    name: "redis-py",
    served: REDIS,
    program: PYTHON,
    skip: skipDebian("python3-redis"),
    ...errors("ResponseError: "),
  },
  {
    name: "phpredis",
    served: REDIS,
    program: PHP,
    skip: skipDebian("php-redis"),
    ...errors("RedisException: "),
  },
  {
    name: "predis",
    served: REDIS,
    program: PHP,
    skip: skipDebian("php-nrk-predis"),
    ...errors("Predis\\\\\\\\Response\\\\\\\\ServerException: "),
  },
  {
    name: "redis-rb",
    served: REDIS,
    program: ["ruby", "ruby/decided_calls.rb"],
    skip: skipDebian("ruby-sidekiq"),
    ...errors("Redis::CommandError: "),
  },
  { name: "mongodb", served: MONGO, program: NODE, skip: npmSkip, ...errors("MongoServerError: ") },
  { name: "mongoose", served: MONGO, program: NODE, skip: npmSkip, ...errors("MongoServerError: ") },
  {
    name: "pymongo",
    served: MONGO,
    program: PYTHON,
    skip: skipDebian("python3-pymongo"),
    ...errors("OperationFailure: "),
  },
  {
    name: "python-memcache",
    served: "memcached clients",
    program: PYTHON,
    skip: skipDebian("python3-memcache"),
    ...errors("ValueError: [^']*'SERVER_ERROR "),
  },
];

let trio: Trio;

async function order(...argv: readonly string[]): Promise<unknown> {
  const key = createPrivateKey(readFileSync(join(trio.folder(0), "daemon.pem")));
  await using client = trio.client([0], { key });
  return await client.call(argv, { policy: "first" });
}

before(async () => {
  if (LIBRARIES.every(({ skip }) => skip)) return;
  const ports = ["--resp", "0", "--mongo", "0", "--memcached", "0"];
  // On a busy machine, the two daemons that decide need more than the usual time.
  const patience = ["--majority-timeout", "2s"];
  trio = await Trio.make([...ports, ...patience, "--window", "3s,1s"], 3, { keys: "app" });
  await trio.openLinks();
  await trio.startAll();
  for (const pattern of ["d:*", "mongo:shop.items"])
    await trio.until("it is announced", async () => (await order("CLUSTER", "DECIDE", pattern)) === "OK");
});
after(async () => {
  await trio?.[Symbol.asyncDispose]();
});

/** Holds back what the first daemon sends, or receives. */
function hold(what: "sent" | "received", isHeld: boolean): void {
  const [outward, inward] = what === "sent" ? (["forward", "back"] as const) : (["back", "forward"] as const);
  for (const [from, links] of trio.links.entries())
    for (const [to, link] of links.entries()) {
      if (from === 0) link.hold(outward, isHeld);
      if (to === 0) link.hold(inward, isHeld);
    }
}

/** Returns the number behind a key, at the second daemon. */
async function numberOf(served: Served, key: string): Promise<number> {
  using redis = await RedisConnection.open(await trio.daemon(1).portOf("Redis clients"));
  if (served !== "MongoDB clients") return Number(valueOfReply(await redis.call("GET", key)) ?? 0);
  const { MongoClient } = await import("mongodb");
  const client = new MongoClient(`mongodb://127.0.0.1:${await trio.daemon(1).portOf(served)}`);
  try {
    const found = await client
      .db("shop")
      .collection<{ _id: string; n: number }>("items")
      .findOne({ _id: key });
    return found?.n ?? 0;
  } finally {
    await client.close();
  }
}

async function create({ served, name }: Library, key: string): Promise<void> {
  if (served === "MongoDB clients") {
    const { MongoClient } = await import("mongodb");
    const client = new MongoClient(`mongodb://127.0.0.1:${await trio.daemon(0).portOf(served)}`);
    await client.db("shop").collection<{ _id: string; n: number }>("items").insertOne({ _id: key, n: 0 });
    await client.close();
  } else {
    using redis = await RedisConnection.open(await trio.daemon(0).portOf("Redis clients"));
    assert.equal(valueOfReply(await redis.call("SET", key, "0")), "OK", name);
  }
}

/** The maximum number of attempts until the other members decide in time. */
const ATTEMPTS_MAX = 4;
/** Milliseconds after which no further effect is expected. */
const LATE_MS = 1_500;

/** Waits until a call succeeds, and until what was sent before had time to take effect. */
async function untilHealed(call: () => Promise<unknown>): Promise<void> {
  await trio.until("it decides again", async () => {
    await call();
    return true;
  });
  await pause(LATE_MS);
}

beforeEach(() => {
  // A test that has failed may have left it so.
  for (const what of ["sent", "received"] as const) hold(what, false);
});

for (const library of LIBRARIES)
  test(`${library.name} reports an error, and sends nothing twice`, { skip: library.skip }, async (t) => {
    const { name, served, unknown, refused, program } = library;
    await using caller = await LineProgram.start(...program, [
      name,
      String(await trio.daemon(0).portOf(served)),
    ]);
    const keyOf = (about: string) => `d:${about}:${name}`;
    const untilCreated = (key: string) =>
      trio.until("it is created", async () => {
        await create(library, key);
        return true;
      });
    const lost = keyOf("lost");
    const plain = keyOf("plain");
    for (const key of [lost, plain]) await untilCreated(key);
    const succeeds = async () => assert.match(await caller.call(plain), /"answer": ?[1-9]|"modifiedCount":1/);
    await untilHealed(succeeds);

    // The other members decide, and this daemon does not learn of it. On a busy machine they may need too long.
    let effect = 0;
    for (let attempt = 0; attempt < ATTEMPTS_MAX && effect === 0; attempt++) {
      const decided = keyOf(`decided:${attempt}`);
      await untilCreated(decided);
      hold("received", true);
      const since = performance.now();
      assert.match(await caller.call(decided), unknown);
      t.diagnostic(`the answer is lost: an error after ${Math.round(performance.now() - since)} ms`);
      assert.match(await caller.call(decided), refused);
      hold("received", false);
      await untilHealed(succeeds);
      effect = await numberOf(served, decided);
    }
    assert.equal(effect, 1);

    // The other members do not receive it, unless this daemon proposes it again later.
    hold("sent", true);
    assert.match(await caller.call(lost), unknown);
    assert.match(await caller.call(lost), refused);
    for (const link of trio.links.flat()) link.cut();
    hold("sent", false);
    await untilHealed(succeeds);
    const effectOfLost = await numberOf(served, lost);
    t.diagnostic(`the request is lost: an error, and effect ${effectOfLost}`);
    assert.ok(effectOfLost <= 1);
  });

test("the JavaScript client reports the effect, or the decision of the other daemons", {
  skip: skipUnlessFull,
}, async (t) => {
  const clientOf = (servers: readonly string[]) =>
    createClient({ servers, key: trio.app.privateKey, timeout: 20_000 });
  await using one = clientOf(trio.servers.slice(0, 1));
  await using three = clientOf(trio.servers);
  const incr = (client: Client, key: string) => client.call(["INCR", key]);
  await untilHealed(() => Promise.all([one, three].map((client) => incr(client, "d:plain"))));
  const effectOf = async (call: Promise<unknown>): Promise<unknown> => {
    const problem = await call.then(
      (answer) => assert.fail(`it answers ${answer}`),
      (reason: DbsyncError) => reason,
    );
    return [problem.code, problem.effect];
  };

  const heal = async () => {
    hold("received", false);
    await untilHealed(() => incr(one, "d:plain"));
  };

  // On a busy machine, the other members may need too long.
  for (let attempt = 1; ; attempt++) {
    const [alone, shared] = [`d:alone:${attempt}`, `d:shared:${attempt}`] as const;
    hold("received", true);
    const since = performance.now();
    const found = await Promise.all([
      effectOf(incr(one, alone)),
      incr(three, shared).catch(({ code }: DbsyncError) => code),
    ]);
    t.diagnostic(`${JSON.stringify(found)} after ${Math.round(performance.now() - since)} ms`);
    if (attempt < ATTEMPTS_MAX && !isDeepStrictEqual(found, [["refused", "unknown"], 1])) {
      await heal();
      const isRefused = isDeepStrictEqual(found[0], ["refused", "not-applied"]);
      assert.ok((await numberOf(REDIS, alone)) <= (isRefused ? 0 : 1));
      assert.ok((await numberOf(REDIS, shared)) <= 1);
      assert.ok(found[1] === 1 || typeof found[1] === "string", String(found[1]));
      continue;
    }
    assert.deepEqual(found, [["refused", "unknown"], 1]);
    assert.deepEqual(await effectOf(incr(one, alone)), ["refused", "not-applied"]);
    assert.equal(await incr(three, shared), 2);
    await heal();
    assert.ok((await numberOf(REDIS, alone)) <= 1);
    assert.equal(await numberOf(REDIS, shared), 2);
    return;
  }
});
