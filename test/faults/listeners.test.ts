/**
 * Tests subscribers of three daemon processes, one of which is killed and returns: no subscriber receives a message
 * twice or out of order, and each missing message is covered by a gap.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ChannelEvent, createClient } from "../../client/entry.js";
import { until } from "../daemon/replicas.js";
import { knowsSecret } from "../support/cluster-secret.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";

/** Maximum milliseconds; a busy machine may need a part of it. */
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

/** Collects what one subscriber receives: numbers of messages and gaps. */
async function hear(events: AsyncIterable<ChannelEvent>, told: (number | string)[]): Promise<void> {
  for await (const event of events) {
    if (event.type === "message") told.push(Number(event.text));
    else told.push(event.type === "gap" ? `gap ${event.reason}` : "open");
  }
}

const last = (told: readonly (number | string)[]) => told.findLast((one) => typeof one === "number") ?? -1;

test("messages come once and in order, and none lacks in silence, while the daemon that is listened to dies", async () => {
  // Two subscribers of the daemon that dies (one has the publisher's daemon next in its list), and one that stays
  // connected.
  const clients = [clientOf(0, 1), clientOf(0, 2), clientOf(1)];
  const told: (number | string)[][] = clients.map(() => []);
  const hearing = clients.map((client, place) => hear(client.subscribe("numbers"), told[place] as string[]));
  await using speaker = clientOf(2);
  let number = 0;
  let isOver = false;
  const speaking = (async () => {
    while (!isOver) await speaker.send(`PUBLISH numbers ${number++}`);
  })();
  const allHear = async (what: string) => {
    const since = number;
    await until(what, () => told.every((one) => Number(last(one)) > since));
  };
  await allHear("all hear");
  const [first] = daemons as [DaemonProcess];
  first.kill("SIGKILL");
  await first.ended();
  await until("those that listened to it have moved", () =>
    told
      .slice(0, 2)
      .every((one) => one.includes("gap lost") && one.lastIndexOf("open") > one.indexOf("gap lost")),
  );
  await allHear("all hear without it");
  daemons[0] = await start(ports[0] as number);
  await allHear("all hear with it");
  isOver = true;
  await speaking;
  await until("the last is heard", () => told.every((one) => last(one) === number - 1));
  for (const client of clients) await client.close();
  await Promise.allSettled(hearing);
  for (const one of told) assertWhole(one);
});

/** Checks that numbers are consecutive except after a gap, and never go back. */
function assertWhole(told: readonly (number | string)[]): void {
  let before: number | null = null;
  let isGap = true;
  for (const one of told) {
    if (typeof one === "string") isGap ||= one.startsWith("gap");
    else {
      assert.ok(before === null || one > before, `${one} behind ${before}`);
      assert.ok(isGap || one === (before as number) + 1, `${one} behind ${before}, and no gap`);
      [before, isGap] = [one, false];
    }
  }
}
