/**
 * Tests three daemons of which the keeper lies about scripts on decided keys: what the others then do, and what it can
 * achieve. Source: SECURITY.md, "Scripts on decided keys".
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import { PATIENT } from "../support/active-cluster.js";
import { BUSY_PATTERNS, decideOn } from "../support/decided-patterns.js";
import { buildRoot } from "../support/repository.js";
import { authorizeDaemons, respPort } from "../support/resp-trio.js";
import { Trio } from "../support/trio.js";
import { LIES } from "./programs/lies.js";

const program = join(buildRoot, "test", "system", "programs", "lying-keeper.js");
/** The maximum number of lies of one kind until one succeeds. */
const ATTEMPTS = 6;
const LOCK = "return redis.call('set', KEYS[1], ARGV[1], 'NX')";

let trio: Trio;
let liar = 0;
let honest: readonly number[] = [];
let clients: readonly Redis[] = [];
let ids: readonly string[] = [];

const statusOf = (index: number) => trio.report(index, "TIMELINE", "STATUS");
const client = (which: number): Redis => clients[which] as Redis;

before(async () => {
  trio = await Trio.start(["--resp", "0", ...PATIENT, ...BUSY_PATTERNS]);
  await authorizeDaemons(trio);
  await trio.list();
  const reports = await Promise.all(
    [...trio.ports.keys()].map((index) => trio.report(index, "CLUSTER", "MEMBERS")),
  );
  ids = reports.map((report) => String(report.get("id")));
  // If there is no keeper, the connected member with the lowest id becomes it.
  liar = ids.indexOf([...ids].sort()[0] as string);
  honest = [...trio.ports.keys()].filter((index) => index !== liar);
  await trio.end(liar, "SIGTERM");
  await trio.start(liar, { program });
  await using root = trio.client(undefined, { key: trio.root.privateKey });
  await decideOn(trio, ["d:*"], (argv) => root.call(argv, { policy: "first" }));
});
after(async () => {
  for (const each of clients) each.disconnect();
  await trio?.[Symbol.asyncDispose]();
});

/** Returns the id of the keeper, as far as a daemon knows. */
const keeperAt = async (index: number) => String((await statusOf(index)).get("keeper"));

/** The next keeper is one of the two other daemons. */
const TURNS_MAX = 30;

/** Restarts the keeper until the liar becomes it, and all daemons know that. */
async function untilLiarIsKeeper(): Promise<void> {
  for (const each of clients) each.disconnect();
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const before = ids.indexOf(await keeperAt(liar));
    const other = honest.find((one) => one !== before) as number;
    const redis = new Redis(await respPort(trio, other));
    try {
      if (before !== liar) await trio.end(before, "SIGTERM");
      await trio.until("the others decide", async () => (await redis.set("d:turn", "1")) === "OK");
      if (before !== liar) await trio.start(before);
      await trio.until("all know the keeper", async () => {
        await redis.set("d:turn", "1");
        return new Set(await Promise.all([...trio.ports.keys()].map(keeperAt))).size === 1;
      });
    } finally {
      redis.disconnect();
    }
    if ((await keeperAt(liar)) === ids[liar]) break;
    assert.notEqual(turn, TURNS_MAX - 1, "the liar does not become the keeper");
  }
  clients = await Promise.all(honest.map(async (index) => new Redis(await respPort(trio, index))));
}

/** Restarts the honest daemons, which report a liar once. */
async function restartHonest(): Promise<void> {
  for (const each of clients) each.disconnect();
  for (const index of honest) {
    await trio.end(index, "SIGTERM");
    await trio.start(index);
  }
}

/** Waits until both honest daemons have another keeper: only one of them may have promised its ballot. */
async function untilOtherKeeper(): Promise<void> {
  await trio.until("another member is the keeper", async () => {
    await client(0).set("d:turn", "1");
    const known = await Promise.all(honest.map(keeperAt));
    return known.every((keeper) => keeper !== ids[liar]);
  });
}

/** Waits until both honest daemons have a value. */
async function bothHave(key: string, value: string): Promise<void> {
  for (const each of clients)
    await trio.until(`${key} is ${value}`, async () => (await each.get(key)) === value);
}

test("effects that the keeper has changed are not decided, and another member takes over", async () => {
  await untilLiarIsKeeper();
  assert.equal(await client(0).eval(LOCK, 1, LIES.effects, "owner"), "OK");
  assert.equal(await client(1).eval(LOCK, 1, LIES.effects, "other"), null);
  await bothHave(LIES.effects, "owner");
  await untilOtherKeeper();
});

test("an outcome that the keeper has changed is not decided, and the client has the right reply", async () => {
  await untilLiarIsKeeper();
  assert.equal(await client(0).eval(LOCK, 1, LIES.outcome, "owner"), "OK");
  await bothHave(LIES.outcome, "owner");
  await untilOtherKeeper();
  assert.equal(await client(1).eval(LOCK, 1, LIES.outcome, "thief"), null);
  await bothHave(LIES.outcome, "owner");
});

/**
 * Lets two clients lock a key until the keeper's lie succeeds: both have it. A lie fails if one member receives the
 * other one's decision before it makes its own.
 * @returns the key
 */
async function lieAbout(lie: string): Promise<string> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    await restartHonest();
    await untilLiarIsKeeper();
    const key = `${lie}:${attempt}`;
    const replies = await Promise.all(
      clients.map((each, which) => each.eval(LOCK, 1, key, `owner ${which}`).catch(() => null)),
    );
    const values = async () => await Promise.all(clients.map((each) => each.get(key)));
    await trio.until("the state is equal", async () => new Set(await values()).size === 1);
    if (replies.every((reply) => reply === "OK")) return key;
  }
  assert.fail("no lie of the keeper has succeeded");
}

const SIGNED_TWICE = [
  { key: LIES.apart, sends: "sends each vote only to the member that needs it" },
  { key: LIES.twice, sends: "sends both votes to both members" },
];

for (const { key, sends } of SIGNED_TWICE)
  test(`two decisions that the keeper has signed for one slot are reported by both members if it ${sends}`, async () => {
    const liedAbout = await lieAbout(key);

    for (const index of honest) {
      const line = await trio.daemon(index).logged(({ msg }) => msg.includes("two decisions in one ballot"));
      assert.equal(line["member"], ids[liar]);
      assert.deepEqual((await statusOf(index)).get("contradicting"), [ids[liar]]);
    }

    const increment = (which: number) =>
      client(which).eval("return redis.call('incr', KEYS[1])", 1, `d:after:${liedAbout}`);
    assert.equal(await increment(0), 1);
    assert.equal(await increment(1), 2);
  });
