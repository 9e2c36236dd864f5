/** Tests envelopes that wait for other envelopes: their maximal number, and that each is notified once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Waiters } from "../../../engine/pipeline/waiters.js";
import { realEnvironment } from "../../../net/process/environment.js";

const MIB = 1024 * 1024;

test("who waits is told when the other was applied, or that nobody waits any longer", async () => {
  const waiters = new Waiters(realEnvironment);
  const [came, stopped] = [waiters.wait("a", "key", 1), waiters.wait("b", "key", 1)];
  waiters.applied("a");
  waiters.stop();
  assert.deepEqual(await Promise.all([came, stopped]), [true, false]);
});

test("those that wait hold a bounded number of bytes, though their connections may have gone", async () => {
  const waiters = new Waiters(realEnvironment);
  const taken = [waiters.wait("a", "key", 20 * MIB), waiters.wait("a", "other", 22 * MIB)];
  assert.equal(await waiters.wait("a", "third", 12 * MIB), false);
  taken.push(waiters.wait("a", "third", 10 * MIB));
  waiters.applied("a");
  assert.deepEqual(await Promise.all(taken), [true, true, true]);
  const long = waiters.wait("b", "key", 100 * MIB);
  assert.equal(await waiters.wait("b", "key", 1), false);
  const other = waiters.wait("b", "other", 16 * MIB);
  waiters.applied("b");
  assert.deepEqual(await Promise.all([long, other]), [true, true]);
});

test("no key takes up all places, and each has its own back", async () => {
  const waiters = new Waiters(realEnvironment);
  const waitOften = (key: string) =>
    Promise.all(Array.from({ length: 1024 }, () => waiters.wait("a", key, 1)));
  for (let round = 0; round < 2; round++) {
    const all = Promise.all([waitOften("greedy"), waitOften("greedy too"), waiters.wait("a", "modest", 1)]);
    waiters.applied("a");
    const [greedy, second, modest] = await all;
    const places = [greedy, second].map((came) => came.filter(Boolean).length);
    assert.deepEqual([...places, modest], [512, 256, true]);
  }
});
