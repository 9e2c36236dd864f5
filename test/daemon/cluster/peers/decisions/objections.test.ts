/** Tests what a keeper proposes while other members object to units, miss entries, or return after an outage. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DecisionMessage } from "../../../../../protocol/members/decision-messages.js";
import { seed } from "../../../../support/seed.js";
import { listOf, startThree, type World } from "./simulated-members.js";

const NAMES = ["a", "b", "c"];
/** The number of units that one proposal decides. */
const TOGETHER = 64;

const run = (world: World, milliseconds: number) =>
  world.scheduler.runUntil(world.scheduler.time + milliseconds);

/** Runs until some units are decided. @returns the milliseconds until then */
async function timeUntilDecided(world: World, ids: readonly string[]): Promise<number> {
  const from = world.scheduler.time;
  while (ids.some((id) => !world.decidedUnits.has(id)) && world.scheduler.time < from + 60_000)
    await run(world, 10);
  return world.scheduler.time - from;
}

test("units are decided although other units arrive all the time to which the members object", async () => {
  const { world, members } = await startThree(seed(), TOGETHER);
  const [a, ...others] = members;
  const good: string[] = [];
  for (let step = 0; step < 200; step++) {
    const objected = world.casOf(a, `objected ${step}`, `caller ${step % 5}`);
    for (const member of others) member.objectsTo.add(objected.id);
    a.decisions?.submit(world.unitOf(objected));
    good.push(world.submit(a, [a], `good ${step}`, "good").id);
    await run(world, 100);
  }

  const decided = good.filter((id) => world.decidedUnits.has(id)).length;
  assert.ok(decided > 150, `${decided} of 200 are decided`);
});

test("a unit is decided as soon as the only other member has the entries that it was missing", async () => {
  const { world, members } = await startThree(seed(), TOGETHER);
  const [a, b, c] = members;
  // The members have run for a while.
  await run(world, 1_000);
  b.stop();
  world.submit(a, [a], "second");
  await run(world, 1_000);

  // It receives the entries 6 s after its return.
  const add = b.add.bind(b);
  b.add = () => {};
  b.start();
  await run(world, 500);
  c.stop();
  const { id } = world.submit(a, [a], "x");
  await run(world, 6_000);
  b.add = add;
  for (const entry of a.entries.values()) b.add(entry);

  const took = await timeUntilDecided(world, [id]);
  assert.ok(took < 1_000, `${took} ms`);
});

test("units that have waited for the other members are decided together when these return", async () => {
  const { world, members } = await startThree(seed(), TOGETHER);
  const [a, ...others] = members;
  world.latencyMs = 20;
  world.savingMs = () => 10;
  await run(world, 2_000);
  for (const member of others) member.stop();
  const units = Array.from({ length: 64 }, (_, i) => world.submit(a, [a], `x${i}`, `caller ${i}`));
  await run(world, 10_000);
  for (const member of others) member.start();

  const took = await timeUntilDecided(
    world,
    units.map(({ id }) => id),
  );
  assert.ok(took < 1_000, `${took} ms`);
});

for (const isFirstUnderList of [true, false])
  test(`a keeper pauses although a member objects again and again to ${isFirstUnderList ? "a decision without a unit" : "a unit"}`, async () => {
    const { world, members } = await startThree(seed(), TOGETHER);
    const [a, b, liar] = members;
    if (isFirstUnderList) for (const member of members) member.lists = [listOf(1, NAMES), listOf(2, NAMES)];
    b.stop();
    liar.receive = (from, message) => {
      if (message.kind !== "promise-request" && message.kind !== "propose") return;
      const isObjection = message.kind === "propose";
      const { ballot } = message;
      const promise: DecisionMessage = {
        kind: "promise",
        ballot: isObjection ? { ...ballot, attempt: ballot.attempt + 1 } : ballot,
        last: { slot: 0, orderKey: null, list: 0 },
        accepted: null,
        notBefore: 0,
        objected: isObjection ? [0] : [],
      };
      world.send(liar.id, from, promise);
    };

    const attempts = new Set<number>();
    world.trace = (from, _, message) => {
      if (from === a.id && message.kind === "propose") attempts.add(message.ballot.attempt);
    };
    if (!isFirstUnderList) world.submit(a, [a], "x");
    await run(world, 25_000);
    assert.ok(attempts.size > 1 && attempts.size < 100, `${attempts.size} attempts`);
  });
