/**
 * Tests subscribers of three daemon processes, one of which is killed and restarted. No subscriber receives a message
 * twice or out of order, and a gap event reports each missing message.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ChannelEvent } from "../../client/public-api.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";

let trio: Trio;
before(async () => {
  trio = await Trio.make([], 3, { isInMemory: true });
  await trio.startAll();
});
after(async () => await trio[Symbol.asyncDispose]());

/** Collects the events of one subscriber: the numbers of messages, and other events as text. */
async function collect(events: AsyncIterable<ChannelEvent>, received: (number | string)[]): Promise<void> {
  for await (const event of events) {
    if (event.type === "message") received.push(Number(event.text));
    else received.push(event.type === "gap" ? `gap ${event.reason}` : "open");
  }
}

const last = (received: readonly (number | string)[]) =>
  received.findLast((event) => typeof event === "number") ?? -1;

test("subscribers receive each message once and in order, or a gap event, when their daemon is killed", async () => {
  // Two subscribers use the daemon that is killed, and one uses another daemon. The next server in the second
  // subscriber's list is the publisher's daemon.
  const clients = [trio.client([0, 1]), trio.client([0, 2]), trio.client([1])];
  const received: (number | string)[][] = clients.map(() => []);
  const hearing = clients.map((client, place) =>
    collect(client.subscribe("numbers"), received[place] as string[]),
  );

  await using speaker = trio.client([2]);
  let number = 0;
  let isOver = false;
  const speaking = (async () => {
    while (!isOver) await speaker.send(`PUBLISH numbers ${number++}`);
  })();

  const allReceive = async (what: string) => {
    const since = number;
    await until(what, () => received.every((one) => Number(last(one)) > since));
  };

  await allReceive("all subscribers receive messages");
  await trio.end(0, "SIGKILL");
  await until("the subscribers of the killed daemon have moved to another daemon", () =>
    received
      .slice(0, 2)
      .every((one) => one.includes("gap lost") && one.lastIndexOf("open") > one.indexOf("gap lost")),
  );
  await allReceive("all subscribers receive messages without the killed daemon");

  await trio.start(0);
  await allReceive("all subscribers receive messages again");

  isOver = true;
  await speaking;
  await until("the last message has arrived", () => received.every((one) => last(one) === number - 1));

  for (const client of clients) await client.close();
  await Promise.allSettled(hearing);
  for (const events of received) assertNoSilentGap(events);
});

/** Checks that the numbers are ascending, and consecutive except after a gap event. */
function assertNoSilentGap(received: readonly (number | string)[]): void {
  let before: number | null = null;
  let isGap = true;
  for (const event of received) {
    if (typeof event === "string") isGap ||= event.startsWith("gap");
    else {
      assert.ok(before === null || event > before, `${event} after ${before}`);
      assert.ok(isGap || event === (before as number) + 1, `${event} after ${before}, without a gap event`);
      [before, isGap] = [event, false];
    }
  }
}
