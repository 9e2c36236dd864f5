/** Compares keyspace notifications with redis-server's: which are sent, on which channels, in which form. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MemoryBackend } from "../../../daemon/engine/backends/memory-backend.js";
import type { ChannelMessage, Channels } from "../../../daemon/engine/channels/channels.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { parseEventFlags } from "../../../daemon/options/event-flags.js";
import { makeFolder, startReplica } from "../../../test/daemon/program/replicas.js";
import { double } from "../../../test/support/double.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { until } from "../../../test/support/until.js";
import { KeyspaceNotices } from "../session/resp-server.js";
import { RecordingClient } from "./recording-client.js";
import { lines, RedisComparison } from "./redis-comparison.js";

const skip = skipWithout("redis-server");
let comparison: RedisComparison;
before(async () => {
  if (skip === false) comparison = await RedisComparison.start();
});
after(() => comparison?.[Symbol.asyncDispose]());

const CONVERSATION = lines(
  ...["SET k 1", "SET k 1 EX 100", "GET nothing", "DEL k", "RPUSH l a b", "LPOP l", "LPOP l", "SELECT 2"],
  ...["HSET h f v", "MOVE h 0", "SELECT 0", "RENAME h g", "MULTI", "INCR n", "SADD s a", "EXEC", "INCR s"],
  ...["XADD x 1-1 f v", "ZADD z 1 a", "EXPIRE z -1", "FLUSHALL"],
);

for (const flags of ["KEA", "K$", "Egx", "AKEnm", "El", "g$", "KE", ""])
  test(`subscribers with "${flags}" receive the same notifications as from redis-server`, {
    skip,
  }, async () => {
    const received = await Promise.all(
      [comparison.ours.port, comparison.redis.port].map(async (port) => {
        using subscriber = await RecordingClient.open(port);
        using writer = await RecordingClient.open(port);
        await writer.send(lines("FLUSHALL", `CONFIG SET notify-keyspace-events "${flags}"`));
        await subscriber.send(lines("PSUBSCRIBE __key*__:*", "SUBSCRIBE __keyspace@0__:k"));
        await writer.send(CONVERSATION);
        return await subscriber.receivedSoFar();
      }),
    );
    assert.equal(received[0], received[1]);
  });

test("subscribers receive one notification of a key's expiry, as from redis-server", { skip }, async () => {
  for (const port of [comparison.ours.port, comparison.redis.port]) {
    using subscriber = await RecordingClient.open(port);
    using writer = await RecordingClient.open(port);
    await writer.send(lines("CONFIG SET notify-keyspace-events Exg"));
    await subscriber.send(lines("HELLO 3", "PSUBSCRIBE __key*__:*"));
    await writer.send(lines("SET brief 1 PX 20", "SET longer 1 EX 100"));
    await until("the subscriber is notified", async () =>
      (await subscriber.receivedSoFar()).includes("expired"),
    );
    assert.equal((await subscriber.receivedSoFar()).match(/expired\r\n\$5\r\nbrief/g)?.length, 1);
    assert.doesNotMatch(await subscriber.receivedSoFar(), /expired\r\n\$6\r\nlonger/);
  }
});

test("hits and misses equal redis-server's, and are reset by CONFIG RESETSTAT", { skip }, async () => {
  const shown = await Promise.all(
    [comparison.ours.port, comparison.redis.port].map(async (port) => {
      using client = await RecordingClient.open(port);
      await client.send(
        lines("FLUSHALL", "CONFIG RESETSTAT", "SET k 1", "GET k", "MGET k k none", "GETSET k 2", "LPUSH l 1"),
      );
      await client.send(lines("EXISTS k none", "INFO stats", "CONFIG RESETSTAT", "INFO stats"));
      return client.received.match(/keyspace_(?:hits|misses):\d+/g);
    }),
  );
  assert.deepEqual(shown[0], shown[1]);
  assert.deepEqual(
    shown[0],
    ["hits:5", "misses:2", "hits:0", "misses:0"].map((field) => `keyspace_${field}`),
  );
});

test("subscribers are notified when a key is evicted", () => {
  const backend = new MemoryBackend(realEnvironment);
  const published: string[] = [];
  const channels = double<Channels>({
    publishLocally: ({ channel, text }: ChannelMessage) => published.push(`${channel} ${text}`),
  });
  const notices = new KeyspaceNotices(backend.changes, channels);
  notices.flags = parseEventFlags("Ee");
  backend.execute(["SET", "k", "v"], { at: Date.now(), db: 3, id: "1" });
  backend.database.drop(3, "k");
  assert.deepEqual(published, ["__keyevent@3__:evicted k"]);
});

test("with --notify-keyspace-events each recorded write causes its notifications once", async () => {
  const app = makeKeyPair();
  using folder = makeFolder();
  await using replica = await startReplica({
    args: ["-s", app.file, "--data", folder.path, "--resp", "0", "--notify-keyspace-events", "KEgn$lx"],
  });

  const port = replica.daemon.addressOf("resp")?.port ?? 0;
  using subscriber = await RecordingClient.open(port);
  using writer = await RecordingClient.open(port);

  await subscriber.send(lines("HELLO 3", "PSUBSCRIBE __keyevent@0__:*"));
  await writer.send(
    lines(
      "CONFIG GET notify-keyspace-events",
      "SET k 1 PX 50",
      "INCR n",
      "MULTI",
      "LPUSH l a",
      "LPOP l",
      "EXEC",
      `EVAL "redis.call('INCR', 'n') redis.call('DEL', 'n')" 0`,
    ),
  );
  await until("the expiry of a key is notified", async () =>
    (await subscriber.receivedSoFar()).includes("expired"),
  );

  const events = [...subscriber.received.matchAll(/__keyevent@0__:(\w+)\r\n\$\d+\r\n(\w+)/g)];
  const notified = events.map(([, name, key]) => `${name} ${key}`);
  assert.deepEqual(
    notified.filter((event) => event !== "expired k"),
    [
      ...["new k", "set k", "expire k", "new n", "incrby n", "new l", "lpush l", "lpop l", "del l"],
      // A script runs as a trial before it is recorded; the trial causes no notification.
      ...["incrby n", "del n"],
    ],
  );
  assert.equal(notified.filter((event) => event === "expired k").length, 1);
});
