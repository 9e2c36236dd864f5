/**
 * Compares CLIENT TRACKING with redis-server's: several connections that read, write and receive invalidations, at
 * random and by hand; bounds, INFO and CLIENT.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { makeFolder, startReplica, until } from "../../daemon/replicas.js";
import { amount } from "../../support/amount.js";
import { EnvelopeClient, makeKeyPair } from "../../support/envelope-client.js";
import { RedisConnection } from "../../support/redis-connection.js";
import { skipWithout } from "../../support/requirements.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { BesideRedis, lines } from "./beside-redis.js";
import { startResp } from "./scene.js";
import { ToldClient } from "./told-client.js";

const CLIENTS = 4;
const STEPS = 80;

const seed = seedOfRun();
const skip = skipWithout("redis-server");
let beside: BesideRedis;
before(async () => {
  if (skip === false) beside = await BesideRedis.start();
});
after(() => beside?.[Symbol.asyncDispose]());

const KEYS = ["a", "ab", "abc", "b", "bc", "", "x y"];

type Argv = readonly string[];

/** Returns the next commands of one of several clients. @param ids  the clients' */
function drawn(random: SeededRandom, ids: readonly number[], step: number): readonly Argv[] {
  const key = () => random.oneOf(KEYS);
  const some = () => Array.from({ length: random.between(1, 3) }, key);
  const value = `value ${step}`;
  const read = (): Argv =>
    random.oneOf<() => Argv>([
      () => ["GET", key()],
      () => ["MGET", ...some()],
      () => ["EXISTS", key()],
      () => ["LRANGE", key(), "0", "-1"],
      () => ["TTL", key()],
      () => ["OBJECT", "ENCODING", key()],
    ])();
  const write = (): Argv =>
    random.oneOf<() => Argv>([
      () => ["SET", key(), value],
      () => ["MSET", key(), value, key(), value],
      () => ["DEL", ...some()],
      () => ["RPUSH", key(), value],
      () => ["EXPIRE", key(), "1000"],
      () => ["PERSIST", key()],
      () => ["RENAME", key(), key()],
      () => ["SET", key(), value, "NX"],
      () => ["SUNIONSTORE", key(), key(), key()],
      () => ["INCR", key()],
    ])();
  const options = () =>
    random
      .shuffled([
        ...random.oneOf<readonly Argv[]>([[], [], [["BCAST"]], [["BCAST"], ["PREFIX", key()]]]),
        ...random.oneOf<readonly Argv[]>([[], [], [["OPTIN"]], [["OPTOUT"]]]),
        ...random.oneOf<readonly Argv[]>([[], [["NOLOOP"]]]),
        ...random.oneOf<readonly Argv[]>([[], [], [["REDIRECT", String(random.oneOf([...ids, 0, 9999]))]]]),
        ...random.oneOf<readonly Argv[]>([[], [], [], [["PREFIX", key()]], [["NONSENSE"]]]),
      ])
      .flat();
  return random.oneOf<() => readonly Argv[]>([
    ...Array.from({ length: 8 }, () => () => [read()]),
    ...Array.from({ length: 8 }, () => () => [write()]),
    () => [read(), write()],
    () => [["MULTI"], read(), write(), read(), ["EXEC"]],
    () => [["SET", "never empty", "1"], [random.oneOf(["FLUSHALL", "FLUSHDB"])]],
    () => [["CLIENT", "TRACKING", "ON", ...options()]],
    () => [["CLIENT", "TRACKING", "ON", ...options()]],
    () => [["CLIENT", "TRACKING", "ON"]],
    () => [["CLIENT", "TRACKING", random.oneOf(["OFF", "off", "NONSENSE"])]],
    () => [["CLIENT", "CACHING", random.oneOf(["YES", "NO", "yes", "NONSENSE"])], read()],
    () => [["CLIENT", "CACHING", random.oneOf(["YES", "NO"])], ["MULTI"], read(), read(), ["EXEC"], read()],
    () => [["CLIENT", "TRACKINGINFO"]],
    () => [["CLIENT", "GETREDIR"]],
    () => [["CLIENT", "INFO"]],
    () => [["HELLO", random.oneOf(["2", "3", "3"])]],
    () => [["SUBSCRIBE", "__redis__:invalidate"]],
    () => [["UNSUBSCRIBE"]],
    () => [["SELECT", random.oneOf(["0", "1"])]],
    () => [["RESET"]],
  ])();
}

/**
 * Removes permitted differences: the order of a command's invalidations, and fields of CLIENT INFO that are not about
 * tracking. redis-server writes the null of a redirected invalidation in the protocol of the source, not of the
 * reader. Redirected invalidations precede the answer; for EXPIRE and an empty SUNIONSTORE redis-server sends the
 * number first.
 */
function comparable(told: string): string {
  return told
    .replaceAll("invalidate\r\n$-1\r\n", "invalidate\r\n_\r\n")
    .replace(/(:\d+\r\n)((?:>2\r\n\$10\r\ninvalidate\r\n\*1\r\n\$\d+\r\n[^\r]*\r\n)+)/g, "$2$1")
    .replace(/(?:>2\r\n\$10\r\ninvalidate\r\n\*1\r\n\$\d+\r\n[^\r]*\r\n)+/g, (run) =>
      (run.match(/>2\r\n\$10\r\ninvalidate\r\n\*1\r\n\$\d+\r\n[^\r]*\r\n/g) ?? []).sort().join(""),
    )
    .replace(
      /(?:\*3\r\n\$7\r\nmessage\r\n\$20\r\n__redis__:invalidate\r\n\*1\r\n\$\d+\r\n[^\r]*\r\n)+/g,
      (run) => (run.match(/\*3\r\n\$7[\s\S]*?\*1\r\n\$\d+\r\n[^\r]*\r\n/g) ?? []).sort().join(""),
    )
    .replace(
      /[$=]\d+\r\n(?:txt:)?id=\d+ .* flags=(\w+) .* redir=(-?\d+) .*\n\r\n/g,
      (_, flags: string, redir: string) => `flags=${flags} redir=${redir}\r\n`,
    );
}

/** Describes where two long texts differ. */
function difference(mine: string, theirs: string): string {
  let at = 0;
  while (at < mine.length && mine[at] === theirs[at]) at++;
  const around = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 150), at + 100));
  return `ours ${around(mine)}, redis-server's ${around(theirs)}`;
}

/** Opens connections to both servers, with equal ids. */
async function openBoth(count: number): Promise<readonly (readonly ToldClient[])[]> {
  const ports = [beside.ours.port, beside.redis.port];
  const nextId = async (port: number) => {
    using client = await RedisConnection.open(port);
    const reply = await client.call("CLIENT", "ID");
    return reply.kind === "integer" ? Number(reply.value) : 0;
  };
  const ids = await Promise.all(ports.map(nextId));
  const most = Math.max(...ids);
  for (const [i, port] of ports.entries())
    for (let id = ids[i] as number; id < most; id++) await nextId(port);
  return Promise.all(
    ports.map(async (port) => {
      const clients = [];
      for (let i = 0; i < count; i++) clients.push(await ToldClient.open(port));
      return clients;
    }),
  );
}

test(`what clients are told of their copies is what redis-server tells (seed ${seed})`, {
  skip,
}, async () => {
  for (let episode = 0; episode < amount(20, 300); episode++) {
    const sides = await openBoth(CLIENTS);
    const told = await Promise.all(
      sides.map(async (clients) => {
        const random = new SeededRandom(seed, episode);
        const [first] = clients as [ToldClient, ...ToldClient[]];
        await first.say(lines("FLUSHALL", "CLIENT ID"));
        const id = Number(/:(\d+)\r\n/.exec(first.told)?.[1]);
        const ids = clients.map((_, i) => id + i);
        const said: string[] = [];
        for (let step = 0; step < STEPS; step++) {
          const at = random.below(clients.length);
          const commands = drawn(random, ids, step);
          said.push(`${at}> ${commands.map((argv) => argv.join(" ")).join("; ")}`);
          await (clients[at] as ToldClient).say(commands.map(writeCommand).join(""));
        }
        const all = [];
        for (const client of clients) all.push(comparable(await client.hear()));
        for (const client of clients) client[Symbol.dispose]();
        return { all, said };
      }),
    );
    const [mine, theirs] = told as [(typeof told)[0], (typeof told)[0]];
    for (const [i, one] of mine.all.entries()) {
      const other = theirs.all[i] as string;
      const where = `seed ${seed}, episode ${episode}, client ${i}:\n${mine.said.join("\n")}\n`;
      assert.ok(one === other, where + difference(one, other));
    }
  }
});

const fieldsOf = async (connection: RedisConnection, section: string, names: RegExp) => {
  const reply = await connection.call("INFO", section);
  return reply.kind === "bulk" ? reply.bytes.match(names) : null;
};

test("INFO tells who keeps copies, of how many keys, as redis-server does", { skip }, async () => {
  const told = await Promise.all(
    [beside.ours.port, beside.redis.port].map(async (port) => {
      using one = await RedisConnection.open(port);
      using other = await RedisConnection.open(port);
      using third = await RedisConnection.open(port);
      for (const connection of [one, other]) await connection.call("CLIENT", "TRACKING", "ON");
      await third.call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a", "PREFIX", "b");
      // FLUSHALL clears what was tracked earlier.
      await one.call("FLUSHALL");
      await one.call("MGET", "k1", "k2", "k3");
      await other.call("MGET", "k3", "k4");
      const figures = [
        ...((await fieldsOf(one, "clients", /tracking_clients:\d+/g)) ?? []),
        ...((await fieldsOf(one, "stats", /tracking_total_\w+:\d+/g)) ?? []),
      ];
      return figures;
    }),
  );
  assert.deepEqual(told[0], told[1]);
  assert.deepEqual(told[0], [
    "tracking_clients:3",
    "tracking_total_keys:4",
    "tracking_total_items:5",
    "tracking_total_prefixes:2",
  ]);
});

test("the first prefix that overlaps is named, with which", async () => {
  await using scene = await startResp();
  using client = await RedisConnection.open(scene.port);
  const textOf = async (...prefixes: readonly string[]) => {
    const words = prefixes.flatMap((prefix) => ["PREFIX", prefix]);
    const reply = await client.call("CLIENT", "TRACKING", "ON", "BCAST", ...words);
    return "text" in reply ? reply.text.replace(/\. .*/, "") : "";
  };
  assert.equal(
    await textOf("x", "ab", "b", "abc", "a"),
    "ERR Prefix 'ab' overlaps with another provided prefix 'abc'",
  );
  assert.equal(await textOf("x", "x"), "ERR Prefix 'x' overlaps with another provided prefix 'x'");
  assert.equal(await textOf("a\xff", "a!", "b"), "OK");
  assert.equal(await textOf("c", "b\x80", "a"), "ERR Prefix 'b\x80' overlaps with an existing prefix 'b'");
});

test("more keys than tracking-table-max-keys are told to have changed, the first ones noted first", async () => {
  await using scene = await startResp();
  using client = await ToldClient.open(scene.port);
  await client.say(lines("HELLO 3", "CONFIG SET tracking-table-max-keys 2", "CLIENT TRACKING ON"));
  await client.say(lines("MGET a b", "GET a", "GET c"));
  assert.deepEqual(invalidated(await client.hear()), ["a"]);
  await client.say(lines("CONFIG SET tracking-table-max-keys 1"));
  assert.deepEqual(invalidated(await client.hear()), ["a", "b"]);
  await client.say(lines("SET a 1", "SET b 1", "SET c 1"));
  assert.deepEqual(invalidated(await client.hear()), ["a", "b", "c"]);
});

const invalidated = (told: string) =>
  [...told.matchAll(/invalidate\r\n\*1\r\n\$\d+\r\n(\w+)\r\n/g)].map(([, key]) => key);

test("a key whose time is over is told of, where it is kept and where its beginning is", {
  skip,
}, async () => {
  await Promise.all(
    [beside.ours.port, beside.redis.port].map(async (port) => {
      using reader = await ToldClient.open(port);
      using all = await ToldClient.open(port);
      // Long enough to be read in time, on a busy machine too.
      await all.say(lines("HELLO 3", "SET brief 1 PX 2500", "CLIENT TRACKING ON BCAST PREFIX br"));
      await reader.say(lines("HELLO 3", "CLIENT TRACKING ON", "GET brief"));
      for (const client of [reader, all])
        await until("it is told", async () => invalidated(await client.hear()).includes("brief"));
      assert.deepEqual(invalidated(reader.told), ["brief"]);
      assert.deepEqual(invalidated(all.told), ["brief"]);
    }),
  );
});

const app = makeKeyPair();

test("where writes are recorded, what is done again behind a late write is told of, and own writes by NOLOOP are not", async () => {
  using folder = makeFolder();
  await using replica = await startReplica({ args: ["-s", app.file, "--data", folder.path, "--resp", "0"] });
  const port = replica.daemon.userAddress("resp")?.port ?? 0;
  using client = await ToldClient.open(port);
  using quiet = await ToldClient.open(port);
  await client.say(
    lines("HELLO 3", "CLIENT TRACKING ON", "COPY from to", "SET from 1", "COPY from to", "SET own 1"),
  );
  await quiet.say(lines("HELLO 3", "CLIENT TRACKING ON NOLOOP", "GET own", "GET k", "SET own 2", "GET own"));
  await client.say(lines("GET to", "GET other"));
  assert.deepEqual(invalidated(await quiet.hear()), []);
  // Its date precedes the last applied unit's, which is undone and applied again.
  using writer = await EnvelopeClient.open(replica.port, app);
  await writer.replies([["SET", "from", "early"]], { at: Date.now() - 10_000 });
  assert.deepEqual(invalidated(await client.hear()), ["to"]);
});
