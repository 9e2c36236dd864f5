/** Tests events that arrive ahead of their iterator. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EventQueue } from "../../../client/live/event-queue.js";
import type { ChannelEvent } from "../../../client/live/live-event.js";
import { comingEvents } from "../../../client/shared/coming-events.js";

const OPEN: ChannelEvent = { type: "open", server: "a:1" };

test("who takes events early gets them once the iterator is there, and leaving it ends it", async () => {
  let left = 0;
  const queue = new EventQueue<ChannelEvent>(() => left++);
  let arrive = (_: typeof queue) => {};
  const events = comingEvents(
    new Promise<typeof queue>((resolve) => {
      arrive = resolve;
    }),
  );
  const first = events.next();
  arrive(queue);
  queue.push(OPEN);
  assert.deepEqual(await first, { value: OPEN, done: false });
  assert.deepEqual(await events.return?.(), { value: undefined, done: true });
  assert.equal(left, 1);
  assert.equal(events[Symbol.asyncIterator](), events);
});

test("what keeps it from being made, the taker of the first event is told, and others are not disturbed", async () => {
  const events = comingEvents(Promise.reject(new Error("no key")));
  await new Promise((resolve) => setImmediate(resolve));
  await assert.rejects(events.next(), /no key/);
});
