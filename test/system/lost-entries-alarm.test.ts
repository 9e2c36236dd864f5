/**
 * Attack: trigger the alarm that entries were lost and should be written again. An attacker freezes, kills and
 * restarts daemons, and claims to have more entries than they have. The alarm appears only if an entry was lost, and
 * then names this entry.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { skipUnlessFull } from "../support/amount.js";
import { until } from "../support/until.js";
import type { Command, Envelope } from "./attacker/envelope.js";
import { makeKey } from "./attacker/key.js";
import { type Claims, Member } from "./attacker/member.js";
import { Victims } from "./attacker/victims.js";
import { textOf, type Value } from "./attacker/wire.js";

/** The timeout is long because daemons prune an entry only after thousands of later writes. */
const LIMIT = { timeout: 600_000, skip: skipUnlessFull };
/** Options with which daemons prune early: above 1 MiB, with frequent snapshots. */
const FORGETFUL = [
  ...["--max-timeline-bytes", "1MiB", "--snapshot-entries", "2000"],
  ...["--tail-seconds", "10s", "--window", "8s,1s"],
];
const AT_ONCE = 250;
/** A number of entries that exceeds the limit of a daemon and causes the snapshots that pruning needs. */
const ENOUGH = 3000;
/** The number of entries per step while the test waits for pruning. */
const TRICKLE = 10;
const POLL_MS = 100;
const SECOND_MS = 1000;
/** The number of writes within one second. */
const WRITES = 20;

/** Matches the text of the alarm. */
const ALARM = /this daemon no longer has them/;

function alarms(victims: Victims, index: number): { text: string; entries: string }[] {
  return (victims.daemons[index]?.log ?? [])
    .filter(({ msg, level }) => ALARM.test(msg) || (level === "error" && /write again/.test(msg)))
    .map(({ msg, entries }) => ({ text: msg, entries: String(entries) }));
}

/**
 * Reads from TIMELINE STATUS the number of orphaned entries, and the dates up to which the other members have pruned.
 */
async function statusOf(victims: Victims, index: number): Promise<{ strays: number; prunedTo: number[] }> {
  using root = await victims.client(index, victims.root);
  const { replies } = await root.ask([["TIMELINE", "STATUS"]]);
  const text = flat(replies[0] as Value).join();
  return {
    strays: Number(/(?:^|,)strays,(\d+)/.exec(text)?.[1]),
    prunedTo: [...text.matchAll(/pruned-to,(\d+)/g)].map(([, to]) => Number(to)),
  };
}

const flat = (value: Value): string[] => (Array.isArray(value) ? value.flatMap(flat) : [textOf(value)]);

/** A series of writes dated within one second. They set the keys `name:from` to `name:(to - 1)`. */
interface Writes {
  readonly second: number;
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Sends each write in a separate envelope. */
async function writeTo(
  victims: Victims,
  index: number,
  { second, name, from, to }: Writes,
): Promise<Envelope[]> {
  using client = await victims.client(index);
  const signed = Array.from({ length: to - from }, (_, i) =>
    client.sign([["SET", `${name}:${from + i}`, "kept"]], { at: second + from + i }),
  );
  for (const one of signed) assert.equal((await client.send(one)).refused, null);
  return signed;
}

const thisSecond = (): number => Math.floor(Date.now() / SECOND_MS) * SECOND_MS;

/** Writes until two other members have pruned the entries of the given second. */
async function writeUntilPruned(victims: Victims, second: number): Promise<void> {
  using client = await victims.client(0);
  const isOver = async () => {
    const prunedTo = [...(await statusOf(victims, 0)).prunedTo, ...(await statusOf(victims, 1)).prunedTo];
    return prunedTo.filter((to) => to > second + SECOND_MS).length >= 2;
  };
  let written = 0;
  const write = async () => {
    const count = written < ENOUGH ? AT_ONCE : TRICKLE;
    if (count === TRICKLE) await pause(POLL_MS);
    for (let round = 0; round < 4; round++)
      await Promise.all(
        Array.from({ length: count }, () => client.ask([["SET", `n:${written++ % 10}`, "x".repeat(1000)]])),
      );
  };
  await until("two members have pruned the entries", isOver, { ms: LIMIT.timeout, pause: write });
}

/** Joins a daemon as a member that claims to have more entries, and to have pruned them. */
async function lieTo(victims: Victims, index: number): Promise<Member> {
  const liar = await Member.join(victims.port(index), { key: makeKey(), secret: victims.secret });
  const claims: Claims = {
    watermark: Date.now() + SECOND_MS,
    pruned: Date.now(),
    state: "live",
    ringCount: 1000,
    ringSum: randomBytes(32),
    dataCount: 1_000_000,
    dataSum: randomBytes(32),
  };
  liar.claim(
    () => claims,
    (at) => ({ at, bytes: randomBytes(1000) }),
  );
  return liar;
}

/** Waits until daemons report live and return the expected answer without a flag. */
async function untilLive(
  victims: Victims,
  indices: readonly number[],
  answer: string,
  ...command: Command
): Promise<void> {
  for (const index of indices) {
    using client = await victims.client(index);
    await until(
      `daemon ${index} is live and answers ${answer}`,
      async () => {
        const { state } = await client.hello();
        return state === "live" && (await client.text(...command)) === answer;
      },
      { ms: LIMIT.timeout },
    );
  }
}

/** Waits until the daemon has adopted a snapshot of other members and reports live. */
async function untilHealed(victims: Victims, index: number): Promise<void> {
  await victims.daemons[index]?.logged(({ msg }) => /snapshot was adopted/.test(msg));
  await untilLive(victims, [index], "PONG", "PING");
}

const kill = (victims: Victims, indices: readonly number[], signal: NodeJS.Signals): void => {
  for (const index of indices) victims.daemons[index]?.kill(signal);
};

test("daemons report lost entries, and no entries that still exist", LIMIT, async (t) => {
  await using victims = await Victims.start(4, { data: false, peers: "secret", args: FORGETFUL });
  await victims.allLive();
  const names = Array.from({ length: WRITES }, (_, i) => `around:${i}`);
  /** An entry that only one daemon has. No other daemon has an entry of the same second. */
  let stray: Envelope | undefined;
  const assertNothingLost = async (index: number) => {
    await untilLive(victims, [index], String(WRITES), "EXISTS", ...names);
    assert.deepEqual(alarms(victims, index), []);
    assert.equal((await statusOf(victims, index)).strays, 0);
  };

  await t.test(
    "a frozen daemon has half of the entries of a second, and adopts the rest with a snapshot",
    async () => {
      kill(victims, [0, 1, 2], "SIGSTOP");
      [stray] = await writeTo(victims, 3, {
        second: thisSecond() - 3 * SECOND_MS,
        name: "alone",
        from: 0,
        to: 1,
      });
      kill(victims, [3], "SIGSTOP");

      kill(victims, [0, 1, 2], "SIGCONT");
      const around = { second: thisSecond(), name: "around" };
      await writeTo(victims, 0, { ...around, from: 0, to: WRITES / 2 });
      await untilLive(victims, [0, 1, 2], String(WRITES / 2), "EXISTS", ...names);

      kill(victims, [2], "SIGSTOP");
      await writeTo(victims, 0, { ...around, from: WRITES / 2, to: WRITES });
      await writeUntilPruned(victims, around.second);
      kill(victims, [2], "SIGCONT");

      using _ = await lieTo(victims, 2);
      await untilHealed(victims, 2);
      await assertNothingLost(2);
    },
  );

  // This runs before the daemon with the stray entry resumes. Otherwise the restarted daemon would receive this
  // entry, and would report it as lost.
  await t.test("a killed daemon adopts its own entries and later ones with a snapshot", async () => {
    await victims.restart(1);
    using _ = await lieTo(victims, 1);
    await untilHealed(victims, 1);
    await assertNothingLost(1);
  });

  await t.test(
    "a daemon reports an entry as lost that only this daemon acknowledged, and that no member accepts",
    async () => {
      kill(victims, [3], "SIGCONT");
      await untilHealed(victims, 3);
      await untilLive(victims, [3], "0", "EXISTS", "alone:0");
      await until("daemon 3 reports the loss", () => alarms(victims, 3).length > 0);
      const [alarm, ...more] = alarms(victims, 3);
      // The alarm names no entry if this daemon has pruned it in the meantime.
      assert.match(alarm?.entries ?? "none", new RegExp(`^$|${(stray as Envelope).id.toString("hex")}`));
      assert.deepEqual(more, []);
      await until("daemon 3 reports one lost entry", async () => (await statusOf(victims, 3)).strays === 1);
    },
  );
});
