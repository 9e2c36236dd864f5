/** Tests that both histories have the same guarantees: they return each message once, in order and in pages. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import { type History, MongoHistory, RedisHistory } from "../../../examples/chat/history.js";
import { type Message, orderOf } from "../../../examples/chat/message.js";
import { startDaemon } from "../../support/daemon-process.js";
import { refusingAddress } from "../../support/free-port.js";
import { startStore } from "./scene.js";

interface OpenHistory extends AsyncDisposable {
  readonly history: History;
}

async function openRedis(): Promise<OpenHistory> {
  const store = await startStore();
  const redis = new Redis(store.port);
  return {
    history: new RedisHistory(redis),
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await store[Symbol.asyncDispose]();
    },
  };
}

/**
 * Milliseconds until the missing server counts as down. On a busy machine, the connection to the running server takes
 * part of this time.
 */
const FIND_MS = 5000;

/** Opens a history on a daemon with the mongodb driver. */
async function openMongo(): Promise<OpenHistory> {
  const daemon = await startDaemon(["--mongo", "0"]);
  const port = await daemon.portOf("MongoDB clients");
  // No process listens on the first of the two ports.
  const urls = [`mongodb://${await refusingAddress()}/`, `mongodb://127.0.0.1:${port}/`];
  const history = await MongoHistory.open(urls, FIND_MS);
  return {
    history,
    async [Symbol.asyncDispose]() {
      await history.close();
      await daemon[Symbol.asyncDispose]();
    },
  };
}

const HISTORIES: readonly { readonly name: string; readonly open: () => Promise<OpenHistory> }[] = [
  { name: "in MongoDB", open: openMongo },
  { name: "in Redis", open: openRedis },
];

const messageAt = (at: number, room = "chatroom", id: string = randomUUID()): Message => ({
  id,
  order: orderOf(at, id),
  room,
  at,
  from: "aaaaaaaaaaaa",
  pseudo: "Ann",
  color: 7,
  text: `at ${at}`,
});

for (const { name, open } of HISTORIES) {
  let opened: OpenHistory;
  before(async () => {
    opened = await open();
  });
  after(() => opened[Symbol.asyncDispose]());

  test(`a history ${name} returns pages from the end, without duplicates and gaps`, async () => {
    const { history } = opened;
    // These messages have the same date. They are added in random order, and mixed with another room's messages.
    const messages = Array.from({ length: 40 }, (_, index) =>
      messageAt(1_700_000_000_000 + Math.floor(index / 3)),
    );
    const mixed = [...messages].sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const message of mixed) assert.deepEqual(await history.add(message), message);
    await history.add(messageAt(1_700_000_000_000, "other"));

    const expected = messages.map(({ order }) => order).sort();
    const found: string[] = [];
    for (let before: string | null = null; ; before = found[0] as string) {
      const page = await history.last("chatroom", 7, before);
      assert.ok(page.length <= 7);
      if (page.length === 0) break;
      found.unshift(...page.map(({ order }) => order));
    }

    assert.deepEqual(found, expected);
    const [first] = [...messages].sort((a, b) => (a.order < b.order ? -1 : 1));
    assert.deepEqual((await history.last("chatroom", 100, null))[0], first);
  });

  test(`a history ${name} keeps the first version of a repeated message`, async () => {
    const { history } = opened;
    const first = messageAt(1_700_000_000_000, "again");
    const again = { ...messageAt(1_700_000_009_999, "again", first.id), text: "something else" };
    assert.deepEqual(await history.add(first), first);
    assert.deepEqual(await history.add(again), first);
    const both = await Promise.all([history.add(again), history.add(first)]);
    assert.deepEqual(both, [first, first]);
    assert.deepEqual(await history.last("again", 10, null), [first]);
  });

  test(`a history ${name} of a room without messages is empty`, async () => {
    assert.deepEqual(await opened.history.last("nowhere", 10, null), []);
    assert.deepEqual(await opened.history.last("nowhere", 10, orderOf(1, randomUUID())), []);
  });
}
