/** Envelopes that wait for others: how many may, and that each is told once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Waiters } from "../../daemon/waiters.js";

const MIB = 1024 * 1024;

test("who waits is told when the other was applied, or that nobody waits any longer", async () => {
  const waiters = new Waiters();
  const [came, stopped] = [waiters.wait("a", 1), waiters.wait("b", 1)];
  waiters.applied("a");
  waiters.stop();
  assert.deepEqual(await Promise.all([came, stopped]), [true, false]);
});

test("those that wait hold a bounded number of bytes, though their connections may have gone", async () => {
  const waiters = new Waiters();
  const first = waiters.wait("a", 60 * MIB);
  assert.equal(await waiters.wait("a", 5 * MIB), false);
  const second = waiters.wait("a", 4 * MIB);
  waiters.applied("a");
  assert.deepEqual(await Promise.all([first, second]), [true, true]);
  const alone = waiters.wait("b", 100 * MIB);
  waiters.applied("b");
  assert.equal(await alone, true);
});
