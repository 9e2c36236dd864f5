/** Attack: the key of a pinned member is in hostile hands. It can make that member silent, and nothing else. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { some } from "../support/amount.js";
import { envelope } from "./envelope.js";
import { makeKey } from "./key.js";
import { type Claims, Member } from "./member.js";
import { until, Victims } from "./victims.js";

const LIMIT = { timeout: 300_000 };
const IN_2030 = Date.UTC(2030, 0, 1);

const lies = (more: Partial<Claims>): Claims => ({
  watermark: Date.now(),
  pruned: Date.now() - 1000,
  state: "live",
  ringCount: 1_000_000,
  ringSum: randomBytes(32),
  dataCount: 1_000_000,
  dataSum: randomBytes(32),
  ...more,
});

const rubbish = (at: number) => ({ at: at === 0 ? IN_2030 : at, bytes: randomBytes(50_000) });

/** Starts two honest daemons, makes the key of a third, and writes a value that must stay. */
async function twoHonest(): Promise<{ victims: Victims; bad: ReturnType<typeof makeKey> }> {
  const bad = makeKey();
  const victims = await Victims.start(2, { peers: "pinned", others: [bad] });
  using member = await Member.join(victims.port(0), { key: bad });
  using other = await Member.join(victims.port(1), { key: bad });
  for (const one of [member, other]) one.claim((said) => ({ ...said, state: "live" }));
  await victims.allLive();
  using client = await victims.client();
  assert.equal(await client.text("SET", "kept", "yes"), "OK");
  await until(async () => (await victims.views("GET", "kept")).every((view) => view === "live yes"));
  return { victims, bad };
}

async function assertUnmoved(victims: Victims, before: { ring: string }): Promise<void> {
  assert.deepEqual(await victims.views("GET", "kept"), ["live yes", "live yes"]);
  for (const index of [0, 1]) assert.equal(await victims.ring(index), before.ring);
}

describe("one pinned member that turned bad", { concurrency: true }, () => {
  for (const [what, claims] of some(
    [
      ["holds more of everything, and has pruned it", () => lies({})],
      ["holds less of everything, and has pruned it", () => lies({ ringCount: 0, dataCount: 0 })],
      ["is catching up, with more than they have", () => lies({ state: "catching-up" })],
      ["has pruned up to 2030", () => lies({ pruned: IN_2030, watermark: IN_2030 + 1000 })],
    ] as const,
    2,
  )) {
    test(`says that it ${what}: the others stay live with what they have`, LIMIT, async () => {
      const { victims, bad } = await twoHonest();
      await using _ = victims;
      const before = { ring: await victims.ring(0) };
      {
        using first = await Member.join(victims.port(0), { key: bad });
        using second = await Member.join(victims.port(1), { key: bad });
        for (const member of [first, second]) member.claim(claims, rubbish);
        for (const member of [first, second]) await member.heard(4);
        await assertUnmoved(victims, before);
        using client = await victims.client();
        assert.equal(await client.text("SET", "later", "too"), "OK", "writes are taken while it lies");
        await until(async () => (await victims.views("GET", "later"))[1] === "live too");
      }
      await assertUnmoved(victims, before);
    });
  }

  test("gives what no key permits: none of it enters the state or the ring", LIMIT, async () => {
    const { victims, bad } = await twoHonest();
    await using _ = victims;
    const before = { ring: await victims.ring(0) };
    using member = await Member.join(victims.port(0), { key: bad });
    const unknown = makeKey();
    const posing = { ...makeKey(), id: victims.root.id };
    const forged = [
      envelope(unknown, victims.cluster, [["SET", "kept", "no"]]),
      envelope(unknown, victims.cluster, [["KEY", "ADD", unknown.pem, "RULES", "+@all", "~*"]]),
      envelope(posing, victims.cluster, [["KEY", "REVOKE", victims.root.id.toString("hex")]]),
      envelope(posing, victims.cluster, [["KEY", "ADD", unknown.pem, "RULES", "+@all", "~*"]]),
      envelope(bad, victims.cluster, [["KEY", "ADD", unknown.pem, "RULES", "+@all", "~*"]]),
      envelope(victims.application, randomBytes(32), [["SET", "kept", "elsewhere"]]),
    ];
    member.push(forged.map(({ entry }) => entry));
    await member.heard(2);
    await assertUnmoved(victims, before);
  });
});
