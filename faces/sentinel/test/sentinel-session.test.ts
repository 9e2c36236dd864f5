/** Tests the sessions of --sentinel in the test process: logins, and messages about changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NamedDaemon } from "../../../daemon/cluster/peers/shared/named-daemon.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import type { ServiceMessage } from "../../../protocol/members/member-messages.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { startUserListener, type UserSceneOptions } from "../../../test/faces/user-scene.js";
import { double } from "../../../test/support/double.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { until } from "../../../test/support/until.js";
import { namesInOneTurn } from "../../redis/test/names-in-one-turn.js";
import type { DaemonInterface, UserSocketHost } from "../../users/user-listener.js";
import { SentinelListener } from "../sentinel-listener.js";
import { SentinelServer } from "../sentinel-server.js";

const [OWN, OTHER] = ["1".repeat(32), "2".repeat(32)] as const;
const DOWN_AFTER_MS = 600_000;

/** A sentinel of a daemon on all addresses, with one member. */
async function startSentinel(options: UserSceneOptions = {}, address = "127.0.0.1") {
  const service = { acceptsWrites: true, resp: { host: "", port: 6379 }, sentinel: null };
  const named = new NamedDaemon({
    id: OWN,
    hasPeers: () => false,
    own: () => service,
    downAfterMs: () => DOWN_AFTER_MS,
    uptime: () => performance.now(),
    startedAt: 1,
  });

  const logged: string[] = [];
  const daemon = double<DaemonInterface>({
    named,
    port: 0,
    settings: { sentinelName: null, announceSentinel: null },
    writeLog: (_, text) => void logged.push(text),
  });

  const scene = await startUserListener(
    options,
    (parts) => new SentinelListener({ ...parts, daemon, address }),
  );

  const statement: ServiceMessage = {
    ...{ kind: "service", serial: 1, epoch: 1, named: null, seen: 0, address: null, acceptsWrites: true },
    ...{ resp: { host: "10.0.0.2", port: 6380 }, sentinel: { host: "10.0.0.2", port: 26380 } },
  };
  return Object.assign(scene, {
    service,
    named,
    logged,
    /** Receives a statement of the member. */
    state: (changes: Partial<ServiceMessage> = {}) =>
      named.receive(OTHER, { ...statement, ...changes }, "10.0.0.2:40000"),
  });
}

test("users log in with their passwords, whatever their rights are, and a removed user is disconnected", async () => {
  await using scene = await startSentinel({ users: ["user default off", "user ann on >secret ~none -@all"] });
  using client = await RedisConnection.open(scene.port);
  assert.match(String(await client.value("SENTINEL", "MASTERS")), /^Error: NOAUTH /);
  assert.match(String(await client.value("PING")), /^Error: NOAUTH /);
  assert.match(String(await client.value("AUTH", "ann", "wrong")), /^Error: WRONGPASS /);
  assert.match(String(await client.value("HELLO", "2")), /^Error: NOAUTH /);
  assert.equal(await client.value("AUTH", "ann", "secret"), "OK");
  assert.equal(((await client.value("SENTINEL", "MASTERS")) as unknown[]).length, 1);
  using subscriber = await RawClient.open(scene.port);
  subscriber.send("AUTH ann secret\r\nSUBSCRIBE +switch-master\r\n");
  await subscriber.readTo(":1\r\n");

  scene.users.remove("ann");
  await subscriber.rest();
  assert.ok(subscriber.ended);
});

test("a list of many channels is subscribed to in several turns, and its answers are in order", async (t) => {
  await using scene = await startSentinel();
  using client = await RawClient.open(scene.port);
  const channels = Array.from({ length: 10_000 }, (_, i) => `c:${i}`);
  for (const [words, wanted] of [
    [["SUBSCRIBE", ...channels], channels.map((name, i) => [name, i + 1])],
    [["UNSUBSCRIBE"], channels.map((name, i) => [name, channels.length - i - 1])],
  ] as const) {
    const request = `${writeCommand(words)}PING end\r\n`;
    const { answer, names } = await namesInOneTurn(t, client, request, "$3\r\nend\r\n");
    // Two turns of the listener may follow each other between two of the test.
    assert.ok(names > 0 && names <= 2000, `${names} names in one turn`);
    const confirmed = [...answer.matchAll(/subscribe\r\n\$\d+\r\n(c:\d+)\r\n:(\d+)/g)];
    assert.deepEqual(
      confirmed.map(([, name, count]) => [name, Number(count)]),
      wanted,
    );
  }
});

test("each change is published once for each name, with the address by which clients reach this daemon", async () => {
  await using scene = await startSentinel();
  scene.state();
  using client = await RedisConnection.open(scene.port);
  const address = await client.value("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "shop");
  assert.deepEqual(address, ["127.0.0.1", "6379"]);
  using subscriber = await RawClient.open(scene.port);
  subscriber.send("SUBSCRIBE +switch-master +sdown\r\n");
  await subscriber.readTo(":2\r\n");

  scene.service.acceptsWrites = false;
  const [own, other] = ["127.0.0.1 6379", "10.0.0.2 6380"];
  const texts = (await subscriber.readTo(`shop ${own} ${other}\r\n`)).match(/^(?:master )?\w+ 1.*$/gm);
  assert.deepEqual(
    texts?.map((one) => one.trim()),
    [`master mymaster ${own}`, `master shop ${own}`, `mymaster ${own} ${other}`, `shop ${own} ${other}`],
  );

  scene.service.acceptsWrites = true;
  scene.state({ acceptsWrites: false });
  await subscriber.readTo(`shop ${other} ${own}\r\n`);
  assert.equal(scene.logged.filter((line) => line.includes("10.0.0.2:6380")).length, 1);
});

test("INFO counts the earlier commands and all connections of this listener", async () => {
  await using scene = await startSentinel();
  const answers = await scene.exchange("PING\r\nINFO stats\r\nINFO stats\r\n");
  assert.deepEqual(
    [...answers.matchAll(/^total_(?:connections|commands).*:(\d+)\r$/gm)].map(([, count]) => Number(count)),
    [1, 1, 1, 2],
  );
});

test("each client receives the address at which it has reached this machine", {
  skip: process.platform !== "linux" && "127.0.0.2 is an address of the machine only on Linux",
}, async () => {
  await using scene = await startSentinel({}, "0.0.0.0");
  scene.state();
  await until("this daemon is named", () => scene.named.current?.id === OWN);

  const hosts = ["127.0.0.2", "127.0.0.1"] as const;
  const clients = await Promise.all(hosts.map((host) => RawClient.open(scene.port, host)));
  for (const client of clients) client.send("SUBSCRIBE +switch-master\r\n");
  for (const client of clients) await client.readTo(":1\r\n");

  const info = await Promise.all(
    hosts.map(async (host) => {
      using client = await RawClient.open(scene.port, host);
      client.send("INFO sentinel\r\n");
      return await client.readTo("sentinels=");
    }),
  );

  scene.service.acceptsWrites = false;
  for (const [index, host] of hosts.entries()) {
    assert.ok(info[index]?.includes(`address=${host}:6379`));
    assert.match(
      (await clients[index]?.readTo(" 6380\r\n")) ?? "",
      new RegExp(`mymaster ${host} 6379 10\\.0\\.0\\.2 6380\r\n$`),
    );
  }
  for (const client of clients) client[Symbol.dispose]();
});

test("the channels of an address end with its last connection", () => {
  const users = double<UserSocketHost["users"]>({ generation: 0 });
  const host = double<UserSocketHost>({ environment: realEnvironment, users });
  const server = new SentinelServer(host, double<DaemonInterface>({ named: double<NamedDaemon>({}) }));
  const channels = server.connected("10.0.0.1");
  assert.equal(server.connected("10.0.0.1"), channels);
  assert.notEqual(server.connected("10.0.0.2"), channels);
  server.disconnected("10.0.0.2");
  server.disconnected("10.0.0.1");
  assert.deepEqual(server.channels, [["10.0.0.1", channels]]);
  server.disconnected("10.0.0.1");
  assert.deepEqual(server.channels, []);
});

test("COMMAND INFO describes at most as many names as there are commands", async () => {
  await using scene = await startSentinel();
  using client = await RedisConnection.open(scene.port);
  const names = (count: number) => Array<string>(count).fill("PING");
  assert.equal(((await client.value("COMMAND", "INFO", ...names(20))) as unknown[]).length, 20);
  assert.match(
    String(await client.value("COMMAND", "INFO", ...names(1000))),
    /^Error: ERR COMMAND INFO expects at most \d+ names$/,
  );
});

test("a daemon with another id at the same address is not published as a change", async () => {
  await using scene = await startSentinel();
  await until("this daemon is named", () => scene.named.current?.id === OWN);
  using subscriber = await RawClient.open(scene.port);
  subscriber.send("SUBSCRIBE +switch-master\r\n");
  await subscriber.readTo(":1\r\n");

  scene.named.receive(OTHER, statementAt("127.0.0.1", 6379), "127.0.0.1:40000");
  scene.service.acceptsWrites = false;
  await until("the listener has noticed that the other daemon is named", () => scene.logged.length === 2);
  scene.named.receive(OTHER, statementAt("127.0.0.1", 6381), "127.0.0.1:40000");
  const received = await subscriber.readTo("mymaster 127.0.0.1 6379 127.0.0.1 6381\r\n");
  assert.equal(received.match(/mymaster /g)?.length, 1);
});

/** Returns a member's statement with an address. */
const statementAt = (host: string, port: number): ServiceMessage => ({
  ...{ kind: "service", serial: 1, epoch: 1, named: null, seen: 0, address: null, acceptsWrites: true },
  ...{ resp: { host, port }, sentinel: null },
});
