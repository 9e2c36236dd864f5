/** Attack: a process on the daemons' machine tries to become a member. It has only a key that it has made itself. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { some } from "../support/amount.js";
import { envelope } from "./attacker/envelope.js";
import { type Key, makeKey } from "./attacker/key.js";
import { type Claims, Member, type MemberOptions } from "./attacker/member.js";
import { Victims } from "./attacker/victims.js";

const LIMIT = { timeout: 300_000 };

/** Returns the claims of a member that has more entries than any daemon, and has pruned those older than a second. */
function moreOfEverything(state: string): Claims {
  return {
    watermark: Date.now(),
    pruned: Date.now() - 1000,
    state,
    ringCount: 1_000_000,
    ringSum: Buffer.alloc(32, 7),
    dataCount: 1_000_000,
    dataSum: Buffer.alloc(32, 9),
  };
}

/** Returns a random snapshot for any requested date. */
const anySnapshot = (at: number) => ({ at: at === 0 ? Date.now() : at, bytes: randomBytes(100_000) });

/**
 * Sends false claims until the daemon has sent three statuses or has closed the connection.
 * @returns whether the daemon admitted the attacker
 */
async function claimAndStay(joining: Promise<Member>, state: string): Promise<boolean> {
  const joined = await joining.catch(() => null);
  if (joined === null) return false;
  using member = joined;
  member.claim(() => moreOfEverything(state), anySnapshot);
  await member.receivedStatuses(3);
  return true;
}

/**
 * Makes several attempts to become a member, and asserts that they change nothing on the daemons.
 * @param attempts  functions that try to become a member, and reject if they fail
 */
async function assertUnmoved(victims: Victims, attempts: readonly (() => Promise<Member>)[]): Promise<void> {
  await victims.allLive();
  using client = await victims.client();
  assert.equal(await client.text("SET", "kept", "yes"), "OK");
  const ring = await victims.ring(0);

  const admitted: boolean[] = [];
  for (const attempt of attempts) {
    admitted.push(await claimAndStay(attempt(), "live"));
    assert.equal((await victims.views("GET", "kept"))[0], "live yes");
  }
  assert.equal(await client.text("SET", "kept", "still"), "OK", "the daemon accepts writes");
  assert.equal(await victims.ring(0), ring);
  assert.deepEqual(
    admitted,
    attempts.map(() => false),
    "no attempt succeeded",
  );

  await victims.restart(0);
  await victims.allLive();
  assert.equal((await victims.views("GET", "kept"))[0], "live still");
  assert.equal(await victims.ring(0), ring);
}

describe("a process without a key on the daemons' machine", { concurrency: true }, () => {
  test("cannot become a member of a daemon without --peer, and changes nothing there", LIMIT, async () => {
    await using victims = await Victims.start(1);
    const port = victims.port(0);
    await assertUnmoved(victims, [
      () => Member.join(port, { key: makeKey() }),
      () => Member.join(port, { key: makeKey(), secret: randomBytes(32) }),
    ]);
  });

  test(
    "cannot become a member of daemons with a cluster secret, and changes nothing there",
    LIMIT,
    async () => {
      await using victims = await Victims.start(2, { peers: "secret" });
      const port = victims.port(0);
      const impersonating: MemberOptions = { key: makeKey(), named: victims.keys[1]?.id as Buffer };
      await assertUnmoved(victims, [
        () => Member.join(port, { key: makeKey() }),
        () => Member.join(port, { key: makeKey(), secret: randomBytes(32) }),
        () => Member.join(port, impersonating),
      ]);
    },
  );

  test("would be admitted if it knew the secret", LIMIT, async () => {
    await using victims = await Victims.start(2, { peers: "secret" });
    using member = await Member.join(victims.port(0), { key: makeKey(), secret: victims.secret });
    assert.equal(member.connection.closed, false);
  });

  test("cannot become a member by listening on the port of a stopped peer", LIMIT, async () => {
    await using victims = await Victims.start(2, { peers: "secret" });
    await victims.allLive();
    using client = await victims.client();
    await client.text("SET", "kept", "yes");
    await victims.daemons.pop()?.stop();
    await claimAndStay(Member.answer(victims.port(1), { key: makeKey() }), "live");
    // A daemon without other members may report isolated.
    assert.match((await victims.views("GET", "kept"))[0] as string, /^(live|isolated) yes$/);
  });

  for (const peers of some(["secret", "none"] as const)) {
    test(`cannot authorize its own key with CLUSTER ADD (peers: ${peers}, no root)`, LIMIT, async () => {
      await using victims = await Victims.start(peers === "none" ? 1 : 2, { root: false, peers });
      await victims.allLive();
      using client = await victims.client();
      await client.text("SET", "kept", "yes");
      const attackerKey = makeKey();
      await pushTwice(victims, attackerKey);
      using attacker = await victims.client(0, attackerKey);
      const added = await attacker.ask([["CLUSTER", "ADD", attackerKey.spki.toString("base64")]]);
      const flushed = await attacker.ask([["FLUSHALL"]]);
      assert.equal(await client.text("GET", "kept"), "yes");
      assert.deepEqual([added.refused, flushed.refused], ["unknown-key", "unknown-key"]);
    });
  }
});

/** Joins as a member. If that succeeds, pushes an entry that authorizes its key, then one that deletes everything. */
async function pushTwice(victims: Victims, attackerKey: Key): Promise<void> {
  const joined = await Member.join(victims.port(0), { key: attackerKey }).catch(() => null);
  if (joined === null) return;
  using member = joined;
  for (const command of [["CLUSTER", "ADD", attackerKey.spki.toString("base64")], ["FLUSHALL"]]) {
    member.push([envelope(attackerKey, victims.cluster, [command]).entry]);
    await member.acknowledged();
  }
}
