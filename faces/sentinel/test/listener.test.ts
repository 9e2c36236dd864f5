/** Tests the answers of --sentinel: their forms are those of a Redis Sentinel, and the daemons name the same one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Reply } from "../../../protocol/reply.js";
import { skipUnlessFull } from "../../../test/support/amount.js";
import { startDaemonHere } from "../../../test/support/daemon-here.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { MASTER_NAME, RedisSentinels } from "../../../test/support/redis-sentinels.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { until } from "../../../test/support/until.js";
import { startSentinels } from "./sentinel-pair.js";

/** A value without what differs between servers: numbers, ids and addresses. */
function formOf(text: string): string {
  if (/^\d+$/.test(text)) return "number";
  if (/^[0-9a-f]{40}$/.test(text)) return "id";
  return text.replace(/:\d+$/, ":port").replace(/^OK \d+/, "OK n");
}

/** Returns the kind of a reply, and the forms of its values; of a list, only that of its first item. */
function shapeOf(reply: Reply, isNested = false): unknown {
  switch (reply.kind) {
    case "array": {
      const items = reply.items.map((item) => shapeOf(item, true));
      return {
        array: isNested || items.every((item) => typeof item === "string") ? items : items.slice(0, 1),
      };
    }
    case "map":
      return { map: reply.items.map((item) => shapeOf(item, true)) };
    case "bulk":
      return `$${formOf(reply.bytes)}`;
    case "status":
    case "error":
      return `${reply.kind} ${formOf(reply.text)}`;
    default:
      return reply.kind;
  }
}

/** The commands whose answers are compared with those of a Redis Sentinel. */
const COMPARED = [
  "PING",
  "PING text",
  "SENTINEL GET-MASTER-ADDR-BY-NAME main",
  "sentinel get-master-addr-by-name other",
  "SENTINEL MASTERS",
  "SENTINEL MASTER main",
  "SENTINEL MASTER other",
  "SENTINEL REPLICAS main",
  "SENTINEL SLAVES main",
  "SENTINEL SLAVES other",
  "SENTINEL SENTINELS main",
  "SENTINEL SENTINELS other",
  "SENTINEL CKQUORUM main",
  "SENTINEL CKQUORUM other",
  "SENTINEL MYID",
  "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 1 0 *",
  "SENTINEL",
  "SENTINEL other",
  "SENTINEL MASTER",
  "SENTINEL MASTERS a b",
  "SENTINEL REMOVE",
  "ROLE",
  "CLIENT GETNAME",
  "CLIENT SETNAME me",
  "CLIENT GETNAME",
  "CLIENT ID",
  "AUTH nobody wrong",
  "GET key",
  "SELECT 1",
  "PUBLISH channel text",
  "HELLO 2 AUTH nobody wrong",
];

test("each answer has the form of a Redis Sentinel's, in RESP2 and RESP3", {
  skip: skipWithout("redis-server"),
}, async () => {
  await using real = await RedisSentinels.start();
  await using own = await startSentinels(2, ["--sentinel-name", MASTER_NAME], MASTER_NAME);
  await own.untilNamed();
  using wanted = await RedisConnection.open(real.sentinels[0]?.port ?? 0);
  using given = await RedisConnection.open(own.sentinelPorts[0] ?? 0);
  await until("the sentinel lists the other daemon", async () => {
    const replicas = await given.call("SENTINEL", "REPLICAS", MASTER_NAME);
    return replicas.kind === "array" && replicas.items.length > 0;
  });

  for (const protocol of ["2", "3"]) {
    const [hello, helloOfOwn] = [await wanted.call("HELLO", protocol), await given.call("HELLO", protocol)];
    assert.deepEqual(shapeOf(helloOfOwn), shapeOf(hello));
    for (const line of COMPARED) {
      const argv = line.split(" ");
      const [expected, actual] = [await wanted.call(...argv), await given.call(...argv)];
      assert.deepEqual(shapeOf(actual), shapeOf(expected), `RESP${protocol}: ${line}`);
    }
  }
  // Redis Sentinel 7.0 has -3 for SENTINEL CONFIG, later ones have -4.
  const names = ((await given.value("COMMAND", "LIST")) as string[]).filter(
    (name) => name !== "sentinel|config",
  );
  const aritiesAt = async (client: RedisConnection) =>
    ((await client.value("COMMAND", "INFO", ...names)) as ([string, number] | null)[]).map((row) => row?.[1]);
  const [expected, actual] = [await aritiesAt(wanted), await aritiesAt(given)];
  for (const [index, arity] of expected.entries())
    if (arity !== undefined) assert.equal(actual[index], arity, names[index]);
  assert.ok(expected.filter((arity) => arity !== undefined).length >= 25, "Redis has most of them");
});

test("clients choose any name, or the configured one", async () => {
  await using daemon = await startDaemonHere(["--resp", "0", "--sentinel", "0", "--sentinel-name", "orders"]);
  const resp = await daemon.portOf("Redis clients");
  using client = await RedisConnection.open(await daemon.portOf("sentinel clients"));
  const address = ["127.0.0.1", String(resp)];
  assert.deepEqual(await client.value("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "orders"), address);
  assert.equal(await client.value("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"), null);
  assert.match(
    String(await client.value("SENTINEL", "FAILOVER", "orders")),
    /is not possible here: the daemons/,
  );

  await using any = await startDaemonHere(["--resp", "0", "--sentinel", "0"]);
  using other = await RedisConnection.open(await any.portOf("sentinel clients"));
  const found = await other.value("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "anything");
  assert.deepEqual(found, ["127.0.0.1", String(await any.portOf("Redis clients"))]);
  assert.deepEqual(await other.value("SENTINEL", "SENTINELS", "anything"), []);
});

test("--announce and --announce-sentinel replace the addresses, also in the answers of the other daemon", {
  skip: skipUnlessFull,
}, async () => {
  const announced = ["--announce", "one.example:7001", "--announce-sentinel", "[2001:db8::1]:7002"];
  await using own = await startSentinels(2, announced);
  for (const port of own.sentinelPorts) {
    using client = await RedisConnection.open(port);
    await until("both daemons name one", async () => {
      const address = await client.value("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster");
      return JSON.stringify(address) === '["one.example","7001"]';
    });
    await until("the other sentinel is known", async () => {
      const [other] = (await client.value("SENTINEL", "SENTINELS", "mymaster")) as string[][];
      return other?.[3] === "2001:db8::1" && other[5] === "7002";
    });
  }
});

test("subscribers may send only commands of subscriptions, and the channels are not those of the data", async () => {
  await using daemon = await startDaemonHere(["--resp", "0", "--sentinel", "0"]);
  using client = await RawClient.open(await daemon.portOf("sentinel clients"));
  client.send("SUBSCRIBE +switch-master other\r\nPSUBSCRIBE *\r\nPING hello\r\nSENTINEL masters\r\n");
  await client.readTo("psubscribe\r\n$1\r\n*\r\n:3\r\n");
  assert.equal(
    await client.read("*2\r\n$4\r\npong\r\n$5\r\nhello\r\n".length),
    "*2\r\n$4\r\npong\r\n$5\r\nhello\r\n",
  );
  assert.match(await client.readTo("\r\n"), /^-ERR Can't execute 'sentinel\|masters': only/);

  using data = await RedisConnection.open(await daemon.portOf("Redis clients"));
  assert.equal(await data.value("PUBLISH", "+switch-master", "lie"), 0);
  client.send("UNSUBSCRIBE\r\nPUNSUBSCRIBE\r\nQUIT\r\n");
  const rest = await client.rest();
  assert.doesNotMatch(rest, /lie/);
  assert.match(rest, /\+OK\r\n$/);
});

/** Subscribes to the changes that a sentinel publishes. */
async function subscribed(port: number): Promise<RawClient> {
  const client = await RawClient.open(port);
  client.send("SUBSCRIBE +switch-master +sdown\r\n");
  await client.readTo("+sdown\r\n:2\r\n");
  return client;
}

test("all daemons name one that accepts writes, publish each change once, and keep it when an earlier one returns", {
  skip: skipUnlessFull,
}, async () => {
  await using own = await startSentinels(3);
  const text = (index: number) => `127.0.0.1 ${own.respPorts[index]}`;
  const change = (from: number, to: number) => `mymaster ${text(from)} ${text(to)}\r\n`;
  const first = await own.untilNamed();
  const subscribers = await Promise.all(own.sentinelPorts.map(subscribed));

  await own.trio.end(first, "SIGKILL");
  const second = await own.untilNamed((index) => index !== first);
  using resp = await RedisConnection.open(own.respPorts[second] ?? 0);
  assert.deepEqual(await resp.value("ROLE"), ["master", 0, []]);

  await own.trio.start(first);
  await own.trio.until("all daemons name the second one", async () => {
    const named = await own.named();
    return named.length === 3 && named.every((port) => port === own.respPorts[second]);
  });

  await own.trio.end(second, "SIGTERM");
  const third = await own.untilNamed((index) => index !== second);
  const remaining = subscribers.find((_, index) => index !== first && index !== second) as RawClient;
  const received = await remaining.readTo(change(second, third));
  assert.deepEqual(received.match(/^mymaster .*\r\n/gm), [change(first, second), change(second, third)]);
  assert.ok(received.includes(`master mymaster ${text(first)}\r\n`), "+sdown");
  for (const one of subscribers) one[Symbol.dispose]();
});
