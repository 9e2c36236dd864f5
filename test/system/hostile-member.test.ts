/** Attack: the attacker has the key of a pinned member. It can silence that member, but nothing else. */
import "../support/all-families.js";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { commands } from "../../daemon/store/command-table.js";
import { amount, some } from "../support/amount.js";
import { seed } from "../support/seed.js";
import { SeededRandom } from "../support/seeded-random.js";
import { until } from "../support/until.js";
import { envelope } from "./attacker/envelope.js";
import { makeKey } from "./attacker/key.js";
import { type Claims, Member } from "./attacker/member.js";
import { outcomesAt, PushedEntries } from "./attacker/pushed-entries.js";
import { Victims } from "./attacker/victims.js";

const LIMIT = { timeout: 300_000 };
const IN_2030 = Date.UTC(2030, 0, 1);

const falseClaims = (more: Partial<Claims>): Claims => ({
  watermark: Date.now(),
  pruned: Date.now() - 1000,
  state: "live",
  ringCount: 1_000_000,
  ringSum: randomBytes(32),
  dataCount: 1_000_000,
  dataSum: randomBytes(32),
  ...more,
});

const randomSnapshot = (at: number) => ({ at: at === 0 ? IN_2030 : at, bytes: randomBytes(50_000) });

/** Starts two honest daemons with a pinned third member, and writes a value that the attack must not change. */
async function twoHonest(): Promise<{ victims: Victims; bad: ReturnType<typeof makeKey> }> {
  const bad = makeKey();
  const victims = await Victims.start(2, { peers: "pinned", others: [bad] });
  using member = await Member.join(victims.port(0), { key: bad });
  using other = await Member.join(victims.port(1), { key: bad });
  for (const each of [member, other]) each.claim((received) => ({ ...received, state: "live" }));
  await victims.allLive();
  using client = await victims.client();
  assert.equal(await client.text("SET", "kept", "yes"), "OK");
  await until("all daemons are live and have the write", async () =>
    (await victims.views("GET", "kept")).every((view) => view === "live yes"),
  );
  return { victims, bad };
}

async function assertUnmoved(victims: Victims, before: { ring: string }): Promise<void> {
  assert.deepEqual(await victims.views("GET", "kept"), ["live yes", "live yes"]);
  for (const index of [0, 1]) assert.equal(await victims.ring(index), before.ring);
}

describe("one hostile pinned member", { concurrency: true }, () => {
  for (const [claim, claims] of some(
    [
      ["has more entries, and has pruned them", () => falseClaims({})],
      ["has fewer entries, and has pruned them", () => falseClaims({ ringCount: 0, dataCount: 0 })],
      ["is catching up, and has more entries", () => falseClaims({ state: "catching-up" })],
      ["has pruned up to 2030", () => falseClaims({ pruned: IN_2030, watermark: IN_2030 + 1000 })],
    ] as const,
    2,
  )) {
    test(`claims that it ${claim}: the honest daemons stay live with their data`, LIMIT, async () => {
      const { victims, bad } = await twoHonest();
      await using _ = victims;
      const before = { ring: await victims.ring(0) };
      {
        using first = await Member.join(victims.port(0), { key: bad });
        using second = await Member.join(victims.port(1), { key: bad });
        for (const member of [first, second]) member.claim(claims, randomSnapshot);
        for (const member of [first, second]) await member.receivedStatuses(4);

        await assertUnmoved(victims, before);
        using client = await victims.client();
        assert.equal(
          await client.text("SET", "later", "too"),
          "OK",
          "the daemons accept writes during the attack",
        );
        await until(
          "daemon 1 is live and has the later write",
          async () => (await victims.views("GET", "later"))[1] === "live too",
        );
      }
      await assertUnmoved(victims, before);
    });
  }

  test(
    "pushes entries without permission: none of them changes the state or the key ring",
    LIMIT,
    async () => {
      const { victims, bad } = await twoHonest();
      await using _ = victims;
      const before = { ring: await victims.ring(0) };
      using member = await Member.join(victims.port(0), { key: bad });

      const unknown = makeKey();
      const impersonating = { ...makeKey(), id: victims.root.id };
      const forged = [
        envelope(unknown, victims.cluster, [["SET", "kept", "no"]]),
        envelope(unknown, victims.cluster, [["KEY", "ADD", unknown.pem, "RULES", "+@all", "~*"]]),
        envelope(impersonating, victims.cluster, [["KEY", "REVOKE", victims.root.id.toString("hex")]]),
        envelope(impersonating, victims.cluster, [["KEY", "ADD", unknown.pem, "RULES", "+@all", "~*"]]),
        envelope(bad, victims.cluster, [["KEY", "ADD", unknown.pem, "RULES", "+@all", "~*"]]),
        envelope(victims.application, randomBytes(32), [["SET", "kept", "elsewhere"]]),
      ];

      member.push(forged.map(({ entry }) => entry));
      await member.receivedStatuses(2);
      await assertUnmoved(victims, before);
    },
  );
});

/** Arguments of commands: names, numbers, documents, and texts of commands that change keys. */
const ARGUMENTS = [
  ...["k", "sql:a:b", "mongo:a.b", "é", "", "x".repeat(70_000), "ff".repeat(32)],
  ...["0", "1", "-1", "9223372036854775808", "1e400", "*", "$", ">", "LIMIT", "STREAMS", "COUNT", "RULES"],
  ...["{}", "[]", '{"q":{},"u":{}}', '{"_id":{"$date":"x"}}', "create database a", "return 1"],
];

test(
  "a hostile member pushes each command with any arguments: both daemons apply it in the same way",
  LIMIT,
  async () => {
    await using pushed = await PushedEntries.start();
    const { victims, daemonKey } = pushed;
    const random = new SeededRandom(seed());
    const from = Date.now();
    for (let round = 0; round < amount(1, 4); round++) {
      const entries = commands.map(({ name }, seq) => {
        const args = Array.from({ length: random.between(0, 8) }, () => random.oneOf(ARGUMENTS));
        const signer = random.oneOf([victims.application, victims.root, daemonKey]);
        const more = random.oneOf([[], ["multi", 1]]);
        return envelope(signer, victims.cluster, [[...name.split("|"), ...args]], { seq, more });
      });
      pushed.push(entries);
    }

    const last = envelope(victims.application, victims.cluster, [["INCR", "last"]], { at: Date.now() + 1 });
    assert.match(await pushed.outcomeOf(last), /^applied /);
    const outcomes = await Promise.all(
      [0, 1].map((index) => outcomesAt(victims.port(index), victims.root, from, last)),
    );

    assert.ok((outcomes[0]?.size ?? 0) > commands.length / 2);
    assert.deepEqual(outcomes[1], outcomes[0]);
    assert.equal(await victims.ring(1), await victims.ring(0));
  },
);
