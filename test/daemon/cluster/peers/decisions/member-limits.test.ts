/** Tests how much one member can disturb the decisions of the others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  MessageLimit,
  Objectors,
  Turns,
} from "../../../../../daemon/cluster/peers/decisions/member-limits.js";

test("a member's turns become rarer, and decisions make them more frequent again", () => {
  const turns = new Turns();
  let now = 0;
  const pauseOf = (member: string): number => {
    turns.begin(member, now, true);
    const since = now;
    while (!turns.mayBegin(member, now)) now += 500;
    return now - since;
  };

  assert.ok(turns.mayBegin("a", now));
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => pauseOf("a")),
    [2_000, 4_000, 8_000, 16_000, 16_000],
  );
  assert.deepEqual(turns.vain(now), ["a"]);

  turns.decided("a", true);
  assert.deepEqual(turns.vain(now), []);
  assert.equal(pauseOf("a"), 16_000);
  for (let decision = 0; decision < 20; decision++) turns.decided("a", true);
  assert.equal(pauseOf("a"), 2_000);
  assert.equal(pauseOf("b"), 2_000, "the turns of another member");

  for (let turn = 0; turn < 4; turn++) pauseOf("a");
  for (let decision = 0; decision < 20; decision++) turns.decided("a", false);
  assert.deepEqual(turns.vain(now), [], "it has decided units");
  assert.equal(pauseOf("a"), 16_000, "but not one that waits for long");

  now += 120_000;
  assert.equal(pauseOf("a"), 2_000, "after a long time");

  for (let turn = 0; turn < 10; turn++) turns.begin("c", now, false);
  assert.deepEqual(turns.vain(now), [], "no member could have decided");
});

test("a member that prevents three attempts alone is left out for a minute", () => {
  const objectors = new Objectors();
  for (const found of [["a", "b"], [], ["a"], ["a"]]) objectors.prevented(found, 0);
  assert.deepEqual(objectors.all(0), []);
  objectors.prevented(["a"], 59_999);
  assert.deepEqual(objectors.all(59_999), ["a"]);
  assert.ok(!objectors.has("b", 59_999));
  assert.deepEqual(objectors.all(60_000), []);
  objectors.prevented(["a"], 60_000);
  assert.deepEqual(objectors.all(60_000), []);
});

test("the limit of a member's messages is raised by decisions, and counts each second and member alone", () => {
  const limit = new MessageLimit();
  const admitted = (member: string, now: number): number =>
    Array.from({ length: 1_000 }, () => limit.admits(member, now)).filter(Boolean).length;
  assert.equal(admitted("a", 1_000), 64);
  assert.equal(admitted("b", 1_999), 64);
  limit.decided(1);
  assert.equal(admitted("c", 1_999), 68);
  assert.equal(admitted("a", 2_000), 64);
  const proposals = Array.from({ length: 100 }, () => limit.admits("d", 2_000, 64)).filter(Boolean);
  assert.equal(proposals.length, 8, "a proposal with 64 decisions counts as 8 messages");
  assert.ok(limit.admits("e", 2_000, 8) && limit.admits("e", 2_000, 0));
  limit.decided(64);
  assert.equal(admitted("f", 2_000), 96, "64 decisions count as 8 messages, too");
});
