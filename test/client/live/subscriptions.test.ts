/** Tests iterators of `subscribe` with three real daemons: events, failover and gaps. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type ChannelEvent,
  type Client,
  createClient,
  type DbsyncError,
} from "../../../client/public-api.js";
import {
  type Replicas,
  type RunningReplica,
  startReplica,
  startReplicas,
} from "../../daemon/program/replicas.js";
import { EnvelopeClient, makeKeyPair } from "../../support/envelope-client.js";
import { freePort, refusingAddress } from "../../support/free-port.js";
import { until } from "../../support/until.js";

const app = makeKeyPair();
const limited = makeKeyPair();
const root = makeKeyPair();

let replicas: Replicas;
before(async () => {
  replicas = await startReplicas(3, ["-s", app.file, "--root-key", root.file]);
  await until("all daemons are connected", async () => {
    for (const { port } of replicas) {
      using client = await EnvelopeClient.open(port, app);
      if ((await client.hello()).members !== 2) return false;
    }
    return true;
  });
});
after(async () => await replicas?.[Symbol.asyncDispose]());

const serverOf = ({ port }: RunningReplica) => `127.0.0.1:${port}`;
const clientOf = (servers: readonly RunningReplica[], key = app): Client =>
  createClient({ servers: servers.map(serverOf), key: key.privateKey, timeout: 10_000 });

async function next<Event>(iterator: AsyncIterator<Event>): Promise<Event> {
  const { value, done } = await iterator.next();
  assert.ok(!done, "the iterator has ended");
  return value;
}

/** Returns the next event. Skips gap events about the daemons' own connections, which occur while daemons start. */
async function nextPastMembers(iterator: AsyncIterator<ChannelEvent>): Promise<ChannelEvent> {
  for (;;) {
    const event = await next(iterator);
    if (event.type !== "gap" || event.reason !== "members") return event;
  }
}

test("a client receives all messages from one daemon, and reports a gap before it uses another", async () => {
  const [first, second] = [...replicas] as [RunningReplica, RunningReplica];
  await using client = clientOf([first, second]);
  await using speaker = clientOf([second]);

  const news = client.subscribe("news");
  const all = client.subscribe({ pattern: "ne*" });
  assert.deepEqual(await nextPastMembers(news), { type: "open", server: serverOf(first) });
  assert.equal((await nextPastMembers(all)).type, "open");

  // Connected daemons may not have announced yet that they accept channel messages.
  let isHeard = false;
  const speaking = until("the first daemon receives messages from the second", async () => {
    await speaker.send("PUBLISH news hello");
    return isHeard;
  });
  assert.deepEqual(await untilText(news, "hello"), { type: "message", channel: "news", text: "hello" });
  isHeard = true;
  await speaking;
  assert.deepEqual(await untilText(all, "hello"), {
    type: "message",
    pattern: "ne*",
    channel: "news",
    text: "hello",
  });

  await first.daemon.stop();
  const gap = await untilGap(news);
  assert.ok(
    gap.type === "gap" && gap.reason === "lost" && gap.server === serverOf(first),
    JSON.stringify(gap),
  );
  assert.deepEqual(await nextPastMembers(news), { type: "open", server: serverOf(second) });
  assert.equal((await untilGap(all)).type, "gap");
  assert.equal((await nextPastMembers(all)).type, "open");

  await speaker.send("PUBLISH news again");
  assert.deepEqual(await nextPastMembers(news), { type: "message", channel: "news", text: "again" });

  await news.return?.();
  assert.equal((await news.next()).done, true);
  await speaker.send("PUBLISH news last");
  assert.deepEqual(await untilText(all, "last"), {
    type: "message",
    pattern: "ne*",
    channel: "news",
    text: "last",
  });
});

async function untilGap(iterator: AsyncIterator<ChannelEvent>): Promise<ChannelEvent> {
  for (;;) {
    const event = await nextPastMembers(iterator);
    if (event.type === "gap") return event;
  }
}

async function untilText(iterator: AsyncIterator<ChannelEvent>, text: string): Promise<ChannelEvent> {
  for (;;) {
    const event = await next(iterator);
    if (event.type === "message" && event.text === text) return event;
  }
}

test("a key can subscribe to the channels that its rules permit, until the rules change", async () => {
  const [, second] = [...replicas] as [RunningReplica, RunningReplica];
  await using administrator = clientOf([second], root);
  const spki = limited.pem.replace(/-----[^-]+-----|\n/g, "");
  const id = await administrator.call(["KEY", "ADD", spki, "RULES", "+subscribe +publish &own"]);
  await using client = clientOf([second], limited);
  await assert.rejects(client.subscribe("news").next(), (error: DbsyncError) =>
    /NOPERM.*news/.test(error.message),
  );

  const own = client.subscribe("own");
  assert.equal((await nextPastMembers(own)).type, "open");
  await client.send("PUBLISH own heard");
  assert.deepEqual(await nextPastMembers(own), { type: "message", channel: "own", text: "heard" });

  await administrator.call(["KEY", "RULES", String(id), "+subscribe", "+publish"]);
  await administrator.send("PUBLISH own more");
  const gap = await nextPastMembers(own);
  assert.ok(gap.type === "gap" && /no-longer-permitted/.test(gap.detail), JSON.stringify(gap));
  await assert.rejects(nextPastMembers(own), /NOPERM/);
});

test("bytes arrive unchanged if the caller asks for Buffers", async () => {
  const [, , third] = [...replicas] as [RunningReplica, RunningReplica, RunningReplica];
  await using client = clientOf([third]);
  const shard = client.subscribe({ shard: "s" }, { buffers: true });
  assert.equal((await nextPastMembers(shard)).type, "open");
  const bytes = Buffer.from([0, 13, 10, 255]);
  assert.equal(await client.call(["SPUBLISH", "s", bytes]), 1);
  assert.deepEqual(await nextPastMembers(shard), { type: "message", channel: "s", text: bytes });
});

test("a client without a key receives an error if the daemon needs one, and closing a client ends its iterators", async () => {
  const [, , third] = [...replicas] as [RunningReplica, RunningReplica, RunningReplica];
  await using unsigned = createClient({ servers: serverOf(third), key: false });
  await assert.rejects(
    unsigned.subscribe("news").next(),
    /This daemon accepts only signed commands\. Specify the private key/,
  );
  const client = clientOf([third]);
  const news = client.subscribe("news");
  assert.equal((await nextPastMembers(news)).type, "open");
  const waiting = news.next();
  await client.close();
  await assert.rejects(waiting, /closed/);
});

test("while no daemon is reachable, the client reports only one gap", async () => {
  const port = await freePort();
  await using client = createClient({ servers: `127.0.0.1:${port}`, key: app.privateKey });
  const news = client.subscribe("news");
  const gap = await next(news);
  assert.ok(
    gap.type === "gap" && gap.reason === "lost" && /ECONNREFUSED/.test(gap.detail),
    JSON.stringify(gap),
  );
  await using daemon = await startReplica({ args: ["-s", app.file, "-p", String(port)] });
  assert.deepEqual(await next(news), { type: "open", server: serverOf(daemon) });
});

test("a daemon in front of a Redis is skipped and reported", async () => {
  await using unlistened = await startReplica({
    args: ["-s", app.file, "-d", `redis://${await refusingAddress()}`],
  });
  await using client = clientOf([unlistened]);
  const gap = await next(client.subscribe("news"));
  assert.ok(gap.type === "gap" && /sends no events/.test(gap.detail), JSON.stringify(gap));
});
