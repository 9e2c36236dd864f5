/** Tests the queue of events for an iterator: in order, with a limit, and without silent losses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChannelEvent, EventQueue } from "../../../client/live/live-events.js";

const message = (number: number): ChannelEvent => ({ type: "message", channel: "c", text: String(number) });
const texts = (events: readonly ChannelEvent[]) =>
  events.map((event) => (event.type === "message" ? Number(event.text) : event.type));

async function take(queue: EventQueue<ChannelEvent>, count: number): Promise<ChannelEvent[]> {
  const events: ChannelEvent[] = [];
  for (let i = 0; i < count; i++) events.push((await queue.next()).value);
  return events;
}

test("events above the limit are dropped and replaced by one gap", async () => {
  const queue = new EventQueue<ChannelEvent>(() => {});
  for (let number = 0; number < 10_100; number++) queue.push(message(number));
  assert.deepEqual(texts(await take(queue, 2)), [0, 1]);
  queue.push(message(20_000));
  const rest = texts(await take(queue, 10_000));
  assert.deepEqual(rest.slice(-3), [9_999, "gap", 20_000]);
});

test("the queue ends after its events, with or without an error, and reports the end of the iteration", async () => {
  let left = 0;
  const failing = new EventQueue<ChannelEvent>(() => left++);
  failing.push(message(1));
  failing.fail(new Error("over"));
  failing.push(message(2));
  assert.deepEqual(texts(await take(failing, 1)), [1]);
  await assert.rejects(failing.next(), /over/);
  const leaving = new EventQueue<ChannelEvent>(() => left++);
  const waiting = leaving.next();
  for (let i = 0; i < 2; i++) await leaving.return();
  assert.deepEqual(await waiting, { value: undefined, done: true });
  assert.equal(left, 1);
});
