/** Tests envelopes that wait for other envelopes: the limits of their number and bytes, and their results. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WaitingEnvelopes } from "../../../../daemon/engine/pipeline/waiting-envelopes.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";

const MIB = 1024 * 1024;

test("a wait returns true once the other envelope is applied, and false when the daemon stops", async () => {
  const waiters = new WaitingEnvelopes(realEnvironment);
  const [applied, stopped] = [waiters.wait("a", "key", 1), waiters.wait("b", "key", 1)];
  waiters.applied("a");
  waiters.stop();
  assert.deepEqual(await Promise.all([applied, stopped]), [true, false]);
});

test("waiting envelopes use a limited number of bytes, even after their connections have closed", async () => {
  const waiters = new WaitingEnvelopes(realEnvironment);
  const waits = [waiters.wait("a", "key", 20 * MIB), waiters.wait("a", "other", 22 * MIB)];
  assert.equal(await waiters.wait("a", "third", 12 * MIB), false);
  waits.push(waiters.wait("a", "third", 10 * MIB));
  waiters.applied("a");
  assert.deepEqual(await Promise.all(waits), [true, true, true]);
  const long = waiters.wait("b", "key", 100 * MIB);
  assert.equal(await waiters.wait("b", "key", 1), false);
  const other = waiters.wait("b", "other", 16 * MIB);
  waiters.applied("b");
  assert.deepEqual(await Promise.all([long, other]), [true, true]);
});

test("no key uses the complete capacity, and each key's share is released", async () => {
  const waiters = new WaitingEnvelopes(realEnvironment);
  const waitOften = (key: string) =>
    Promise.all(Array.from({ length: 1024 }, () => waiters.wait("a", key, 1)));
  for (let round = 0; round < 2; round++) {
    const all = Promise.all([waitOften("greedy"), waitOften("greedy too"), waiters.wait("a", "modest", 1)]);
    waiters.applied("a");
    const [greedy, second, modest] = await all;
    const counts = [greedy, second].map((results) => results.filter(Boolean).length);
    assert.deepEqual([...counts, modest], [512, 256, true]);
  }
});
