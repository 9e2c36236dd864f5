/** Tests subscriptions that daemons refuse after their hello, and subscriptions whose signatures take long. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChannelEvent, EventQueue } from "../../../client/live/live-events.js";
import { nextTurn } from "../../support/until.js";
import { channel, Listened } from "./listened.js";

/** Waits for all steps that need no timer. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await nextTurn();
}

const queueOf = ({ live }: Listened): EventQueue<ChannelEvent> => {
  const queue: EventQueue<ChannelEvent> = new EventQueue<ChannelEvent>(() => live.forget(queue));
  return queue;
};

test("if all daemons refuse a subscription, the client tries each once per round, with one gap", async () => {
  const world = new Listened("one,two");
  const queue = queueOf(world);
  world.refusal = "unknown-key";
  world.live.listen(channel("news"), queue);
  await settle();
  assert.equal(world.connections, 2);
  const first = await queue.next();
  assert.ok(first.value.type === "gap" && /unknown-key/.test(first.value.detail), JSON.stringify(first));

  world.clock.advance(60);
  await settle();
  assert.equal(world.connections, 4);

  world.refusal = null;
  world.clock.advance(2_000);
  await settle();
  assert.equal((await queue.next()).value.type, "open", "no further gap precedes it");
  world.live.close();
});

test("requests are sent in their order, however long each signature takes", async () => {
  const world = new Listened("one");
  const first = queueOf(world);
  world.live.listen(channel("kept"), queueOf(world));
  world.live.listen(channel("news"), first);
  await settle();

  const late: (() => void)[] = [];
  world.sealing = late;
  await first.return();
  const second = queueOf(world);
  world.live.listen(channel("other"), queueOf(world));
  world.live.listen(channel("news"), second);
  await settle();

  for (const seal of late.splice(0).reverse()) {
    seal();
    await settle();
  }

  const words = world.asked.flatMap(({ commands }) => commands.map((argv) => argv.join(" ")));
  assert.deepEqual(words, [
    ...["SUBSCRIBE kept", "SUBSCRIBE news"],
    ...["UNSUBSCRIBE news", "SUBSCRIBE other", "SUBSCRIBE news"],
  ]);
  world.live.close();
});
