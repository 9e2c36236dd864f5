/** Tests iterators that are used before their source is ready. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChannelEvent, EventQueue } from "../../client/live/live-events.js";
import { deferredEvents } from "../../client/outbox-client.js";
import { nextTurn } from "../support/until.js";

const OPEN: ChannelEvent = { type: "open", server: "a:1" };

test("an early `next` resolves once the source is ready, and ending the iteration ends the source", async () => {
  let left = 0;
  const queue = new EventQueue<ChannelEvent>(() => left++);
  let arrive = (_: typeof queue) => {};
  const events = deferredEvents(
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

test("if the source fails, the first `next` rejects, and other iterators are not affected", async () => {
  const events = deferredEvents(Promise.reject(new Error("no key")));
  await nextTurn();
  await assert.rejects(events.next(), /no key/);
});
