/**
 * Tests daemons that reach --maxmemory: the commands that they refuse, the keys that they evict, and the release of
 * memory.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { refused } from "../../../../daemon/engine/answers/request.js";
import { MemoryBackend } from "../../../../daemon/engine/backends/memory-backend.js";
import type { MemoryLimit } from "../../../../daemon/engine/memory/memory-limit.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { array, bulk, integer, type Reply } from "../../../../protocol/reply.js";
import { some } from "../../../support/amount.js";
import { type DaemonProcess, type LogLine, startDaemon } from "../../../support/daemon-process.js";
import { double } from "../../../support/double.js";
import { EnvelopeClient, makeKeyPair } from "../../../support/envelope-client.js";
import { RawClient } from "../../../support/raw-client.js";
import { RedisConnection } from "../../../support/redis-connection.js";
import { seed } from "../../../support/seed.js";
import { SeededRandom } from "../../../support/seeded-random.js";
import { nextTurn, until } from "../../../support/until.js";
import { startInProcess } from "../../program/in-process.js";
import { makeFolder } from "../../program/replicas.js";
import { makeScene } from "../../program/scene.js";

const MIB = 1024 * 1024;
const LIMIT = 48 * MIB;
const VALUE = "v".repeat(16 * 1024);
/** The number of values that a test tries to set, far more than fit into memory. */
const MANY = (3 * LIMIT) / VALUE.length;
const BATCH = 64;
/**
 * The number of writes between two reads. It is small compared to the number of keys. Therefore ten random keys, of
 * which the daemon evicts the least used, nearly always include one that was last used before the hot keys were.
 */
const READ_EVERY = 32;
/** The resolution of the daemon's usage times, in milliseconds. */
const USE_TICK_MS = 10;
const OOM = "OOM command not allowed when used memory > 'maxmemory'.";
const pair = makeKeyPair();

async function respOf(daemon: DaemonProcess): Promise<RedisConnection> {
  return await RedisConnection.open(await daemon.portOf("Redis clients"));
}

const isOom = (reply: Reply) => reply.kind === "error" && reply.text === OOM;

/** Sets keys until one is refused. @returns the number of keys that were set, or MANY if none was refused */
async function fill(client: RedisConnection, name = "k", rest: readonly string[] = []): Promise<number> {
  let accepted = 0;
  for (let i = 0; i < MANY && accepted === i; i += BATCH) {
    for (let j = i; j < i + BATCH; j++) client.queue(["SET", `${name}${j}`, VALUE + j, ...rest]);
    for (const reply of await client.flush()) {
      if (reply.kind === "status") accepted++;
      else assert.ok(isOom(reply), JSON.stringify(reply));
    }
  }
  return accepted;
}

test("a full daemon refuses only commands that need memory, until there is space again", async () => {
  await using daemon = await startDaemon(["-s", pair.file, "--resp", "0", "--maxmemory", "48MiB"]);
  using client = await respOf(daemon);
  const count = await fill(client);
  assert.ok(count < MANY && count * VALUE.length > LIMIT / 3, `${count} keys were accepted`);
  assert.ok(isOom(await client.call("LPUSH", "l", "1")));
  assert.deepEqual(await client.call("GET", "k0"), bulk(`${VALUE}0`));

  using signer = await EnvelopeClient.open(daemon.port, pair);
  const refusal = await signer.ask([
    ["GET", "k1"],
    ["SET", "k1", "v"],
  ]);
  assert.ok(
    refusal.kind === "refused" && refusal.code === "out-of-memory" && refusal.effect === "not-applied",
  );
  assert.deepEqual(await signer.replies([["GET", "k1"]]), [bulk(`${VALUE}1`)]);
  assert.deepEqual(await signer.replies([["DEL", "k1"]]), [integer(1)]);

  assert.deepEqual(await client.call("EXISTS", "k1"), integer(0));
  assert.equal((await client.call("FLUSHALL")).kind, "status");
  await until("there is space again", async () => (await client.call("SET", "k", "v")).kind === "status");
  assert.ok((await fill(client)) < MANY, "the limit still applies");
});

test("a full daemon that records commands refuses them before it records them", async () => {
  using folder = makeFolder();
  const options = ["-s", pair.file, "--data", folder.path, "--fsync", "never", "--resp", "0"];
  const keysOf = async (client: RedisConnection) => await client.call("DBSIZE");
  let accepted: number;
  {
    await using daemon = await startDaemon([...options, "--maxmemory", "48MiB"]);
    using client = await respOf(daemon);
    accepted = await fill(client);
    assert.ok(accepted < MANY);
    assert.deepEqual(await keysOf(client), integer(accepted));
    await daemon.stop();
  }
  await using daemon = await startDaemon(options);
  using client = await respOf(daemon);
  assert.deepEqual(await keysOf(client), integer(accepted), "the folder does not contain refused writes");
});

test("a daemon that may evict any key refuses nothing and stays near its limit", async () => {
  await using daemon = await startDaemon([
    ...["--resp", "0", "--maxmemory", "48MiB", "--maxmemory-policy", "allkeys-random"],
  ]);
  using client = await respOf(daemon);

  assert.equal(await fill(client), MANY);
  await until("the remaining keys fit", async () => {
    const size = await client.call("DBSIZE");
    return size.kind === "integer" && Number(size.value) * VALUE.length < LIMIT;
  });
  assert.equal((await client.call("SET", "k", "v")).kind, "status");

  // INFO and DBSIZE run in one turn, so that no other command runs between them.
  for (const argv of [["MULTI"], ["INFO", "memory", "stats"], ["DBSIZE"], ["EXEC"]]) client.queue(argv);
  const done = (await client.flush()).at(-1);
  assert.ok(done?.kind === "array");
  const [info, size] = done.items;
  assert.ok(info?.kind === "bulk" && size?.kind === "integer");

  const fields = info.bytes.split("\r\n");
  const numberOf = (name: string) =>
    Number(fields.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1));
  assert.equal(numberOf("evicted_keys"), MANY + 1 - Number(size.value));
  assert.equal(numberOf("maxmemory"), LIMIT);
  assert.ok(numberOf("used_memory") > LIMIT / 3);
  assert.ok(fields.includes("maxmemory_policy:allkeys-random"));
});

for (const policy of some(["allkeys-lru", "allkeys-lfu"]))
  test(`a daemon that evicts by usage (${policy}) keeps the keys that its clients continue to read`, async () => {
    await using daemon = await startDaemon([
      ...["--resp", "0", "--maxmemory", "48MiB", "--maxmemory-policy", policy],
    ]);
    using client = await respOf(daemon);

    const hot = Array.from({ length: 20 }, (_, i) => `hot${i}`);
    for (const key of hot) client.queue(["SET", key, VALUE]);
    for (let i = 0; i < MANY; i++) {
      client.queue(["SET", `cold${i}`, VALUE + i]);
      if (i % READ_EVERY !== 0) continue;

      const now = Date.now();
      for (const key of hot) client.queue(["STRLEN", key]);
      await client.flush();
      // The daemon then assigns a later time to the next write, however fast it is.
      await until("the clock is in the next tick", () => Date.now() >= now + USE_TICK_MS, {
        pause: nextTurn,
      });
    }

    await client.flush();
    assert.deepEqual(await client.call("EXISTS", ...hot), integer(hot.length));
    const size = await client.call("DBSIZE");
    assert.ok(size.kind === "integer" && Number(size.value) < MANY);
    assert.equal(
      (await client.call("OBJECT", policy === "allkeys-lru" ? "IDLETIME" : "FREQ", "hot1")).kind,
      "integer",
    );
  });

test("a daemon that may evict only expiring keys keeps all other keys, and then refuses writes", async () => {
  const policy = new SeededRandom(seed()).oneOf(["volatile-ttl", "volatile-random"]);
  await using daemon = await startDaemon([
    ...["--resp", "0", "--maxmemory", "48MiB", "--maxmemory-policy", policy],
  ]);
  using client = await respOf(daemon);
  for (let i = 0; i < 500; i++) client.queue(["SET", `stays${i}`, VALUE + i]);
  await client.flush();
  assert.equal(await fill(client, "expires", ["EX", "10000"]), MANY, policy);
  for (let i = 0; i < 500; i++) client.queue(["STRLEN", `stays${i}`]);
  const lengths = await client.flush();
  assert.ok(lengths.every((reply) => reply.kind === "integer" && Number(reply.value) > VALUE.length));
  assert.ok((await fill(client)) < MANY);
});

test("CONFIG SET sets and removes the memory limit, and selects the eviction policy", async () => {
  await using daemon = await startDaemon(["--resp", "0"]);
  using client = await respOf(daemon);
  const isSet = async (...setting: string[]) =>
    (await client.call("CONFIG", "SET", ...setting)).kind === "status";
  const settings = async () =>
    (await client.call("CONFIG", "GET", "maxmemory", "maxmemory-policy")) as unknown;
  assert.ok(await isSet("maxmemory", "1mb", "timeout", "9"));
  assert.ok(isOom(await client.call("SET", "k", "v")));
  assert.ok(await isSet("maxmemory-policy", "allkeys-random"));
  assert.deepEqual(
    await settings(),
    array(["maxmemory", String(MIB), "maxmemory-policy", "allkeys-random"].map(bulk)),
  );
  assert.ok(await isSet("maxmemory-policy", "allkeys-lru"));
  assert.ok(!(await isSet("maxmemory", "0", "maxmemory-policy", "allkeys-lfu")), "frequency is not tracked");
  assert.ok(await isSet("maxmemory", "0", "maxmemory-policy", "noeviction"));
  assert.equal((await client.call("SET", "k", "v")).kind, "status");

  using folder = makeFolder();
  await using other = await startDaemon(["-s", pair.file, "--data", folder.path, "--resp", "0"]);
  using recorded = await respOf(other);
  const refused = await recorded.call("CONFIG", "SET", "maxmemory-policy", "allkeys-random");
  assert.ok(refused.kind === "error" && /one of the following: noeviction$/.test(refused.text));
});

test("CONFIG SET can switch between policies that need only the key usage tracked from the start", async () => {
  await using daemon = await startDaemon([
    ...["--resp", "0", "--maxmemory", "1GiB", "--maxmemory-policy", "allkeys-lru"],
  ]);
  using client = await respOf(daemon);
  const set = (policy: string) => client.call("CONFIG", "SET", "maxmemory-policy", policy);
  for (const policy of ["volatile-lru", "noeviction", "allkeys-random", "allkeys-lru"])
    assert.equal((await set(policy)).kind, "status", policy);
  const refused = await set("allkeys-lfu");
  assert.ok(
    refused.kind === "error" && /needs a daemon that was started with an LFU policy/.test(refused.text),
  );
  await client.call("SET", "k", "v");
  assert.equal((await client.call("OBJECT", "IDLETIME", "k")).kind, "integer");
});

for (const isRecorded of [false, true])
  test(`OBJECT IDLETIME counts from the last use on a daemon ${isRecorded ? "that records" : "in memory"}`, async () => {
    using folder = makeFolder();
    const recording = isRecorded ? ["-s", pair.file, "--data", folder.path] : [];
    await using daemon = await startDaemon(["--resp", "0", ...recording]);
    using client = await respOf(daemon);

    const idle = async (key: string) => {
      const reply = await client.call("OBJECT", "IDLETIME", key);
      assert.ok(reply.kind === "integer", JSON.stringify(reply));
      return Number(reply.value);
    };

    await client.call("SET", "k", "v");
    await until("the key is idle", async () => (await idle("k")) > 0);
    const payload = await client.call("DUMP", "k");
    assert.ok(payload.kind === "bulk");
    await client.call("RESTORE", "j", "0", payload.bytes, "IDLETIME", "1000000");
    assert.ok((await idle("j")) >= 1_000_000);

    await client.call("GET", "j");
    assert.ok((await idle("j")) < 1_000_000);
  });

test("a limit that V8's heap cannot reach is reported at the start, with the remedy", async () => {
  const isAbout = ({ msg }: LogLine) => msg.includes("V8's heap");
  await using daemon = await startDaemon(["--maxmemory", "900GiB"]);
  assert.match((await daemon.logged(isAbout)).msg, /NODE_OPTIONS=--max-old-space-size=1152000$/);
  await using other = await startDaemon(["--maxmemory", "64MiB"]);
  assert.ok(!other.log.some(isAbout));
});

/** Returns a limit whose state the test sets. */
function makeMemory(): { isFull: boolean } & MemoryLimit {
  const memory = {
    isFull: true,
    refuses: () => false,
    refusal(commands: readonly (readonly ByteString[])[]) {
      const isRefused = memory.isFull && commands.some(([name]) => name === "SET");
      return isRefused ? refused("out-of-memory", "full") : null;
    },
  };
  return double<MemoryLimit>(memory);
}

test("an envelope refused because of full memory is not applied when it is sent again later", () => {
  const memory = makeMemory();
  const clock = { now: 1_790_000_000_000 };
  const scene = makeScene({ clock, pair, parts: { memory } });
  clock.now++;
  const envelope = scene.sign([["SET", "k", "v"]]);
  assert.equal(scene.codeOf(envelope), "out-of-memory");
  assert.equal(scene.codeOf(scene.sign([["DEL", "k"]])), "result");
  memory.isFull = false;
  assert.equal(scene.codeOf(envelope), "out-of-memory");
  assert.equal(scene.get("k"), null);
  assert.equal(scene.codeOf(scene.sign([["SET", "k", "w"]])), "result");
  assert.equal(scene.get("k"), "w");
});

test("in version 1 a refusal closes the connection, with the reason in the log", async () => {
  const backends = [new MemoryBackend(realEnvironment)];
  await using daemon = await startInProcess({ backends, memory: makeMemory() });
  const answer = async (line: string) => {
    using client = await RawClient.open(daemon.port);
    client.command(line);
    return await client.rest();
  };
  assert.equal(await answer("SET k v"), "");
  await until("the refusal is in the log", () => daemon.log.some(({ reason }) => reason === "out-of-memory"));
  using reader = await RawClient.open(daemon.port);
  reader.command("EXISTS k");
  assert.match(await reader.answer(), /0/);
});
