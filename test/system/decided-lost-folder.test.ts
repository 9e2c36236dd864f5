/**
 * Tests that a daemon whose folder is older than a pattern answers no command or script on decided keys, at any
 * listener, before it has caught up with the members: it does not know the pattern, and would decide on its own state.
 * The patterns name the decided keys: keys whose writes take effect only if the members decide on them.
 * Source: docs/consistency.md, "Decided keys".
 */
import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { PATIENT } from "../support/active-cluster.js";
import { decideOn, EARLY_PATTERNS } from "../support/decided-patterns.js";
import { EnvelopeClient, makeKeyPair } from "../support/envelope-client.js";
import { RawClient } from "../support/raw-client.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { SqlLineClient } from "../support/sql-line-client.js";
import { Trio } from "../support/trio.js";
import { DOOR_PATTERNS, DOOR_PORTS, DOORS } from "./decided-doors.js";

/** The daemon whose folder is older than the patterns. */
const OLD = 2;
const HELD = "d:held";
/** Milliseconds after which a request counts as not answered. Some clients retry a refused request for as long. */
const CALL_MS = 1_000;

/** A request that a daemon must refuse. */
interface Attempt {
  readonly name: string;
  /** Returns whether the daemon has answered it as if it knew all data, or rejects. */
  readonly isAnswered: (trio: Trio) => Promise<boolean>;
}

async function redisAt(
  trio: Trio,
  index: number,
  options: { readonly commandTimeout?: number; readonly enableReadyCheck?: boolean } = {},
): Promise<Redis> {
  const port = await trio.daemon(index).portOf("Redis clients");
  return new Redis({ ...options, port, maxRetriesPerRequest: 0 }).on("error", () => {});
}

/** Makes an attempt by a Redis client that does not wait until the daemon is ready. */
const redisAttempt = (name: string, request: (redis: Redis) => Promise<unknown>): Attempt => ({
  name,
  async isAnswered(trio) {
    const redis = await redisAt(trio, OLD, { commandTimeout: CALL_MS, enableReadyCheck: false });
    try {
      await request(redis);
      return true;
    } finally {
      redis.disconnect();
    }
  },
});

const scriptAttempt = (name: string, text: string): Attempt =>
  redisAttempt(name, (redis) => redis.eval(text, 1, HELD, "owner"));

async function multi(redis: Redis, ...watched: readonly string[]): Promise<void> {
  for (const key of watched) await redis.watch(key);
  const [[failure] = []] =
    (await redis.multi().eval("return redis.call('incr', KEYS[1])", 1, "d:n").exec()) ?? [];
  if (failure != null) throw failure;
}

const signedAttempt = (name: string, argv: readonly string[], options: object = {}): Attempt => ({
  name,
  async isAnswered(trio) {
    await using client = trio.client([OLD], { timeout: CALL_MS, ...options });
    await client.call(argv);
    return true;
  },
});

const ATTEMPTS: readonly Attempt[] = [
  scriptAttempt("a script that takes a lock", "return redis.call('set', KEYS[1], ARGV[1], 'NX')"),
  scriptAttempt("a script that only compares", "return redis.call('get', KEYS[1]) == ARGV[1] and 1 or 0"),
  redisAttempt("INCR", (redis) => redis.incr("d:n")),
  redisAttempt("a transaction with a script", (redis) => multi(redis)),
  redisAttempt("a transaction with a script after WATCH", (redis) => multi(redis, HELD)),
  signedAttempt("a signed INCR", ["INCR", "d:n"]),
  signedAttempt("a signed SET with a condition", ["SET", HELD, "thief"], {
    if: [{ key: HELD, writer: null }],
  }),
  {
    name: "SQL",
    async isAnswered(trio) {
      using client = await SqlLineClient.open(await trio.daemon(OLD).portOf("SQL clients"));
      await client.told("use shop");
      return (await client.told("insert into orders values ('a', '', 1)")).startsWith("1 ");
    },
  },
  {
    name: "JSON",
    async isAnswered(trio) {
      using raw = await RawClient.open(await trio.daemon(OLD).portOf("JSON clients"));
      raw.send(`${JSON.stringify({ document: "d:documents", action: "create" })}\n`);
      return (JSON.parse(await raw.readTo("\n\r")) as { status: string }).status === "success";
    },
  },
];

async function stateOf(trio: Trio): Promise<string> {
  using client = await EnvelopeClient.open(trio.ports[OLD] as number, trio.app);
  return (await client.hello()).state;
}

test("a daemon with an old folder answers nothing on decided keys before it has caught up", async () => {
  using folder = new ScratchFolder();
  const legacy = makeKeyPair("rsa");
  const args = [...DOOR_PORTS, ...EARLY_PATTERNS, ...PATIENT, "--v1", "gateway", "-s", legacy.file];
  await using trio = await Trio.make(args, 3, { keys: "app", areHere: true });
  await trio.openLinks();
  await trio.startAll();
  {
    using sql = await SqlLineClient.open(await trio.daemon(OLD).portOf("SQL clients"));
    await sql.told("create database shop");
    await sql.told("use shop");
    await sql.told("create table orders (name text(1,40) primary key, taken text(0,40), version number)");
  }
  await trio.end(OLD, "SIGTERM");
  const backup = `${folder.path}/backup`;
  cpSync(trio.folder(OLD), backup, { recursive: true });
  await trio.start(OLD);
  await trio.until("the daemon is live again", async () => (await stateOf(trio)) === "live");
  await decideOn(trio, DOOR_PATTERNS);
  {
    const redis = await redisAt(trio, 0);
    assert.equal(await redis.set(HELD, "owner", "NX").finally(() => redis.disconnect()), "OK");
  }

  const keys = { file: folder.privateKey(trio.app), legacy };
  // Sidecars use all three daemons, so the other two decide for them.
  const isOther = (name: string) => /^(SQL|JSON)| at a sidecar$/.test(name);
  const doors = DOORS.filter(({ name, skip = false }) => skip === false && !isOther(name)).map(
    ({ name, open }): Attempt => ({
      name,
      async isAnswered() {
        await using client = await open(trio, OLD, keys);
        return await client.take("free", "thief");
      },
    }),
  );
  // Without a member in reach, the daemon stops catching up after some seconds. It is then restarted with the old
  // folder for the remaining attempts.
  const untried = new Set([...ATTEMPTS, ...doors]);
  while (untried.size > 0) {
    await trio.end(OLD, "SIGTERM");
    rmSync(trio.folder(OLD), { recursive: true });
    cpSync(backup, trio.folder(OLD), { recursive: true });
    trio.cutOff([OLD]);
    await trio.start(OLD);
    for (const attempt of untried) {
      const answer = attempt.isAnswered(trio).catch(() => false);
      const isAnswered = await Promise.race([answer, pause(CALL_MS).then(() => false)]);
      // This attempt was made too late, and is made again.
      if ((await stateOf(trio)) !== "catching-up") break;
      assert.equal(isAnswered, false, attempt.name);
      untried.delete(attempt);
    }
  }
  trio.cutOff([]);
  await trio.until("the daemon has caught up", async () => (await stateOf(trio)) === "live");
  const compare = "return redis.call('get', KEYS[1]) == ARGV[1] and 1 or 0";
  for (const index of trio.ports.keys())
    await trio.until("the owner still has its lock", async () => {
      const redis = await redisAt(trio, index);
      return (await redis.eval(compare, 1, HELD, "owner").finally(() => redis.disconnect())) === 1;
    });
});
