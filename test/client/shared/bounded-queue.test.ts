import assert from "node:assert/strict";
import { test } from "node:test";
import { BoundedQueue } from "../../../client/shared/bounded-queue.js";
import { SLACK_MS } from "../../../client/shared/connections.js";
import { collectGarbage } from "../../support/garbage.js";
import { nextTurn } from "../../support/until.js";

const item = (name: string, bytes = 1, deadline = 10) => ({ name, bytes, deadline });
const MEBIBYTE = 1024 * 1024;

test("a queue returns its items in the order of arrival, including those that were put back", () => {
  const queue = new BoundedQueue<ReturnType<typeof item>>();
  for (let i = 0; i < 5_000; i++) queue.push(item(String(i)));
  for (let i = 0; i < 3_000; i++) assert.equal(queue.shift()?.name, String(i));
  queue.putBack([item("first")]);
  assert.equal(queue.length, 2_001);
  assert.deepEqual([queue.shift()?.name, queue.shift()?.name], ["first", "3000"]);
});

test("a queue does not reference removed items", async () => {
  const queue = new BoundedQueue<ReturnType<typeof item>>();
  const held = new WeakRef(item("held"));
  queue.push(held.deref() as ReturnType<typeof item>);
  queue.push(item("next"));
  queue.shift();
  // A WeakRef keeps its target alive until the end of the task.
  await nextTurn();
  collectGarbage();
  assert.equal(held.deref(), undefined);
});

test("removing items out of order makes room", () => {
  const queue = new BoundedQueue<ReturnType<typeof item>>();
  queue.push(item("a", 30 * MEBIBYTE));
  queue.push(item("b", 30 * MEBIBYTE));
  assert.equal(queue.hasRoomFor(item("c", 30 * MEBIBYTE)), false);
  assert.deepEqual(
    queue.takeWhere(({ name }) => name === "b").map(({ name }) => name),
    ["b"],
  );
  assert.equal(queue.hasRoomFor(item("c", 30 * MEBIBYTE)), true);
  assert.equal(queue.first?.name, "a");
});

test("expired items at the head leave the queue at once, and later ones at the next search", () => {
  const queue = new BoundedQueue<ReturnType<typeof item>>();
  const expiredAt = (now: number) => queue.takeExpired(now).map(({ name }) => name);
  for (const [name, deadline] of [
    ["a", 10],
    ["b", 20],
    ["c", 500],
    ["d", 30],
  ] as const)
    queue.push(item(name, 1, deadline));

  assert.equal(queue.dueAt, 10 + SLACK_MS);
  assert.deepEqual(expiredAt(9), []);
  assert.deepEqual(expiredAt(10), ["a"]);
  assert.deepEqual(expiredAt(40), ["b"]);
  assert.deepEqual(expiredAt(10 + SLACK_MS), ["d"]);
  assert.equal(queue.dueAt, 500 + SLACK_MS);
  assert.deepEqual(expiredAt(500), ["c"]);
  assert.equal(queue.dueAt, Number.POSITIVE_INFINITY);
});
