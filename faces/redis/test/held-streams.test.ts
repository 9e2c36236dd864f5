/** Tests that followers of streams receive entries only when other daemons have closed their dates. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterNode } from "../../../daemon/cluster/node/cluster-node.js";
import type { ClosedDates } from "../../../daemon/engine/backends/command-path.js";
import { RedisConnection, type RedisValue } from "../../../test/support/redis-connection.js";
import { until } from "../../../test/support/until.js";
import { startHeld, turns } from "./held-scene.js";

/** The dates of other daemons, which a test closes. */
class OtherDaemons implements ClosedDates {
  /** The dates that were requested, in order. */
  readonly requested: number[] = [];
  to = 0;
  readonly #newest: () => number;
  #waiting: { readonly at: number; readonly done: () => void }[] = [];

  constructor(newest: () => number) {
    this.#newest = newest;
  }

  get newest(): number {
    return this.#newest();
  }

  closedTo(): number {
    return this.to;
  }

  close(at: number, done: () => void): void {
    this.requested.push(at);
    this.#waiting.push({ at, done });
  }

  /** Closes the dates up to `to`. */
  answer(to: number): void {
    this.to = to;
    const answered = this.#waiting.filter(({ at }) => at <= to);
    this.#waiting = this.#waiting.filter(({ at }) => at > to);
    for (const { done } of answered) done();
  }
}

interface Scene extends AsyncDisposable {
  readonly node: ClusterNode;
  readonly others: OtherDaemons;
  readonly open: () => Promise<RedisConnection>;
  /** Adds an entry with a new date. @returns the date */
  readonly add: (client: RedisConnection, value: string) => Promise<number>;
}

async function startScene(): Promise<Scene> {
  const scene = await startHeld();
  scene.storage.release();
  const { timeline, backend } = scene.node;
  const others = new OtherDaemons(() => timeline.newest.at);
  backend.closedDates = others;

  const clients: RedisConnection[] = [];
  return {
    others,
    node: scene.node,
    async open() {
      const client = await RedisConnection.open(scene.port);
      clients.push(client);
      return client;
    },
    async add(client, value) {
      const before = timeline.newest.at;
      await until("the clock advances", () => Date.now() > before);
      return Number.parseInt(String(await client.value("XADD", "s", "*", "f", value)), 10);
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client[Symbol.dispose]();
      await scene[Symbol.asyncDispose]();
    },
  };
}

/** Returns the values in a reply to XREAD. */
function valuesIn(reply: RedisValue): string[] {
  const [stream] = (reply ?? []) as [[string, [string, string[]][]]?];
  return (stream?.[1] ?? []).map(([, fields]) => fields[1] as string);
}

test("a waiting follower receives an entry when its date is closed, and not the next one", async () => {
  await using scene = await startScene();
  const { others, open, add } = scene;
  const [writer, follower] = [await open(), await open()];
  const reply = follower.value("XREAD", "BLOCK", 0, "STREAMS", "s", 0);
  await turns();
  const first = await add(writer, "one");
  await until("its date is requested", () => others.requested.length > 0);
  const second = await add(writer, "two");
  await until("the date of the next one is requested without waiting", () => others.requested.length > 1);
  assert.deepEqual(others.requested, [first, second]);

  others.answer(first);
  assert.deepEqual(valuesIn(await reply), ["one"]);

  const next = follower.value("XREAD", "BLOCK", 0, "STREAMS", "s", `${first}-9223372036854775807`);
  await turns();
  others.answer(second);
  assert.deepEqual(valuesIn(await next), ["two"]);
});

test("many followers of a stream request a date once", async () => {
  await using scene = await startScene();
  const { others, open, add } = scene;
  const writer = await open();
  const followers = await Promise.all(Array.from({ length: 20 }, open));
  const replies = followers.map((follower) => follower.value("XREAD", "BLOCK", 0, "STREAMS", "s", 0));
  await turns();
  const at = await add(writer, "one");
  await until("its date is requested", () => others.requested.length > 0);
  others.answer(at);
  for (const reply of replies) assert.deepEqual(valuesIn(await reply), ["one"]);
  assert.deepEqual(others.requested, [at]);
});

test("a follower whose entries are held back ends in time, and misses nothing", async () => {
  await using scene = await startScene();
  const { others, open, add } = scene;
  const [writer, follower] = [await open(), await open()];
  const at = await add(writer, "one");
  assert.equal(await follower.value("XREAD", "BLOCK", 20, "STREAMS", "s", 0), null);
  assert.deepEqual(others.requested, [at]);
  others.answer(at);
  assert.deepEqual(valuesIn(await follower.value("XREAD", "BLOCK", 20, "STREAMS", "s", 0)), ["one"]);
});

test("a read without BLOCK waits too, except for the entry that its connection has just added", async () => {
  await using scene = await startScene();
  const { others, open, add } = scene;
  const [writer, reader] = [await open(), await open()];
  const at = await add(writer, "one");
  assert.deepEqual(valuesIn(await writer.value("XREAD", "STREAMS", "s", 0)), ["one"]);
  assert.deepEqual(others.requested, []);
  const reply = reader.value("XREAD", "STREAMS", "s", 0);
  await until("its date is requested", () => others.requested.length > 0);
  others.answer(at);
  assert.deepEqual(valuesIn(await reply), ["one"]);
  assert.equal(await reader.value("XREAD", "STREAMS", "s", "$"), null);
});

test("no other command waits or requests anything", async () => {
  await using scene = await startScene();
  const { others, open, add } = scene;
  const [writer, reader] = [await open(), await open()];
  await add(writer, "one");

  assert.equal(((await reader.value("XRANGE", "s", "-", "+")) as unknown[]).length, 1);
  assert.equal(((await reader.value("XREVRANGE", "s", "+", "-")) as unknown[]).length, 1);
  assert.equal(await reader.value("XLEN", "s"), 1);
  await reader.value("XINFO", "STREAM", "s");
  await reader.value("XGROUP", "CREATE", "s", "g", 0);
  assert.deepEqual(valuesIn(await reader.value("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")), [
    "one",
  ]);

  await reader.value("MULTI");
  await reader.value("XREAD", "STREAMS", "s", 0);
  const [inTransaction = null] = (await reader.value("EXEC")) as RedisValue[];
  assert.deepEqual(valuesIn(inTransaction), ["one"]);

  const script = "return redis.call('XREAD', 'STREAMS', KEYS[1], 0)";
  assert.deepEqual(valuesIn(await reader.value("EVAL", script, 1, "s")), ["one"]);

  assert.deepEqual(others.requested, []);
});

test("a daemon dates its clients' writes after the dates that it has closed", async () => {
  await using scene = await startScene();
  const { node, open, add } = scene;
  const closed = Date.now() + 1_500;
  await node.timeline.ownDates.close(closed, closed);
  assert.equal(await add(await open(), "one"), closed + 1);
});
