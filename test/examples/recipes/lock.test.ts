/**
 * Tests the lock of examples/recipes, and shows why it does not use `SET NX PX`. DBSYNC_SEED replays the random
 * choices.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Lock } from "../../../examples/recipes/lock.js";
import { amount, skipUnlessFull } from "../../support/amount.js";
import type { CuttablePort } from "../../support/cuttable-port.js";
import { EnvelopeClient } from "../../support/envelope-client.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { shareTrio } from "./cut-trio.js";

const trioOfFile = shareTrio();

const PATIENCE_MS = 60_000;
const TURNS = amount(12, 50);
/** The lease in milliseconds as an argument of Redis, and the milliseconds by which a write is backdated. */
const LEASE = "600000";
const LEASE_MS = Number(LEASE);
const BACK_MS = 15_000;
const seed = seedOfRun();

test("SET NX grants a lock twice, and SET NX PX with majority ends too early; the numbered lock has neither problem", async () => {
  await using cut = await trioOfFile();
  const { trio } = cut;
  cut.areApart = true;
  const nearest = [await cut.reaching([0]), await cut.reaching([1])];
  const answers = nearest.map((client) => client.send(["SET", "near", "mine", "NX", "PX", LEASE]));
  assert.deepEqual(await Promise.all(answers), ["OK", "OK"]);

  // This command was signed 15 s ago and delayed. It has reached one daemon.
  using straggler = await EnvelopeClient.open(trio.ports[2] as number, trio.app);
  const naive = ["SET", "naive", "the straggler's", "NX", "PX", LEASE];
  const numbered = ["ZADD", "lock:numbered", "GT", "CH", "1", "taken"];
  const replies = await straggler.replies([naive, numbered], { at: Date.now() - BACK_MS });
  assert.deepEqual(replies, [
    { kind: "status", text: "OK" },
    { kind: "integer", value: 1 },
  ]);

  const client = cut.client({ timeout: PATIENCE_MS / 3 });
  const reply = await client.send(["SET", "naive", "mine", "NX", "PX", LEASE], { policy: "majority" });
  assert.equal(reply, "OK");
  const mine = await new Lock(client, "numbered", LEASE_MS).acquire(PATIENCE_MS);
  assert.equal(mine?.number, 1, "the majority granted the first number only once");

  await cut.heal();
  assert.equal(await client.send("GET naive"), "the straggler's");
  const remaining = Number(await client.call("PTTL naive"));
  assert.ok(
    remaining <= LEASE_MS - BACK_MS,
    `the lease should be ${LEASE} ms but ends in ${remaining} ms; then another client receives OK`,
  );

  const other = new Lock(cut.client(), "numbered", LEASE_MS);
  assert.equal(await other.acquire(500), null);
  assert.ok(mine.left() > 0);
  await mine.release();
  assert.equal((await other.acquire(PATIENCE_MS))?.number, 2);
});

test("a client waits until the lease of a lost owner ends, and then receives the next number", async () => {
  await using cut = await trioOfFile();
  const [lostOwner, next] = [0, 1].map(() => new Lock(cut.client(), "job", 1500)) as [Lock, Lock];
  const turn = await lostOwner.acquire(PATIENCE_MS);
  assert.equal(turn?.number, 1);
  await cut.kill(0);
  const after = await next.acquire(PATIENCE_MS);
  assert.ok(turn.left() <= 0, "the lease was over when the next one began");
  assert.equal(after?.number, 2);
  await turn.release();
  const early = await lostOwner.acquire(300);
  // If the machine was suspended in the meantime, the lease has ended.
  assert.ok(
    early === null || after.left() <= 0,
    "a late release does not release the lock of another client",
  );
});

test("with too few daemons no client acquires the lock, and it is free when they return", {
  skip: skipUnlessFull,
}, async () => {
  await using cut = await trioOfFile();
  await cut.kill(1);
  await cut.kill(2);
  const lock = new Lock(cut.client(), "job", 1000);
  assert.equal(await lock.acquire(500), null);
  await cut.restart(1);
  assert.ok(await lock.acquire(PATIENCE_MS));
});

interface Interval {
  readonly number: number;
  readonly from: number;
  readonly to: number;
}

test(`at most one of four clients has the lock at any time, while links are cut and a daemon is killed (seed ${seed})`, async (t) => {
  const random = new SeededRandom(seed);
  const leaseMs = 800;
  await using cut = await trioOfFile();
  const intervals: Interval[] = [];
  const racers = await Promise.all([0, 1, 2, 3].map(() => cut.cuttable({ timeout: 500 })));
  const isOver = () => intervals.length >= TURNS;

  const race = async ({ client }: (typeof racers)[number]) => {
    const lock = new Lock(client, "raced", leaseMs);
    while (!isOver()) {
      const turn = await lock.acquire(leaseMs).catch(() => null);
      if (turn === null) continue;
      const [from, until] = [performance.now(), performance.now() + turn.left()];
      if (until <= from) continue;
      await pause(random.below(30));
      const isGone = random.below(10) === 0;
      intervals.push({ number: turn.number, from, to: isGone ? until : Math.min(until, performance.now()) });
      if (!isGone) await turn.release().catch(() => {});
    }
  };

  const trouble = async () => {
    const links = racers.flatMap((racer) => racer.links) as CuttablePort[];
    for (let fault = 0; !isOver(); fault++) {
      if (fault === 1) await cut.kill(2);
      cut.areApart = fault !== 4 && random.below(2) === 0;
      if (fault === 4) await cut.restart(2);
      for (const link of links) link.isCut = random.below(4) === 0;
      await pause(random.between(50, 300));
    }
    cut.areApart = false;
    for (const link of links) link.isCut = false;
  };

  await Promise.all([trouble(), ...racers.map(race)]);
  intervals.sort((a, b) => a.number - b.number);
  for (const [index, { number, to }] of intervals.entries()) {
    const next = intervals[index + 1];
    if (next === undefined) break;
    assert.ok(next.number > number, `number ${number} is granted twice`);
    assert.ok(next.from >= to, `${next.number} began ${to - next.from} ms before ${number} had ended`);
  }

  t.diagnostic(`${intervals.length} turns, of ${intervals.at(-1)?.number} numbers`);
});
