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
