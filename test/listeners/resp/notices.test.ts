/** Compares keyspace notifications with redis-server's: which are sent, on which channels, in which form. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MemoryBackend } from "../../../engine/backends/memory.js";
import type { Channels, Said } from "../../../engine/channels/channels.js";
import { KeyspaceNotices } from "../../../listeners/resp/session/keyspace-notices.js";
import { realEnvironment } from "../../../net/process/environment.js";
import { parseEventFlags } from "../../../options/event-flags.js";
import { makeFolder, startReplica, until } from "../../daemon/replicas.js";
import { double } from "../../support/double.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { skipWithout } from "../../support/requirements.js";
import { BesideRedis, lines } from "./beside-redis.js";
import { ToldClient } from "./told-client.js";

const skip = skipWithout("redis-server");
let beside: BesideRedis;
before(async () => {
  if (skip === false) beside = await BesideRedis.start();
});
after(() => beside?.[Symbol.asyncDispose]());

const CONVERSATION = lines(
  ...["SET k 1", "SET k 1 EX 100", "GET nothing", "DEL k", "RPUSH l a b", "LPOP l", "LPOP l", "SELECT 2"],
  ...["HSET h f v", "MOVE h 0", "SELECT 0", "RENAME h g", "MULTI", "INCR n", "SADD s a", "EXEC", "INCR s"],
  ...["XADD x 1-1 f v", "ZADD z 1 a", "EXPIRE z -1", "FLUSHALL"],
);

for (const flags of ["KEA", "K$", "Egx", "AKEnm", "El", "g$", "KE", ""])
  test(`what subscribers are told with "${flags}" is what redis-server tells`, { skip }, async () => {
    const told = await Promise.all(
      [beside.ours.port, beside.redis.port].map(async (port) => {
        using subscriber = await ToldClient.open(port);
        using writer = await ToldClient.open(port);
        await writer.say(lines("FLUSHALL", `CONFIG SET notify-keyspace-events "${flags}"`));
        await subscriber.say(lines("PSUBSCRIBE __key*__:*", "SUBSCRIBE __keyspace@0__:k"));
        await writer.say(CONVERSATION);
        return await subscriber.hear();
      }),
    );
    assert.equal(told[0], told[1]);
  });

test("a key's end is told, as redis-server tells it", { skip }, async () => {
  for (const port of [beside.ours.port, beside.redis.port]) {
    using subscriber = await ToldClient.open(port);
    using writer = await ToldClient.open(port);
    await writer.say(lines("CONFIG SET notify-keyspace-events Exg"));
    await subscriber.say(lines("HELLO 3", "PSUBSCRIBE __key*__:*"));
    await writer.say(lines("SET brief 1 PX 20", "SET longer 1 EX 100"));
    await until("it is told", async () => (await subscriber.hear()).includes("expired"));
    assert.equal((await subscriber.hear()).match(/expired\r\n\$5\r\nbrief/g)?.length, 1);
    assert.doesNotMatch(await subscriber.hear(), /expired\r\n\$6\r\nlonger/);
  }
});

test("hits and misses are redis-server's, and begin anew with CONFIG RESETSTAT", { skip }, async () => {
  const shown = await Promise.all(
    [beside.ours.port, beside.redis.port].map(async (port) => {
      using client = await ToldClient.open(port);
      await client.say(
        lines("FLUSHALL", "CONFIG RESETSTAT", "SET k 1", "GET k", "MGET k k none", "GETSET k 2", "LPUSH l 1"),
      );
      await client.say(lines("EXISTS k none", "INFO stats", "CONFIG RESETSTAT", "INFO stats"));
      return client.told.match(/keyspace_(?:hits|misses):\d+/g);
    }),
  );
  assert.deepEqual(shown[0], shown[1]);
  assert.deepEqual(
    shown[0],
    ["hits:5", "misses:2", "hits:0", "misses:0"].map((field) => `keyspace_${field}`),
  );
});

test("a key that is evicted is told of", () => {
  const backend = new MemoryBackend(realEnvironment);
  const said: string[] = [];
  const channels = double<Channels>({
    tell: ({ channel, text }: Said) => said.push(`${channel} ${text}`),
  });
  const notices = new KeyspaceNotices(backend.changes, channels);
  notices.flags = parseEventFlags("Ee");
  backend.execute(["SET", "k", "v"], { at: Date.now(), db: 3, id: "1" });
  backend.database.drop(3, "k");
  assert.deepEqual(said, ["__keyevent@3__:evicted k"]);
});

test("--notify-keyspace-events: recorded writes are told of where they are applied, each once", async () => {
  const app = makeKeyPair();
  using folder = makeFolder();
  await using replica = await startReplica({
    args: ["-s", app.file, "--data", folder.path, "--resp", "0", "--notify-keyspace-events", "KEgn$lx"],
  });
  const port = replica.daemon.userAddress("resp")?.port ?? 0;
  using subscriber = await ToldClient.open(port);
  using writer = await ToldClient.open(port);
  await subscriber.say(lines("HELLO 3", "PSUBSCRIBE __keyevent@0__:*"));
  await writer.say(
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
  await until("the end of a key is told", async () => (await subscriber.hear()).includes("expired"));
  const events = [...subscriber.told.matchAll(/__keyevent@0__:(\w+)\r\n\$\d+\r\n(\w+)/g)];
  const told = events.map(([, name, key]) => `${name} ${key}`);
  assert.deepEqual(
    told.filter((event) => event !== "expired k"),
    [
      ...["new k", "set k", "expire k", "new n", "incrby n", "new l", "lpush l", "lpop l", "del l"],
      // A script is tried before it is recorded: the trial causes no notification.
      ...["incrby n", "del n"],
    ],
  );
  assert.equal(told.filter((event) => event === "expired k").length, 1);
});
