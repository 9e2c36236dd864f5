/**
 * Compares CLIENT TRACKING with redis-server's: several connections that read, write and receive invalidations, at
 * random and in fixed conversations; limits, INFO and CLIENT.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { makeFolder, startReplica } from "../../../test/daemon/program/replicas.js";
import { amount } from "../../../test/support/amount.js";
import { EnvelopeClient, makeKeyPair } from "../../../test/support/envelope-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { startRedis } from "../../../test/support/redis-server.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { SeededRandom, seedOfRun } from "../../../test/support/seeded-random.js";
import { until } from "../../../test/support/until.js";
import { RecordingClient } from "./recording-client.js";
import { lines, RedisComparison } from "./redis-comparison.js";
import { startResp } from "./scene.js";

const CLIENTS = 4;
const STEPS = 80;

const seed = seedOfRun();
const skip = skipWithout("redis-server");
let comparison: RedisComparison;
before(async () => {
  if (skip === false) comparison = await RedisComparison.start();
});
after(() => comparison?.[Symbol.asyncDispose]());

const KEYS = ["a", "ab", "abc", "b", "bc", "", "x y"];

type Argv = readonly string[];

/** Returns the next commands of one of several clients. @param ids  the ids of the clients */
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
 * Removes the permitted differences:
 * - the remaining time of a key (drawn() sets 1,000 seconds), since both servers do not run equally fast;
 * - the order of the invalidations that one command causes;
 * - the fields of CLIENT INFO that do not concern tracking;
 * - the form of null in a redirected invalidation: redis-server uses the protocol of the client that redirects, not
 *   that of the client that receives the invalidation;
 * - the order of invalidations and answer: invalidations come first, but for EXPIRE and an empty SUNIONSTORE
 *   redis-server sends the number in the answer first.
 */
function comparable(told: string): string {
  return told
    .replace(/^:99\d\r\n/gm, ":1000\r\n")
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

/** Describes the first difference between two long texts. */
function difference(mine: string, theirs: string): string {
  let at = 0;
  while (at < mine.length && mine[at] === theirs[at]) at++;
  const around = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 150), at + 100));
  return `ours ${around(mine)}, redis-server's ${around(theirs)}`;
}

/** Opens connections to both servers, with equal ids. */
async function openBoth(count: number): Promise<readonly (readonly RecordingClient[])[]> {
  const ports = [comparison.ours.port, comparison.redis.port];
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
      for (let i = 0; i < count; i++) clients.push(await RecordingClient.open(port));
      return clients;
    }),
  );
}

test(`clients receive the same invalidations as from redis-server (seed ${seed})`, {
  skip,
}, async () => {
  for (let episode = 0; episode < amount(4, 100); episode++) {
    const sides = await openBoth(CLIENTS);
    const results = await Promise.all(
      sides.map(async (clients) => {
        const random = new SeededRandom(seed, episode);
        const [first] = clients as [RecordingClient, ...RecordingClient[]];
        await first.send(lines("FLUSHALL", "CLIENT ID"));
        const id = Number(/:(\d+)\r\n/.exec(first.received)?.[1]);
        const ids = clients.map((_, i) => id + i);

        const log: string[] = [];
        for (let step = 0; step < STEPS; step++) {
          const at = random.below(clients.length);
          const commands = drawn(random, ids, step);
          log.push(`${at}> ${commands.map((argv) => argv.join(" ")).join("; ")}`);
          await (clients[at] as RecordingClient).send(commands.map(writeCommand).join(""));
        }

        const all = [];
        for (const client of clients) all.push(comparable(await client.receivedSoFar()));
        for (const client of clients) client[Symbol.dispose]();
        return { all, log };
      }),
    );
    const [ours, theirs] = results as [(typeof results)[0], (typeof results)[0]];
    for (const [i, one] of ours.all.entries()) {
      const other = theirs.all[i] as string;
      const where = `seed ${seed}, episode ${episode}, client ${i}:\n${ours.log.join("\n")}\n`;
      assert.ok(one === other, where + difference(one, other));
    }
  }
});

const fieldsOf = async (connection: RedisConnection, section: string, names: RegExp) => {
  const reply = await connection.call("INFO", section);
  return reply.kind === "bulk" ? reply.bytes.match(names) : null;
};

test("INFO reports which clients cache, and how many keys, as redis-server does", { skip }, async () => {
  const figures = await Promise.all(
    [comparison.ours.port, comparison.redis.port].map(async (port) => {
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
  assert.deepEqual(figures[0], figures[1]);
  assert.deepEqual(figures[0], [
    "tracking_clients:3",
    "tracking_total_keys:4",
    "tracking_total_items:5",
    "tracking_total_prefixes:2",
  ]);
});

test("the error names the first overlapping prefix and the prefix that it overlaps", async () => {
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

test("above tracking-table-max-keys the oldest keys are reported as changed", async () => {
  await using scene = await startResp();
  using client = await RecordingClient.open(scene.port);
  await client.send(lines("HELLO 3", "CONFIG SET tracking-table-max-keys 2", "CLIENT TRACKING ON"));
  await client.send(lines("MGET a b", "GET a", "GET c"));
  assert.deepEqual(invalidated(await client.receivedSoFar()), ["a"]);
  await client.send(lines("CONFIG SET tracking-table-max-keys 1"));
  assert.deepEqual(invalidated(await client.receivedSoFar()), ["a", "b"]);
  await client.send(lines("SET a 1", "SET b 1", "SET c 1"));
  assert.deepEqual(invalidated(await client.receivedSoFar()), ["a", "b", "c"]);
});

const invalidated = (received: string) =>
  [...received.matchAll(/invalidate\r\n\*1\r\n\$\d+\r\n(\w+)\r\n/g)].map(([, key]) => key);

test("the expiry of a key is reported to clients that cache it and to its prefix", {
  skip,
}, async () => {
  await Promise.all(
    [comparison.ours.port, comparison.redis.port].map(async (port) => {
      using reader = await RecordingClient.open(port);
      using all = await RecordingClient.open(port);
      // The key lives long enough to be read in time, even on a busy machine.
      await all.send(lines("HELLO 3", "SET brief 1 PX 2500", "CLIENT TRACKING ON BCAST PREFIX br"));
      await reader.send(lines("HELLO 3", "CLIENT TRACKING ON", "GET brief"));
      for (const client of [reader, all])
        await until("the client is notified", async () =>
          invalidated(await client.receivedSoFar()).includes("brief"),
        );
      assert.deepEqual(invalidated(reader.received), ["brief"]);
      assert.deepEqual(invalidated(all.received), ["brief"]);
    }),
  );
});

const app = makeKeyPair();

/** Scripts with the keys that are tracked after their call, in order. */
const TRACKED_BY_SCRIPTS: readonly (readonly [call: string, tracked: string])[] = [
  [`EVAL "redis.call('set','c',1)" 2 a b`, ""],
  [`EVAL "redis.call('get','b')" 2 a b`, "a b"],
  [`EVAL "redis.call('get','a') redis.call('get','b')" 2 a b`, "a b"],
  [`EVAL "redis.pcall('lrange','b',0,1)" 2 a b`, "a b"],
  [`EVAL_RO "redis.call('ping')" 2 a b`, ""],
  [`EVAL_RO "redis.call('exists','b')" 2 a b`, "a b"],
  ["FCALL f 2 a b", "a b"],
  ["FCALL_RO f 1 b", "b"],
];

/** Returns the calls of TRACKED_BY_SCRIPTS with the keys that a server tracks for a client. */
async function trackedByScripts(port: number, mode: string, before: string) {
  using admin = await RedisConnection.open(port);
  const library =
    "redis.register_function{function_name='f', callback=function(k) return redis.call('get',k[1]) end";
  await admin.call("FUNCTION", "LOAD", "REPLACE", `#!lua name=l\n${library}, flags={'no-writes'}}`);
  const found: [string, string][] = [];
  for (const [call] of TRACKED_BY_SCRIPTS) {
    await admin.call("MSET", "a", "1", "b", "1", "c", "1");
    using client = await RecordingClient.open(port);
    await client.send(lines("HELLO 3", `CLIENT TRACKING ON ${mode}`, before, call));
    const { length } = await client.receivedSoFar();
    await admin.call("MSET", "a", "2", "b", "2", "c", "2");
    found.push([call, invalidated((await client.receivedSoFar()).slice(length)).join(" ")]);
  }
  return found;
}

test("a script that reads tracks the keys that its caller declares, as in Redis", { skip }, async () => {
  await using ours = await startResp();
  await using redis = await startRedis();
  for (const port of [redis.port, ours.port]) {
    assert.deepEqual(await trackedByScripts(port, "", "PING"), TRACKED_BY_SCRIPTS);
    assert.deepEqual(await trackedByScripts(port, "OPTIN", "CLIENT CACHING YES"), TRACKED_BY_SCRIPTS);
  }
});

test("a key that a script reads without a declaration is tracked", async () => {
  await using ours = await startResp();
  using client = await RecordingClient.open(ours.port);
  const script = `EVAL "redis.call('get','x') redis.call('get','y')" 0`;
  await client.send(lines("HELLO 3", "CLIENT TRACKING ON OPTIN", "CLIENT CACHING YES", script));
  using other = await RedisConnection.open(ours.port);
  await other.call("MSET", "x", "1", "y", "1");
  assert.deepEqual(invalidated(await client.receivedSoFar()), ["x", "y"]);
});

test("a client with NOLOOP is not notified of what its own scripts write, and other clients are", async () => {
  using folder = makeFolder();
  await using recording = await startReplica({
    args: ["-s", app.file, "--data", folder.path, "--resp", "0"],
  });
  await using inMemory = await startResp();
  for (const port of [inMemory.port, recording.daemon.addressOf("resp")?.port ?? 0]) {
    using quiet = await RecordingClient.open(port);
    using other = await RecordingClient.open(port);
    await other.send(lines("HELLO 3", "CLIENT TRACKING ON", "MGET alone queued"));
    await quiet.send(lines("HELLO 3", "CLIENT TRACKING ON NOLOOP", "MGET alone queued"));
    await quiet.send(lines(`EVAL "redis.call('set',KEYS[1],1)" 1 alone`));
    await quiet.send(lines("MULTI", `EVAL "redis.call('set',KEYS[1],1)" 1 queued`, "EXEC"));
    assert.deepEqual(invalidated(await quiet.receivedSoFar()), []);
    assert.deepEqual(invalidated(await other.receivedSoFar()), ["alone", "queued"]);
  }
});

test("on a daemon that records, units that are applied again after a late write are reported, but own writes with NOLOOP are not", async () => {
  using folder = makeFolder();
  await using replica = await startReplica({ args: ["-s", app.file, "--data", folder.path, "--resp", "0"] });
  const port = replica.daemon.addressOf("resp")?.port ?? 0;
  using client = await RecordingClient.open(port);
  using quiet = await RecordingClient.open(port);
  await client.send(
    lines("HELLO 3", "CLIENT TRACKING ON", "COPY from to", "SET from 1", "COPY from to", "SET own 1"),
  );
  await quiet.send(lines("HELLO 3", "CLIENT TRACKING ON NOLOOP", "GET own", "GET k", "SET own 2", "GET own"));
  await client.send(lines("GET to", "GET other"));
  assert.deepEqual(invalidated(await quiet.receivedSoFar()), []);
  // The next write is dated before the last applied unit, which the daemon therefore undoes and applies again.
  using writer = await EnvelopeClient.open(replica.port, app);
  await writer.replies([["SET", "from", "early"]], { at: Date.now() - 10_000 });
  assert.deepEqual(invalidated(await client.receivedSoFar()), ["to"]);
});
