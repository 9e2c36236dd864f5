/**
 * Tests subscribers of three daemon processes, one of which is killed and restarted. No subscriber receives a message
 * twice or out of order, and a gap event reports each missing message.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ChannelEvent, createClient } from "../../client/public-api.js";
import { knowsSecret } from "../support/cluster-secret.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { until } from "../support/until.js";

/** The timeout in milliseconds. It is long because the machine may be busy. */
const CALL_MS = 20_000;

const app = makeKeyPair();
let ports: readonly number[] = [];
let daemons: DaemonProcess[] = [];

const start = (port: number): Promise<DaemonProcess> => {
  const peers = ports.filter((other) => other !== port).flatMap((other) => ["--peer", `127.0.0.1:${other}`]);
  return startDaemon(["-s", app.file, "-p", String(port), ...peers, ...knowsSecret]);
};

before(async () => {
  ports = [await freePort(), await freePort(), await freePort()];
  daemons = await Promise.all(ports.map(start));
});
after(async () => {
  await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
});

const clientOf = (...places: number[]) =>
  createClient({
    servers: places.map((place) => `127.0.0.1:${ports[place]}`),
    key: app.privateKey,
    timeout: CALL_MS,
  });

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
  const clients = [clientOf(0, 1), clientOf(0, 2), clientOf(1)];
  const received: (number | string)[][] = clients.map(() => []);
  const hearing = clients.map((client, place) =>
    collect(client.subscribe("numbers"), received[place] as string[]),
  );
  await using speaker = clientOf(2);
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
  const [first] = daemons as [DaemonProcess];
  first.kill("SIGKILL");
  await first.ended();
  await until("the subscribers of the killed daemon have moved to another daemon", () =>
    received
      .slice(0, 2)
      .every((one) => one.includes("gap lost") && one.lastIndexOf("open") > one.indexOf("gap lost")),
  );
  await allReceive("all subscribers receive messages without the killed daemon");
  daemons[0] = await start(ports[0] as number);
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
