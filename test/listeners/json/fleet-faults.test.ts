/**
 * Daemons that list each other with --json-replica: one that stands still for longer than it is waited for, two that are killed at once, a link
 * through which nothing comes. What was said to be replicated is there afterwards, and all end with the same documents.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../daemon/replicas.js";
import { some } from "../../support/amount.js";
import { Members, more, type Writer } from "./members.js";

const TIMEOUT = "400ms";
/** Of a leader that is found to say nothing, and of followers that are. */
const AWAY = /gone; this one does now|replica is away/;

const stopAll = (writers: readonly Writer[]) => Promise.all(writers.map((writer) => writer.stop()));
const marksOf = (writers: readonly Writer[]) => new Set(writers.flatMap(({ replicated }) => replicated));

async function known(members: Members): Promise<number> {
  await until("one leads", async () => (await members.leader()) >= 0);
  return await members.leader();
}

const VICTIMS = ["leader", "follower"] as const;
for (const who of some(VICTIMS))
  test(`a ${who} that stands still for longer than it is waited for has what all have once it goes on`, async (t) => {
    await using members = await Members.start({ timeout: TIMEOUT });
    const leader = await known(members);
    const victim = who === "leader" ? leader : (leader + 1) % members.ports.length;
    const writers = await members.writers(who);
    const others = writers.filter((_, place) => place !== victim);
    await Promise.all(writers.map((writer) => more(writer)));
    members.at(victim).kill("SIGSTOP");
    const missing = who === "leader" ? (victim + 1) % 3 : leader;
    await members.at(missing).logged(({ msg }) => AWAY.test(msg));
    await Promise.all(others.map((writer) => more(writer)));
    members.at(victim).kill("SIGCONT");
    await Promise.all(writers.map((writer) => more(writer)));
    await stopAll(writers);
    const expected = marksOf(writers);
    await members.same(expected, "after it went on");
    assert.ok(expected.size > 0);
    t.diagnostic(`${expected.size} entries that were said to be replicated`);
  });

test("two of three that are killed at once get all from the third one", async (t) => {
  await using members = await Members.start({ timeout: TIMEOUT });
  const leader = await known(members);
  const survivor = (leader + 1) % members.ports.length;
  const victims = [...members.ports.keys()].filter((place) => place !== survivor);
  const before = await members.writers("before", victims);
  const [during] = (await members.writers("during", [survivor])) as [Writer];
  await Promise.all([...before, during].map((writer) => more(writer)));
  // What only these two have goes with them: the third one is to have it.
  await stopAll(before);
  await more(during);
  await Promise.all(victims.map((place) => members.kill(place)));
  await more(during);
  await Promise.all(victims.map((place) => members.start(place)));
  const after = await members.writers("after", victims);
  await Promise.all([...after, during].map((writer) => more(writer)));
  await stopAll([...after, during]);
  const expected = marksOf([...before, ...after, during]);
  await members.same(expected, "after they came back");
  t.diagnostic(`${expected.size} entries that were said to be replicated`);
});

const PAIRS = ["the leader and a follower", "two followers"] as const;
for (const pair of some(PAIRS))
  test(`a link between ${pair} through which nothing comes loses nothing`, async (t) => {
    await using members = await Members.start({ timeout: TIMEOUT, isRelayed: true });
    const leader = await known(members);
    const [one, other] = [(leader + 1) % 3, pair === "two followers" ? (leader + 2) % 3 : leader] as const;
    const writers = await members.writers("cut");
    await Promise.all(writers.map((writer) => more(writer)));
    members.cut(one, other, true);
    // Who reaches both leads: whichever of the two did, the other one could not follow.
    if (other === leader) await until("it leads", async () => (await members.leader()) === (leader + 2) % 3);
    await Promise.all(writers.map((writer) => more(writer)));
    members.cut(one, other, false);
    await Promise.all(writers.map((writer) => more(writer)));
    await stopAll(writers);
    const expected = marksOf(writers);
    await members.same(expected, "after it was mended");
    t.diagnostic(`${expected.size} entries that were said to be replicated`);
  });
