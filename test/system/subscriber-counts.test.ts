/**
 * Tests that real daemons count the subscribers of all connected members, while members are killed, cut off, suspended
 * and started again.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { ActiveCluster } from "../support/active-cluster.js";
import { skipUnlessFull } from "../support/amount.js";
import { until } from "../support/until.js";

/** Clients that subscribe at one daemon, and a client that queries it. */
class Clients implements Disposable {
  readonly #port: number;
  readonly #all: Redis[] = [];
  readonly #query: Redis;

  constructor(port: number) {
    this.#port = port;
    this.#query = this.#open();
  }

  #open(): Redis {
    const client = new Redis({ port: this.#port, retryStrategy: () => 50, maxRetriesPerRequest: null });
    client.on("error", () => {});
    this.#all.push(client);
    return client;
  }

  async subscribe(): Promise<void> {
    const client = this.#open();
    await client.subscribe("news");
    await client.ssubscribe("news");
    await client.psubscribe("n*");
  }

  /**
   * Returns all answers about the channel: NUMSUB, SHARDNUMSUB, CHANNELS, SHARDCHANNELS, NUMPAT, PUBLISH and SPUBLISH.
   */
  async answers(): Promise<unknown[]> {
    const pubsub = (...argv: string[]) => this.#query.call("PUBSUB", ...argv) as Promise<unknown[]>;
    return [
      (await pubsub("NUMSUB", "news"))[1],
      (await pubsub("SHARDNUMSUB", "news"))[1],
      ...(await pubsub("CHANNELS", "n*")),
      ...(await pubsub("SHARDCHANNELS")),
      await pubsub("NUMPAT"),
      await this.#query.publish("news", "text"),
      await this.#query.spublish("news", "text"),
    ];
  }

  [Symbol.dispose](): void {
    for (const client of this.#all) client.disconnect();
  }
}

/** The answers if each of `count` clients has subscribed to the channel, the shard channel and the pattern. */
const expected = (count: number): unknown[] =>
  count === 0 ? [0, 0, 0, 0, 0] : [count, count, "news", "news", 1, 2 * count, count];

/** Waits until daemons answer that this number of clients has subscribed. */
async function untilCounted(all: readonly Clients[], count: number, what: string): Promise<void> {
  const areCounted = async () => {
    for (const clients of all) assert.deepEqual(await clients.answers(), expected(count));
    return true;
  };
  await until(`${what}: ${count} subscribers are counted`, areCounted, { mayFail: true });
}

test("two daemons count the subscribers of both, also after one was killed", async () => {
  await using cluster = await ActiveCluster.start(2, { isInMemory: true });
  using one = new Clients(cluster.respPort(0));
  using other = new Clients(cluster.respPort(1));
  await untilCounted([one, other], 0, "at first");
  await one.subscribe();
  await other.subscribe();
  await other.subscribe();
  await untilCounted([one, other], 3, "after subscribing");
  await cluster.end(1, "SIGKILL");
  await untilCounted([one], 1, "without the other daemon");
  await cluster.restart(1);
  // The subscribers connect and subscribe again.
  await untilCounted([one, other], 3, "after the return");
});

test("three daemons count those that are connected: cut off, suspended, killed and back", {
  skip: skipUnlessFull,
}, async () => {
  await using cluster = await ActiveCluster.start(3);
  const clients = cluster.indices.map((index) => new Clients(cluster.respPort(index)));
  const [first, second, third] = clients as [Clients, Clients, Clients];
  try {
    for (const each of clients) await each.subscribe();
    await untilCounted(clients, 3, "after subscribing");

    cluster.areApart = true;
    await untilCounted(clients, 1, "apart");
    await first.subscribe();
    await untilCounted([first], 2, "apart, a subscriber more");
    cluster.areApart = false;
    await untilCounted(clients, 4, "together again");

    // The daemons notice by the silence that nothing arrives.
    for (const index of [0, 1]) cluster.hold(index, 2, true);
    await untilCounted([first, second], 3, "while the third is silent");
    for (const index of [0, 1]) cluster.hold(index, 2, false);
    await untilCounted(clients, 4, "after the silence");

    cluster.hang(1);
    await untilCounted([first, third], 3, "while the second is suspended");
    cluster.resume(1);
    await untilCounted(clients, 4, "after its return");

    await cluster.end(0, "SIGKILL");
    await untilCounted([second, third], 2, "without the first");
    await cluster.restart(0);
    await untilCounted(clients, 4, "with all");
  } finally {
    for (const each of clients) each[Symbol.dispose]();
  }
});
