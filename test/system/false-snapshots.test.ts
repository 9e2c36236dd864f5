/**
 * Attack: a hostile pinned member offers a false snapshot with every signature that it can make. No daemon adopts it.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { describe, test } from "node:test";
import { some } from "../support/amount.js";
import { until } from "../support/until.js";
import { type Key, makeKey } from "./attacker/key.js";
import { type Claims, Member } from "./attacker/member.js";
import { Victims } from "./attacker/victims.js";
import { vote } from "./attacker/vote.js";

const LIMIT = { timeout: 300_000 };
const IN_2030 = Date.UTC(2030, 0, 1);

interface Scene {
  readonly victims: Victims;
  readonly bad: Key;
  /** The hostile member's connections, one to each honest daemon. Daemons count only votes of connected members. */
  readonly members: Member[];
}

/** Starts two honest daemons with a value, and a hostile member that claims the same state until the attack. */
async function scene(): Promise<Scene> {
  const bad = makeKey();
  const victims = await Victims.start(2, { peers: "pinned", others: [bad] });
  const members = await Promise.all([0, 1].map((index) => Member.join(victims.port(index), { key: bad })));
  for (const member of members) member.claim((received) => ({ ...received, state: "live" }));
  await victims.allLive();
  using client = await victims.client();
  assert.equal(await client.text("SET", "kept", "yes"), "OK");
  await until("all daemons are live and have the write", async () =>
    (await victims.views("GET", "kept")).every((view) => view === "live yes"),
  );
  return { victims, bad, members };
}

const largerClaims = (pruned: number): Claims => ({
  watermark: Math.max(Date.now(), pruned + 1000),
  pruned,
  state: "live",
  ringCount: 1000,
  ringSum: randomBytes(32),
  dataCount: 1000,
  dataSum: randomBytes(32),
});

/** Makes an invalid snapshot with all votes that one member can forge for it. */
function forgery({ victims, bad }: Scene, at: number) {
  const bytes = randomBytes(40_000);
  const cut = { at, bytes: bytes.length, seal: bytes.subarray(-32) };
  const newKeys = Array.from({ length: 5 }, makeKey);
  const votes = [
    vote(victims.cluster, cut, bad),
    ...newKeys.map((key) => vote(victims.cluster, cut, key)),
    // These votes are in the names of the honest members, but signed with the attacker's key.
    ...victims.keys.map((key) => vote(victims.cluster, cut, key, bad)),
  ];
  return { bytes, votes };
}

describe("a hostile pinned member with a false snapshot", { concurrency: true }, () => {
  for (const [which, date] of some([
    ["dated a second ago", () => Date.now() - 1000],
    ["dated 2030", () => IN_2030],
  ] as const)) {
    test(
      `offers it to a daemon without data (${which}): the daemon adopts the state of the honest one`,
      LIMIT,
      async () => {
        const attacked = await scene();
        const { victims, bad, members } = attacked;
        await using _ = victims;
        const ring = await victims.ring(0);
        const { bytes, votes } = forgery(attacked, date());
        const at = votes[0]?.readBigUInt64BE() ?? 0n;

        members[1]?.[Symbol.dispose]();
        const answering = Member.answer(victims.otherPort(0), { key: bad });
        // Both honest daemons connect to this port. The attacker answers the first of them.
        await victims.restart(1, () => rmSync(victims.folder(1), { recursive: true }));
        // A daemon closes one of two connections with the same member. The ids decide which one.
        const attempts = await Promise.allSettled([answering, Member.join(victims.port(1), { key: bad })]);
        for (const attempt of attempts) if (attempt.status === "fulfilled") members.push(attempt.value);
        const lie = largerClaims(Number(at));
        for (const member of members) {
          member.claim(
            () => lie,
            (requested) => ({ at: requested === 0 ? Number(at) : requested, bytes }),
          );
          member.connection.send("cuts", Buffer.concat(votes));
        }
        await until(
          "daemon 1 is live and has the write",
          async () => (await victims.views("GET", "kept"))[1] === "live yes",
        );
        assert.deepEqual(await victims.views("GET", "kept"), ["live yes", "live yes"]);
        for (const index of [0, 1]) assert.equal(await victims.ring(index), ring);
        using client = await victims.client(1);
        assert.equal(await client.text("SET", "later", "too"), "OK", "the daemon accepts writes");
        await until(
          "daemon 0 is live and has the later write",
          async () => (await victims.views("GET", "later"))[0] === "live too",
        );
        for (const member of members) member[Symbol.dispose]();
      },
    );
  }

  test(
    "signs two states for a recent date and for future dates: the honest daemons stay live and equal",
    LIMIT,
    async () => {
      const attacked = await scene();
      const { victims, members } = attacked;
      await using _ = victims;

      const dates = [Date.now() - 2000, IN_2030, Number.MAX_SAFE_INTEGER];
      for (const member of members)
        for (const at of dates)
          for (let state = 0; state < 2; state++)
            member.connection.send("cuts", Buffer.concat(forgery(attacked, at).votes));
      await Promise.all(
        members.map((member) => member.receivedStatuses(member.connection.named("status").length + 2)),
      );

      assert.deepEqual(await victims.views("GET", "kept"), ["live yes", "live yes"]);
      using client = await victims.client();
      assert.equal(await client.text("SET", "kept", "still"), "OK");
      await until(
        "daemon 1 is live and has the new value",
        async () => (await victims.views("GET", "kept"))[1] === "live still",
      );
      for (const member of members) member[Symbol.dispose]();
    },
  );

  test(
    "withholds entries that it claims to have: a daemon without data receives them from the honest one",
    LIMIT,
    async () => {
      const { victims, bad, members } = await scene();
      await using _ = victims;
      members[1]?.[Symbol.dispose]();
      await victims.restart(1, () => rmSync(victims.folder(1), { recursive: true }));
      using member = await Member.join(victims.port(1), { key: bad });
      // The attacker claims the same state as the honest daemon, so it appears to be up to date.
      member.claim(() => ({ ...(members[0] as Member).lastClaims(), state: "live" }));
      await until(
        "daemon 1 is live and has the write",
        async () => (await victims.views("GET", "kept"))[1] === "live yes",
      );
      assert.deepEqual(await victims.views("GET", "kept"), ["live yes", "live yes"]);
      for (const each of members) each[Symbol.dispose]();
    },
  );
});
