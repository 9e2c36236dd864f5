/** Tests node-redis (the package redis): it returns the same results with dbsyncd as with redis-server. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createClient, type RedisClientOptions, WatchError } from "redis";
import { some } from "../../../test/support/amount.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { assertSameAnswers, PASSWORD, type Subjects, startSubjects, USER } from "./subjects.js";

const skip = skipWithout("redis-server");
let subjects: Subjects;
before(async () => {
  if (skip === false) subjects = await startSubjects();
});
after(() => subjects?.[Symbol.asyncDispose]());

function makeClient(
  port: number,
  options: Pick<RedisClientOptions, "username" | "password"> & { RESP: 2 | 3 },
) {
  const client = createClient({
    socket: { host: "127.0.0.1", port, reconnectStrategy: false },
    // Returns XREAD's reply unchanged.
    unstableResp3: true,
    ...options,
  });
  // A failed command rejects its own promise.
  client.on("error", () => {});
  return client;
}

type Client = ReturnType<typeof makeClient>;

/** Returns the server's error message. */
const problemOf = (promise: Promise<unknown>) =>
  promise.then(
    (value) => assert.fail(`no error, but ${JSON.stringify(value)}`),
    (problem: Error) => problem.message,
  );

async function all<Item>(batches: AsyncIterable<Item[]>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const batch of batches) items.push(...batch);
  return items;
}

const topics: Readonly<Record<string, (client: Client) => Promise<unknown>>> = {
  strings: async (client) => [
    await client.set("k", "v", { expiration: { type: "EX", value: 100 }, condition: "NX" }),
    await client.set("k", "w", { condition: "NX" }),
    await client.set("k", "w", { GET: true }),
    await client.get("none"),
    await client.mSet({ a: "1", b: "é" }),
    await client.mGet(["a", "b", "none"]),
    await client.incrBy("a", 41),
    await client.incrByFloat("a", 0.5),
    await client.expire("a", 100),
    (await client.ttl("a")) > 90,
    await client.ttl("b"),
    await client.exists(["a", "b", "none"]),
    await client.type("a"),
    await client.setBit("bits", 7, 1),
    await client.bitCount("bits"),
    await client.set("n", Buffer.from([0, 13, 10, 255])),
    (await client.dump("n")) !== null,
    await client.del(["k", "none"]),
  ],
  hashes: async (client) => [
    await client.hSet("h", { name: "Ada", age: 36 }),
    await client.hGetAll("h"),
    await client.hGetAll("none"),
    await client.hGet("h", "none"),
    await client.hmGet("h", ["age", "none"]),
    await client.hIncrByFloat("h", "age", 0.5),
    await client.hKeys("h"),
    (await client.hRandFieldCountWithValues("h", 5)).map(({ value }) => value).sort(),
    await client.hDel("h", "name"),
  ],
  lists: async (client) => [
    await client.rPush("l", ["a", "b", "c"]),
    await client.lPush("l", "z"),
    await client.lRange("l", 0, -1),
    await client.lPos("l", "b"),
    await client.lMove("l", "m", "LEFT", "RIGHT"),
    await client.lPop("none"),
    await client.lPopCount("l", 2),
    await client.lmPop(["none", "l"], "LEFT"),
    await client.blPop(["m"], 1),
  ],
  sets: async (client) => [
    await client.sAdd("s", ["a", "b", "c"]),
    (await client.sMembers("s")).sort(),
    await client.sIsMember("s", "a"),
    await client.smIsMember("s", ["a", "none"]),
    await client.sInterCard(["s", "s"]),
    await client.sUnionStore("t", ["s"]),
    (await client.sPopCount("t", 3)).sort(),
    await client.sRandMember("none"),
  ],
  "sorted sets": async (client) => [
    await client.zAdd("z", [
      { value: "a", score: 1 },
      { value: "b", score: 2.5 },
      { value: "c", score: Number.POSITIVE_INFINITY },
    ]),
    await client.zRangeWithScores("z", 0, -1),
    await client.zRange("z", "+inf", "(1", { BY: "SCORE", REV: true, LIMIT: { offset: 0, count: 1 } }),
    await client.zScore("z", "b"),
    await client.zScore("z", "none"),
    await client.zmScore("z", ["a", "none"]),
    await client.zIncrBy("z", 1.25, "a"),
    await client.zRank("z", "c"),
    await client.zPopMin("z"),
    await client.zmPop(["none", "z"], "MAX"),
    await client.geoAdd("g", { member: "Palermo", longitude: 13.361389, latitude: 38.115556 }),
    await client.geoPos("g", ["Palermo", "none"]),
    await client.geoSearch("g", { longitude: 13, latitude: 38 }, { radius: 100, unit: "km" }),
  ],
  streams: async (client) => [
    /^\d+-\d+$/.test(await client.xAdd("log", "*", { some: "thing" })),
    await client.xAdd("x", "1-1", { a: "1", b: "2" }),
    await client.xAdd("x", "2-0", { c: "3" }),
    await client.xLen("x"),
    await client.xRange("x", "-", "+"),
    await client.xRevRange("x", "+", "-", { COUNT: 1 }),
    await client.xRead({ key: "x", id: "1-1" }),
    await client.xRead({ key: "x", id: "$" }),
    await client.xTrim("x", "MAXLEN", 1),
    await client.xDel("x", "2-0"),
  ],
  "a queue with consumers of a group": async (client) => {
    const read = (consumer: string, id = ">") =>
      client.xReadGroup("g", consumer, { key: "jobs", id }, { COUNT: 2, BLOCK: 1 });
    const timeless = <Item extends object>(items: readonly Item[]) =>
      items.map((item) => ({ ...item, idle: 0, millisecondsSinceLastDelivery: 0 }));
    return [
      await client.xGroupCreate("jobs", "g", "$", { MKSTREAM: true }),
      await problemOf(client.xGroupCreate("jobs", "g", "$")),
      await problemOf(client.xReadGroup("none", "c", { key: "jobs", id: ">" })),
      await read("c"),
      ...(await Promise.all(["1-1", "2-1", "3-1"].map((id) => client.xAdd("jobs", id, { job: id })))),
      await read("c"),
      await read("d"),
      await client.xAck("jobs", "g", "1-1"),
      await client.xPending("jobs", "g"),
      timeless(await client.xPendingRange("jobs", "g", "-", "+", 9)),
      await client.xAutoClaim("jobs", "g", "d", 0, "0"),
      await client.xClaim("jobs", "g", "c", 0, ["3-1", "9-9"]),
      await read("c", "0"),
      await client.xInfoGroups("jobs"),
      timeless(await client.xInfoConsumers("jobs", "g")),
      await client.xGroupDelConsumer("jobs", "g", "d"),
      await client.xGroupSetId("jobs", "g", "0"),
      await client.xGroupDestroy("jobs", "g"),
    ];
  },
  "a pipeline": async (client) =>
    await Promise.all([
      ...Array.from({ length: 1000 }, (_, i) => client.incrBy("count", i)),
      problemOf(client.lPush("count", "x")),
      client.get("count"),
    ]),
  transactions: async (client) => {
    await client.set("k", "1");
    const executed = await client.multi().incr("k").hSet("h", "f", "1").hGetAll("h").get("none").exec();
    const failed = await client
      .multi()
      .incr("k")
      .lPush("k", "x")
      .get("k")
      .exec()
      .catch((problem) => [String(problem), problem.replies.map(String)]);

    await client.watch("k");
    await client.set("k", "9");
    const changed = await client
      .multi()
      .incr("k")
      .exec()
      .catch((problem) => problem instanceof WatchError);

    await client.watch("k");
    return [executed, failed, changed, await client.multi().incr("k").exec()];
  },
  "scan iterators": async (client) => {
    const keys = Array.from({ length: 500 }, (_, i) => `key:${i}`);
    await client.mSet(Object.fromEntries(keys.map((key) => [key, "x"])));
    await client.hSet("h", Object.fromEntries(keys.map((key) => [key, "1"])));
    await client.sAdd("s", keys);
    await client.zAdd(
      "z",
      keys.map((value, score) => ({ value, score })),
    );
    const sorted = <Item>(items: Item[]) => [...new Set(items.map((item) => JSON.stringify(item)))].sort();
    return [
      sorted(await all(client.scanIterator({ MATCH: "key:4*", COUNT: 50 }))),
      sorted(await all(client.scanIterator({ TYPE: "hash" }))),
      sorted(await all(client.hScanIterator("h", { COUNT: 20 }))),
      sorted(await all(client.sScanIterator("s"))),
      sorted(await all(client.zScanIterator("z", { MATCH: "key:1*" }))),
    ];
  },
  errors: async (client) => [
    await client.set("k", "x"),
    await problemOf(client.incr("k")),
    await problemOf(client.lPush("k", "x")),
    await problemOf(client.sendCommand(["NOSUCH", "command"])),
    await problemOf(client.sendCommand(["GET"])),
    await problemOf(client.sendCommand(["SET", "k", "v", "MAYBE"])),
    await problemOf(client.sendCommand(["EXEC"])),
    await problemOf(client.select(99)),
    await client.ping(),
  ],
  databases: async (client) => [
    await client.select(3),
    await client.set("k", "three"),
    await client.dbSize(),
    await client.move("k", 4),
    await client.select(4),
    await client.get("k"),
    await client.rename("k", "l"),
    await client.keys("*"),
    await client.select(0),
    await client.get("l"),
    await client.echo("some text"),
  ],
};

for (const RESP of some([3, 2] as const))
  test(`node-redis receives redis-server's answers, RESP${RESP}`, { skip }, async () => {
    await assertSameAnswers(subjects, async (port) => {
      const client = makeClient(port, { username: USER, password: PASSWORD, RESP });
      await client.connect();
      const answers: Record<string, unknown> = {};
      for (const [topic, talk] of Object.entries(topics)) {
        await client.flushAll();
        answers[topic] = await talk(client);
      }
      await client.close();
      return answers;
    });
  });

for (const RESP of some([3, 2] as const))
  test(`node-redis is refused without permission, RESP${RESP}`, { skip }, async () => {
    await assertSameAnswers(subjects, async (port) => {
      const wrong = makeClient(port, { username: USER, password: "wrong", RESP });
      const anonymous = makeClient(port, { RESP });
      const ben = makeClient(port, { username: "ben", password: "word", RESP });
      await ben.connect().catch(() => {});
      const answers = {
        "a wrong password": await problemOf(wrong.connect()),
        "no password": await problemOf(anonymous.connect().then(() => anonymous.get("k"))),
        "a permitted key": await ben.get("ben:1"),
        "another key": await problemOf(ben.get("k")),
        "another command": await problemOf(ben.set("ben:1", "x")),
      };
      for (const client of [wrong, anonymous, ben]) if (client.isOpen) client.destroy();
      return answers;
    });
  });
