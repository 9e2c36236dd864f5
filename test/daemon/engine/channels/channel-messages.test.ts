/**
 * Tests that a message on a channel of one of three daemons reaches all of them once, and that forged messages do not.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createClient } from "../../../../client/public-api.js";
import { readClusterSecret } from "../../../../keys/cluster-secret-file.js";
import { writeEntries } from "../../../../protocol/members/member-elements.js";
import { integer, type Reply } from "../../../../protocol/reply.js";
import { secretFile } from "../../../support/cluster-secret.js";
import {
  EnvelopeClient,
  makeKeyPair,
  type SignedEnvelope,
  signCommands,
} from "../../../support/envelope-client.js";
import { RawClient } from "../../../support/raw-client.js";
import { RedisConnection } from "../../../support/redis-connection.js";
import { until } from "../../../support/until.js";
import { FalseMember } from "../../program/false-member.js";
import { type Replicas, type RunningReplica, startReplicas } from "../../program/replicas.js";

const app = makeKeyPair("rsa");
const limited = makeKeyPair();
const NAMES = ["one", "two", "three"] as const;

let replicas: Replicas;
before(async () => {
  replicas = await startReplicas(NAMES.length, ["-s", app.file, "--resp", "0", "--v1", "gateway"]);
  await until("each daemon is connected to the others", async () => {
    const counts = await Promise.all(replicas.map(async ({ port }) => (await helloOf(port)).members));
    return counts.every((members) => members === 2);
  });
  await untilConnected();
});
after(async () => await replicas?.[Symbol.asyncDispose]());

const at = (index: number) => replicas[index] as RunningReplica;
const respPort = ({ daemon }: RunningReplica) => daemon.addressOf("resp")?.port ?? 0;
const publishing = (port: number) => RedisConnection.open(port);

async function helloOf(port: number) {
  using client = await EnvelopeClient.open(port, app);
  return await client.hello();
}

/** A subscriber with all messages that it has received. */
class TestSubscriber implements Disposable {
  readonly #client: RawClient;
  #received = "";

  private constructor(client: RawClient) {
    this.#client = client;
  }

  static async open(daemon: RunningReplica, channel: string): Promise<TestSubscriber> {
    const client = await RawClient.open(respPort(daemon));
    client.send(`SUBSCRIBE ${channel}\r\n`);
    await client.read(`*3\r\n$9\r\nsubscribe\r\n$${channel.length}\r\n${channel}\r\n:1\r\n`.length);
    return new TestSubscriber(client);
  }

  get hasReceived(): boolean {
    return this.#client.received !== "";
  }

  /** Waits for the message `last`. @returns the messages up to it */
  async until(last: string): Promise<readonly string[]> {
    while (!this.#received.endsWith(`\r\n${last}\r\n`)) {
      const more = await this.#client.read(1);
      assert.notEqual(more, "", "the daemon has closed the connection");
      this.#received += more;
    }
    const messages = [...this.#received.matchAll(/message\r\n\$\d+\r\n[^\r]*\r\n\$\d+\r\n([^\r]*)\r\n/g)];
    return messages.map(([, text]) => text as string);
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

/** Waits until each daemon forwards messages to all daemons. Daemons that have just connected may not do this yet. */
async function untilConnected(): Promise<void> {
  for (const daemon of replicas) {
    const channel = `from ${daemon.port}`.replace(" ", "-");
    const all = await subscribers(channel);
    using publisher = await publishing(respPort(daemon));
    await until("all subscribers receive it", async () => {
      await publisher.call("PUBLISH", channel, "text");
      return all.every(({ hasReceived }) => hasReceived);
    });
    for (const subscriber of all) subscriber[Symbol.dispose]();
  }
}

const subscribers = (channel: string) =>
  Promise.all(replicas.map((daemon) => TestSubscriber.open(daemon, channel)));

/** Waits until every daemon counts this number of subscribers of a channel. */
async function untilCounted(channel: string, count: number): Promise<void> {
  for (const daemon of replicas) {
    using client = await publishing(respPort(daemon));
    await until(`all subscribers of ${channel} are counted`, async () => {
      const counted = await client.call("PUBSUB", "NUMSUB", channel);
      return counted.kind === "array" && Number(plain(counted.items[1])) === count;
    });
  }
}

const plain = (reply: Reply | undefined) => (reply?.kind === "integer" ? reply.value : null);

test("a Redis client's message is received by each subscriber of each daemon, once and in order", async () => {
  const all = await subscribers("news");
  await untilCounted("news", 3);
  using publisher = await publishing(respPort(at(0)));
  const texts = Array.from({ length: 50 }, (_, number) => `message ${number}`);
  for (const text of texts) assert.deepEqual(await publisher.call("PUBLISH", "news", text), integer(3));
  for (const subscriber of all) assert.deepEqual(await subscriber.until("message 49"), texts);
  for (const subscriber of all) subscriber[Symbol.dispose]();
  // No message is recorded; the only entries are the daemons' own keys.
  for (const daemon of replicas) {
    using client = await EnvelopeClient.open(daemon.port, app);
    assert.deepEqual(await client.replies([["DBSIZE"]]), [integer(0)]);
  }
});

test("a signed message is received once everywhere, whether it is sent to one daemon or to all", async () => {
  const all = await subscribers("signed");
  await untilCounted("signed", 3);
  const options = { key: app.privateKey, cluster: at(0).daemon.cluster ?? "" };
  await using one = createClient({ ...options, servers: [`127.0.0.1:${at(1).port}`] });
  await using every = createClient({ ...options, servers: replicas.map(({ port }) => `127.0.0.1:${port}`) });

  assert.equal(await one.call("PUBLISH signed first"), 3);
  assert.equal(await every.call(["PUBLISH", "signed", "second"], { policy: "all" }), 3);

  // The message is sent together with a write, which is recorded. The two are independent.
  const [written, received] = await Promise.all([
    every.call("SET beside 1"),
    every.call("PUBLISH signed third"),
  ]);
  assert.deepEqual([written, received], ["OK", 3]);

  assert.equal(await one.call("PUBLISH signed last"), 3);
  for (const subscriber of all) {
    const texts = await subscriber.until("last");
    assert.deepEqual(texts.slice().sort(), ["first", "last", "second", "third"]);
    subscriber[Symbol.dispose]();
  }
});

test("an envelope of messages is published once, and a repetition is answered with the current number of subscribers", async () => {
  using subscriber = await TestSubscriber.open(at(2), "again");
  await untilCounted("again", 1);
  using near = await EnvelopeClient.open(at(2).port, app);
  using far = await EnvelopeClient.open(at(0).port, app);

  const envelope = far.sign([
    ["PUBLISH", "again", "once"],
    ["SPUBLISH", "again", "shard"],
  ]);
  const first = await far.exchange(envelope.frame);
  assert.ok(first.kind === "result");
  assert.deepEqual(first.replies, [integer(1), integer(0)], "subscribers of all daemons count");
  assert.deepEqual(await subscriber.until("once"), ["once"]);

  const again = await near.exchange(envelope.frame);
  assert.ok(again.kind === "result");
  assert.deepEqual(again.replies, [integer(1), integer(0)]);
  assert.deepEqual(await near.replies([["PUBLISH", "again", "last"]]), [integer(1)]);
  assert.deepEqual(await subscriber.until("last"), ["once", "last"]);
});

test("messages are accepted only in envelopes without other commands, and are never part of recorded units", async () => {
  using client = await EnvelopeClient.open(at(0).port, app);
  const alone = /^ERR PUBLISH may share an envelope only with PUBLISH and SPUBLISH/;
  for (const [commands, header] of [
    [
      [
        ["SET", "k", "v"],
        ["PUBLISH", "c", "t"],
      ],
      {},
    ],
    [
      [
        ["GET", "k"],
        ["PUBLISH", "c", "t"],
      ],
      {},
    ],
    [[["PUBLISH", "c", "t"]], { multi: true }],
  ] as const) {
    const replies = await client.replies(commands, header);
    const last = replies.at(-1);
    const failed = last?.kind === "array" ? last.items.at(-1) : last;
    assert.ok(failed?.kind === "error" && alone.test(failed.text), JSON.stringify(replies));
  }
});

test("a message for one daemon stays on that daemon", async () => {
  const [local, remote] = [
    await TestSubscriber.open(at(0), "only"),
    await TestSubscriber.open(at(1), "only"),
  ];
  await untilCounted("only", 2);
  using client = await EnvelopeClient.open(at(0).port, app);
  const { daemon } = await client.hello();
  assert.deepEqual(await client.replies([["PUBLISH", "only", "here"]], { only: daemon }), [integer(1)]);
  assert.deepEqual(await client.replies([["PUBLISH", "only", "last"]]), [integer(2)]);
  assert.deepEqual(await local.until("last"), ["here", "last"]);
  assert.deepEqual(await remote.until("last"), ["last"]);
  local[Symbol.dispose]();
  remote[Symbol.dispose]();
});

test("messages of version 1 are sent to the members as well", async () => {
  const all = await subscribers("version-1");
  await untilCounted("version-1", 3);
  await using client = createClient({
    key: app.privateKey,
    servers: `127.0.0.1:${at(0).port}`,
    versions: "1",
  });
  assert.equal(await client.send("PUBLISH version-1 last"), "3");
  for (const subscriber of all) {
    assert.deepEqual(await subscriber.until("last"), ["last"]);
    subscriber[Symbol.dispose]();
  }
});

test("forged messages of a member are ignored, and a member that continues is disconnected", async () => {
  using subscriber = await TestSubscriber.open(at(0), "lies");
  const cluster = (await helloOf(at(0).port)).cluster;
  using administrator = await EnvelopeClient.open(at(0).port, app);
  using member = new FalseMember(at(0).port);
  assert.equal(await member.enter(cluster, readClusterSecret(secretFile).secret), null);
  await member.hears("status");

  const send = (envelope: SignedEnvelope, number: number) =>
    member.send({ kind: "speak", number, entries: writeEntries([envelope]) });
  const signed = (text: string, header = {}, pair = app) =>
    signCommands(pair, [["PUBLISH", "lies", text]], { cluster, ...header });

  const good = signed("accepted");
  const ownKey = { privateKey: member.identity.key, id: member.identity.id };
  let number = 1;
  for (const envelope of [
    // This envelope has the signature of another envelope.
    { ...signed("forged"), signature: signed("other").signature },
    // The member's own key, which no administrator has authorized.
    signCommands(ownKey, [["PUBLISH", "lies", "own"]], { cluster }),
    signed("late", { at: Date.now() - 31_000 }),
    signed("early", { at: Date.now() + 60_000 }),
    signed("elsewhere", { cluster: "x".repeat(32) }),
    signCommands(app, [["SET", "lies", "written"]], { cluster }),
    signCommands(
      app,
      [
        ["PUBLISH", "lies", "beside"],
        ["SET", "lies", "written"],
      ],
      { cluster },
    ),
    signed("unknown", {}, limited),
    good,
    good,
    signed("as", { as: "somebody" }),
  ]) {
    send(envelope, number++);
  }

  send(signed("last"), number++);
  assert.deepEqual(await subscriber.until("last"), ["accepted", "last"]);
  assert.deepEqual(await administrator.replies([["EXISTS", "lies"]]), [integer(0)]);

  for (let lies = 0; lies < 100; lies++)
    send({ ...signed(`lie ${lies}`), signature: Buffer.alloc(64, 1) }, number++);
  assert.equal((await member.hears("bye"))?.code, "too-many-refused");
  assert.equal(at(0).daemon.health.state, "live");
});

test("a daemon that dies does not block the remaining daemons", async () => {
  const here = await TestSubscriber.open(at(1), "away");
  using publisher = await publishing(respPort(at(0)));
  await at(2).daemon.stop();
  for (const text of ["a", "b", "last"]) await publisher.call("PUBLISH", "away", text);
  assert.deepEqual(await here.until("last"), ["a", "b", "last"]);
  here[Symbol.dispose]();
});
