/**
 * The alarm that entries are missing here and should be written again. Freezing, killing and restarting daemons,
 * or claiming to hold more than they do, does not raise it while no entry is missing; when one is missing, the
 * alarm names it.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { skipUnlessFull } from "../support/amount.js";
import type { Command, Envelope } from "./envelope.js";
import { makeKey } from "./key.js";
import { type Claims, Member } from "./member.js";
import { until, Victims } from "./victims.js";
import { textOf, type Value } from "./wire.js";

/** Pruned entries must first age, through thousands of writes. */
const LIMIT = { timeout: 600_000, skip: skipUnlessFull };
/** Options that make daemons prune early: above one MiB, with frequent snapshots. */
const FORGETFUL = [
  ...["--max-timeline-bytes", "1MiB", "--snapshot-entries", "2000"],
  ...["--tail-seconds", "10s", "--window", "8s,1s"],
];
const AT_ONCE = 250;
/** Entries: more than a daemon may keep, and enough for the snapshots that pruning needs. */
const ENOUGH = 3000;
/** Entries that are written while time passes. */
const TRICKLE = 10;
const POLL_MS = 100;
const SECOND_MS = 1000;
/** Writes within one second. */
const WRITES = 20;

/** Text of the alarm, and of the other alarm, about keys. */
const ALARM = /this daemon no longer has them/;

function alarms(victims: Victims, index: number): { text: string; entries: string }[] {
  return (victims.daemons[index]?.log ?? [])
    .filter(({ msg, level }) => ALARM.test(msg) || (level === "error" && /write again/.test(msg)))
    .map(({ msg, entries }) => ({ text: msg, entries: String(entries) }));
}

/**
 * Returns from TIMELINE STATUS how many entries a daemon counts as missing, and how far the other members have
 * pruned.
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

/** Writes of one second, and the daemons that receive them. */
interface Writes {
  readonly second: number;
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Sends each write as an envelope of its own. */
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

/** Writes until the first two daemons no longer store an entry of that second. */
async function outlive(victims: Victims, second: number): Promise<void> {
  using client = await victims.client(0);
  const isOver = async () => {
    const told = [...(await statusOf(victims, 0)).prunedTo, ...(await statusOf(victims, 1)).prunedTo];
    return told.filter((to) => to > second + SECOND_MS).length >= 2;
  };
  for (let written = 0; !(await isOver()); ) {
    const count = written < ENOUGH ? AT_ONCE : TRICKLE;
    if (count === TRICKLE) await pause(POLL_MS);
    for (let round = 0; round < 4; round++)
      await Promise.all(
        Array.from({ length: count }, () => client.ask([["SET", `n:${written++ % 10}`, "x".repeat(1000)]])),
      );
  }
}

/** Claims to a daemon that it holds more entries and has pruned them. */
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

/** Waits until running daemons report live and answer without a flag. */
async function live(
  victims: Victims,
  indices: readonly number[],
  answer: string,
  ...command: Command
): Promise<void> {
  for (const index of indices) {
    using client = await victims.client(index);
    await until(async () => {
      const { state } = await client.hello();
      return state === "live" && (await client.text(...command)) === answer;
    });
  }
}

/** Waits until the daemon has a snapshot from other members and is live with it. */
async function healed(victims: Victims, index: number): Promise<void> {
  await victims.daemons[index]?.logged(({ msg }) => /snapshot is taken over/.test(msg));
  await live(victims, [index], "PONG", "PING");
}

const kill = (victims: Victims, indices: readonly number[], signal: NodeJS.Signals): void => {
  for (const index of indices) victims.daemons[index]?.kill(signal);
};

test("entries are said to be gone when they are, and not while nothing is", LIMIT, async (t) => {
  await using victims = await Victims.start(4, { data: false, peers: "secret", args: FORGETFUL });
  await victims.allLive();
  const names = Array.from({ length: WRITES }, (_, i) => `around:${i}`);
  /** An entry that only one daemon has, from a second of which no other daemon has any. */
  let stray: Envelope | undefined;
  const assertNothingGone = async (index: number) => {
    await live(victims, [index], String(WRITES), "EXISTS", ...names);
    assert.deepEqual(alarms(victims, index), []);
    assert.equal((await statusOf(victims, index)).strays, 0);
  };

  await t.test("a frozen daemon has half of a second whose other half it takes over", async () => {
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
    await live(victims, [0, 1, 2], String(WRITES / 2), "EXISTS", ...names);
    kill(victims, [2], "SIGSTOP");
    await writeTo(victims, 0, { ...around, from: WRITES / 2, to: WRITES });
    await outlive(victims, around.second);
    kill(victims, [2], "SIGCONT");
    using _ = await lieTo(victims, 2);
    await healed(victims, 2);
    await assertNothingGone(2);
  });

  // This runs before the next daemon returns: it would receive that entry, and would have to report it as missing.
  await t.test("a daemon that is killed takes over what it had, and what came meanwhile", async () => {
    await victims.restart(1);
    using _ = await lieTo(victims, 1);
    await healed(victims, 1);
    await assertNothingGone(1);
  });

  await t.test("what one alone has acknowledged, and nobody takes any more, is said to be gone", async () => {
    kill(victims, [3], "SIGCONT");
    await healed(victims, 3);
    await live(victims, [3], "0", "EXISTS", "alone:0");
    await until(() => alarms(victims, 3).length > 0);
    const [told, ...more] = alarms(victims, 3);
    // The entry cannot be named if this daemon has pruned it meanwhile because it holds more than it may keep.
    assert.match(told?.entries ?? "none", new RegExp(`^$|${(stray as Envelope).id.toString("hex")}`));
    assert.deepEqual(more, []);
    await until(async () => (await statusOf(victims, 3)).strays === 1);
  });
});
