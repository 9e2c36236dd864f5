/** Attack: a process on the daemons' machine that holds no key but one that it has made itself. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { some } from "../support/amount.js";
import { envelope } from "./envelope.js";
import { type Key, makeKey } from "./key.js";
import { type Claims, Member, type MemberOptions } from "./member.js";
import { Victims } from "./victims.js";

const LIMIT = { timeout: 300_000 };

/** Returns claims of more entries than anyone has, of which those older than a second are pruned. */
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

/** Returns a snapshot at any date that is requested. */
const anySnapshot = (at: number) => ({ at: at === 0 ? Date.now() : at, bytes: randomBytes(100_000) });

/** Makes its claims and stays until the daemon has sent two statuses or closed. @returns whether it was admitted */
async function claimAndStay(joining: Promise<Member>, state: string): Promise<boolean> {
  const joined = await joining.catch(() => null);
  if (joined === null) return false;
  using member = joined;
  member.claim(() => moreOfEverything(state), anySnapshot);
  await member.heard(3);
  return true;
}

/**
 * Asserts that the victims' state is unchanged.
 * @param ways  each tries to become a member, and rejects if it fails
 */
async function assertUnmoved(victims: Victims, ways: readonly (() => Promise<Member>)[]): Promise<void> {
  await victims.allLive();
  using client = await victims.client();
  assert.equal(await client.text("SET", "kept", "yes"), "OK");
  const ring = await victims.ring(0);

  const letIn: boolean[] = [];
  for (const way of ways) {
    letIn.push(await claimAndStay(way(), "live"));
    assert.equal((await victims.views("GET", "kept"))[0], "live yes");
  }
  assert.equal(await client.text("SET", "kept", "still"), "OK", "it takes writes");
  assert.equal(await victims.ring(0), ring);
  assert.deepEqual(
    letIn,
    ways.map(() => false),
    "nobody was let in",
  );

  await victims.restart(0);
  await victims.allLive();
  assert.equal((await victims.views("GET", "kept"))[0], "live still");
  assert.equal(await victims.ring(0), ring);
}

describe("a process on the daemons' machine that has no key", { concurrency: true }, () => {
  test("is no member of a daemon without --peer, and changes nothing there", LIMIT, async () => {
    await using victims = await Victims.start(1);
    const port = victims.port(0);
    await assertUnmoved(victims, [
      () => Member.join(port, { key: makeKey() }),
      () => Member.join(port, { key: makeKey(), secret: randomBytes(32) }),
    ]);
  });

  test("is no member of daemons that know each other, and changes nothing there", LIMIT, async () => {
    await using victims = await Victims.start(2, { peers: "secret" });
    const port = victims.port(0);
    const inItsName: MemberOptions = { key: makeKey(), named: victims.keys[1]?.id as Buffer };
    await assertUnmoved(victims, [
      () => Member.join(port, { key: makeKey() }),
      () => Member.join(port, { key: makeKey(), secret: randomBytes(32) }),
      () => Member.join(port, inItsName),
    ]);
  });

  test("would be let in if it knew the secret", LIMIT, async () => {
    await using victims = await Victims.start(2, { peers: "secret" });
    using member = await Member.join(victims.port(0), { key: makeKey(), secret: victims.secret });
    assert.equal(member.connection.closed, false);
  });

  test("is no member by listening where a peer is down", LIMIT, async () => {
    await using victims = await Victims.start(2, { peers: "secret" });
    await victims.allLive();
    using client = await victims.client();
    await client.text("SET", "kept", "yes");
    await victims.daemons.pop()?.stop();
    await claimAndStay(Member.answer(victims.port(1), { key: makeKey() }), "live");
    // A daemon without members may report isolated, which does not matter here.
    assert.match((await victims.views("GET", "kept"))[0] as string, /^(live|isolated) yes$/);
  });

  for (const peers of some(["secret", "none"] as const)) {
    test(`signs nothing by a CLUSTER ADD of its own (peers: ${peers}, no root)`, LIMIT, async () => {
      await using victims = await Victims.start(peers === "none" ? 1 : 2, { root: false, peers });
      await victims.allLive();
      using client = await victims.client();
      await client.text("SET", "kept", "yes");
      const stranger = makeKey();
      await pushTwice(victims, stranger);
      using attacker = await victims.client(0, stranger);
      const added = await attacker.ask([["CLUSTER", "ADD", stranger.spki.toString("base64")]]);
      const flushed = await attacker.ask([["FLUSHALL"]]);
      assert.equal(await client.text("GET", "kept"), "yes");
      assert.deepEqual([added.refused, flushed.refused], ["unknown-key", "unknown-key"]);
    });
  }
});

/** Once admitted as a member, pushes first its own admission, then the command that deletes everything. */
async function pushTwice(victims: Victims, stranger: Key): Promise<void> {
  const joined = await Member.join(victims.port(0), { key: stranger }).catch(() => null);
  if (joined === null) return;
  using member = joined;
  for (const command of [["CLUSTER", "ADD", stranger.spki.toString("base64")], ["FLUSHALL"]]) {
    member.push([envelope(stranger, victims.cluster, [command]).entry]);
    await member.dealtWith();
  }
}
