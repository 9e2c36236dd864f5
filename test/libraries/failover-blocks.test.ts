/**
 * Tests the blocks of docs/active-active.md, "Failover of clients", as printed: HAProxy and clients of a pair whose
 * daemons are killed, hang, or accept no writes. Only the ports are replaced.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { error, type Reply } from "../../protocol/reply.js";
import { subscriptionReply, writeCommand, writeReply } from "../../protocol/resp/resp-writer.js";
import { ActiveCluster } from "../support/active-cluster.js";
import { skipUnlessFull } from "../support/amount.js";
import { kill, killedAtExit } from "../support/child-process.js";
import { startDaemon } from "../support/daemon-process.js";
import { freePort, listenAtFreePort } from "../support/free-port.js";
import { pause } from "../support/pause.js";
import { RedisConnection, textOf } from "../support/redis-connection.js";
import { ReplyReader } from "../support/reply-reader.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { until } from "../support/until.js";
import { RepeatingProgram } from "./repeating-program.js";

const PYTHON = "/usr/bin/python3";
const OPERATIONS = 30;
/** Longer than the --standstill of the test, in milliseconds. */
const SUSPENDED_MS = 1_500;
/** The ports of the page: of the proxy, and of the daemons for clients, for health checks and for sentinels. */
const [PROXY, RESP, ADMIN] = ["6378", ["6379", "6380"], ["9464", "9465"]] as const;
const SENTINEL = ["26379", "26380"] as const;

const page = readFileSync(join(repositoryRoot, "docs/active-active.md"), "utf8");
const file = readFileSync(join(repositoryRoot, "examples/production/haproxy.cfg"), "utf8");
const scratch = mkdtempSync(join(tmpdir(), "dbsync-failover-"));
symlinkSync(join(repositoryRoot, "node_modules"), join(scratch, "node_modules"));
after(() => rmSync(scratch, { recursive: true }));

/** Returns the block of a language that contains a text. */
function block(language: string, contained: string): string {
  const found = [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))]
    .map(([, text = ""]) => text)
    .filter((text) => text.includes(contained));
  assert.equal(found.length, 1, `one ${language} block with ${contained}`);
  return found[0] as string;
}

/** Replaces ports, each of which the text must contain. */
function withPorts(text: string, ports: Readonly<Record<string, number>>): string {
  for (const port of Object.keys(ports)) assert.match(text, new RegExp(`\\b${port}\\b`));
  return text.replace(/\b\d{4,5}\b/g, (port) => String(ports[port] ?? port));
}

/** Starts a pair whose daemons serve `/healthz`. */
async function startPair(args: readonly string[] = []): Promise<{ pair: ActiveCluster; admin: number[] }> {
  const admin = [await freePort(), await freePort()];
  const pair = await ActiveCluster.start(2, { args: (index) => ["--admin", String(admin[index]), ...args] });
  return { pair, admin };
}

/** Starts HAProxy with the printed block. @returns its port */
async function startProxy({ pair, admin }: { pair: ActiveCluster; admin: readonly number[] }) {
  const port = await freePort();
  const ports = { [PROXY]: port } as Record<string, number>;
  for (const index of pair.indices) {
    ports[RESP[index] as string] = pair.respPort(index);
    ports[ADMIN[index] as string] = admin[index] as number;
  }
  const path = join(scratch, `haproxy-${port}.cfg`);
  writeFileSync(path, withPorts(block("haproxy", "listen redis"), ports));
  const child = killedAtExit(spawn("haproxy", ["-db", "-f", path], { stdio: "ignore" }));
  return { port, [Symbol.asyncDispose]: () => kill(child) };
}

/** Waits until new connections to a port reach the daemon with an index. */
async function untilServedBy(pair: ActiveCluster, index: number, port: number): Promise<void> {
  await until(
    `the proxy connects clients to daemon ${index}`,
    async () => (await textOf(port, "INFO", "server")).includes(`tcp_port:${pair.respPort(index)}\r\n`),
    { mayFail: true },
  );
}

/** The clients: the printed block, the beginning of its part for sentinels, the text that replaces it, and a loop. */
const CLIENTS = {
  ioredis: {
    language: "js",
    block: "sentinels",
    redis: "const redis = ",
    proxied: "new Redis({ ...settings, port: 6378 })",
    command: [process.execPath, "increments.mjs"],
    loop: `
      redis.on("error", () => {});
      let [isOver, done] = [false, 0];
      const errors = {};
      process.stdin.resume().once("end", () => (isOver = true));
      while (!isOver)
        try {
          await redis.incr("count");
          console.log(++done);
        } catch (error) {
          errors[error.message] = (errors[error.message] ?? 0) + 1;
        }
      console.log(JSON.stringify(errors));
      redis.disconnect();`,
  },
  "redis-py": {
    language: "python",
    block: "Sentinel",
    redis: "sentinel = ",
    proxied: "Redis(port=6378, **settings)",
    command: [PYTHON, "increments.py"],
    loop: `
import json, sys, threading
from collections import Counter
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
done, errors = 0, Counter()
while not over.is_set():
    try:
        redis.incr("count")
        done += 1
        print(done, flush=True)
    except Exception as error:
        errors[f"{type(error).__name__}: {error}"] += 1
print(json.dumps(errors), flush=True)`,
  },
} as const;

type ClientName = keyof typeof CLIENTS;

/** Starts a client with the printed block. @param ports  the sentinels' ports */
function startClient(name: ClientName, ports: readonly number[]): RepeatingProgram {
  const { language, block: contained } = CLIENTS[name];
  const pairs = SENTINEL.map((port, index) => [port, ports[index] as number] as const);
  return startProgram(name, withPorts(block(language, contained), Object.fromEntries(pairs)));
}

/** Starts a client with the printed settings for a port without sentinels. */
function startPlainClient(name: ClientName, port: number): RepeatingProgram {
  const { language, block: contained, redis, proxied } = CLIENTS[name];
  assert.ok(page.includes(`\`${proxied}\``), proxied);
  const printed = block(language, contained);
  const settings = printed.slice(0, printed.indexOf(redis));
  const created = `${language === "js" ? redis : "from redis import Redis\nredis = "}${proxied}`;
  return startProgram(name, settings + withPorts(created, { [PROXY]: port }));
}

function startProgram(name: ClientName, text: string): RepeatingProgram {
  const { command, loop } = CLIENTS[name];
  const [program, path] = command;
  writeFileSync(join(scratch, path), `${text}\n${loop}`);
  return new RepeatingProgram([program, path], { cwd: scratch });
}

const skipFor = (name: ClientName) => name === "redis-py" && skipWithout("python3-redis");

/** Checks that each daemon has every increment that was acknowledged, and at most the repeated ones in addition. */
async function assertCounted(pair: ActiveCluster, acknowledged: number, repeatedMax: number): Promise<void> {
  await pair.untilEqual();
  for (const count of (await pair.answers("GET", "count")).map(Number))
    assert.ok(count >= acknowledged && count <= acknowledged + repeatedMax, `${count} of ${acknowledged}`);
}

test("examples/production/haproxy.cfg is the printed block, and HAProxy accepts it", {
  skip: skipWithout("haproxy"),
}, () => {
  assert.equal(file.slice(file.indexOf("defaults\n")), block("haproxy", "listen redis"));
  const path = join(scratch, "haproxy.cfg");
  writeFileSync(path, file);
  const { status, stderr } = spawnSync("haproxy", ["-c", "-f", path], { encoding: "utf8" });
  assert.deepEqual([status, stderr], [0, ""]);
});

test("HAProxy connects clients to the other daemon when theirs is killed, and back when it has caught up", {
  skip: skipUnlessFull || skipWithout("haproxy"),
}, async () => {
  const started = await startPair();
  await using pair = started.pair;
  await using proxy = await startProxy(started);
  await untilServedBy(pair, 0, proxy.port);
  using client = startPlainClient("ioredis", proxy.port);
  await client.goesOn("the start", OPERATIONS);
  await pair.end(0, "SIGKILL");
  await client.goesOn("a kill", OPERATIONS);
  await untilServedBy(pair, 1, proxy.port);
  await pair.restart(0);
  await untilServedBy(pair, 0, proxy.port);
  await client.goesOn("a start", OPERATIONS);
  const acknowledged = client.done;
  assert.deepEqual(await client.end(), {});
  await assertCounted(pair, acknowledged, client.done - acknowledged + 2);
});

for (const name of ["ioredis", "redis-py"] as const)
  test(`${name} behind HAProxy continues while daemons hang, catch up and are killed`, {
    skip: skipUnlessFull || skipWithout("haproxy") || skipFor(name),
  }, async () => {
    const started = await startPair();
    await using pair = started.pair;
    await using proxy = await startProxy(started);
    await untilServedBy(pair, 0, proxy.port);
    using client = startPlainClient(name, proxy.port);
    await client.goesOn("the start", OPERATIONS);

    pair.hang(0);
    await client.goesOn("a hang", OPERATIONS);
    await untilServedBy(pair, 1, proxy.port);
    pair.resume(0);
    await untilServedBy(pair, 0, proxy.port);

    await pair.end(0, "SIGKILL");
    await client.goesOn("a kill", OPERATIONS);
    // Without its peer, the daemon serves reads, but accepts no writes for some seconds.
    pair.areApart = true;
    await pair.spawn(0);
    await client.goesOn("a start without the peer", OPERATIONS);
    assert.match(await textOf(proxy.port, "INFO", "server"), new RegExp(`tcp_port:${pair.respPort(1)}\\r`));
    pair.areApart = false;
    await untilServedBy(pair, 0, proxy.port);

    await pair.end(1, "SIGKILL");
    await client.goesOn("a kill of the unused daemon", OPERATIONS);
    await pair.restart(1);
    const acknowledged = client.done;
    assert.deepEqual(await client.end(), {});
    await assertCounted(pair, acknowledged, client.done - acknowledged + 4);
  });

for (const name of ["ioredis", "redis-py"] as const)
  test(`${name} repeats a command of a connected client that was answered with LOADING`, {
    skip: skipUnlessFull || skipFor(name),
  }, async () => {
    await using pair = await ActiveCluster.start(2, { args: () => ["--standstill", "1s"] });
    const port = pair.respPort(0);
    using plain = await RedisConnection.open(port);
    using client = startPlainClient(name, port);
    await client.goesOn("the start", OPERATIONS);

    // A daemon that was suspended accepts no writes until it has compared its entries with those of its peer.
    pair.areApart = true;
    await until("a plain client receives LOADING", async () => {
      pair.hang(0);
      await pause(SUSPENDED_MS);
      pair.resume(0);
      return String(await plain.value("INCR", "other")).includes("LOADING");
    });
    pair.areApart = false;
    await client.goesOn("LOADING", OPERATIONS);

    assert.deepEqual(await client.end(), {});
    await assertCounted(pair, client.done, 1);
  });

/**
 * The maximum number of jobs that are lost, one for each kill or hang: a job that Celery has popped, but not yet
 * recorded as taken. This may happen with Redis too.
 */
const LOST_MAX = 3;

for (const name of ["ioredis", "redis-py"] as const)
  test(`${name} with sentinels continues while daemons are killed, hang and return`, {
    skip: skipUnlessFull || skipFor(name),
  }, async () => {
    const sentinels = [await freePort(), await freePort()];
    await using pair = await ActiveCluster.start(2, {
      args: (index) => ["--sentinel", String(sentinels[index])],
    });
    using client = startClient(name, sentinels);
    await client.goesOn("the start", OPERATIONS);

    for (const index of pair.indices) {
      await pair.end(index, "SIGKILL");
      await client.goesOn(`a kill of daemon ${index}`, OPERATIONS);
      await pair.restart(index);
      pair.hang(1 - index);
      await client.goesOn(`a hang of daemon ${1 - index}`, OPERATIONS);
      pair.resume(1 - index);
      await pair.untilWritable(1 - index);
    }

    const acknowledged = client.done;
    assert.deepEqual(await client.end(), {});
    await assertCounted(pair, acknowledged, client.done - acknowledged + 4);
  });

/** A sentinel that can publish a change while it is asked for the master. */
async function startSwitchingSentinel(master: number) {
  const subscribers = new Set<Socket>();
  let isSwitching = false;
  async function answer(socket: Socket, [command = "", argument = ""]: readonly string[]): Promise<string> {
    if (command === "subscribe") subscribers.add(socket.once("close", () => subscribers.delete(socket)));
    if (command === "subscribe") return writeReply(subscriptionReply(command, argument, 1));
    if (argument === "sentinels") return writeCommand([]);
    if (argument !== "get-master-addr-by-name") return writeReply(error(`ERR unknown command '${command}'`));
    if (isSwitching)
      for (const each of subscribers) each.write(writeCommand(["message", "+switch-master", "mymaster"]));
    // ioredis ends its subscriptions when it has received the message, or had ended them before its request.
    if (isSwitching) await until("the client does not subscribe any more", () => subscribers.size === 0);
    isSwitching = false;
    return writeCommand(["127.0.0.1", String(master)]);
  }

  const server = createServer((socket) => {
    const reader = new ReplyReader();
    let written = Promise.resolve();
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      for (const request of reader.push(chunk)) {
        const argv = request.kind === "array" ? request.items.map(textOfReply) : [];
        written = written.then(async () => {
          socket.write(await answer(socket, argv));
        });
      }
    });
  });
  const port = await listenAtFreePort(server);
  return {
    port,
    async switchAtNextRequest() {
      await until("the client has subscribed", () => subscribers.size > 0);
      isSwitching = true;
    },
    [Symbol.dispose]: () => server.close(),
  };
}

const textOfReply = (reply: Reply) => (reply.kind === "bulk" ? reply.bytes : "");

test("ioredis continues when the master changes while it connects again", async () => {
  await using daemon = await startDaemon(["--resp", "0"]);
  const resp = await daemon.portOf("Redis clients");
  using sentinel = await startSwitchingSentinel(resp);
  using client = startClient("ioredis", [sentinel.port, sentinel.port]);
  await client.goesOn("the start", OPERATIONS);
  await sentinel.switchAtNextRequest();
  assert.notEqual(await textOf(resp, "CLIENT", "KILL", "TYPE", "normal"), "0");
  await client.goesOn("a change during its request", OPERATIONS);
  assert.deepEqual(await client.end(), {});
});

/** A module of Celery with the printed configuration. Its task appends its number to a file. */
const CELERY_TASKS = `
from celery import Celery
app = Celery("tasks")
app.config_from_object("celeryconfig")

@app.task
def work(number):
    with open("worked.txt", "a") as file:
        file.write(f"{number}\\n")
`;
const CELERY_PRODUCER = `
import json, sys, threading
from collections import Counter
from tasks import work
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
done, errors = 0, Counter()
while not over.is_set():
    try:
        work.delay(done + 1)
        done += 1
        print(done, flush=True)
    except Exception as error:
        errors[f"{type(error).__name__}: {error}"] += 1
    over.wait(0.02)
print(json.dumps(errors), flush=True)
`;

test("Celery with a list of brokers does the jobs while daemons are killed and hang", {
  skip: skipUnlessFull || skipWithout("python3-celery"),
}, async () => {
  await using pair = await ActiveCluster.start(2);
  const ports = Object.fromEntries(RESP.map((port, index) => [port, pair.respPort(index)]));

  writeFileSync(join(scratch, "celeryconfig.py"), withPorts(block("python", "broker_url"), ports));
  writeFileSync(join(scratch, "tasks.py"), CELERY_TASKS);
  writeFileSync(join(scratch, "producer.py"), CELERY_PRODUCER);

  const options = ["-A", "tasks", "worker", "-c", "2", "-P", "threads", "-l", "CRITICAL"];
  const worker = killedAtExit(
    spawn(PYTHON, ["-m", "celery", ...options], {
      cwd: scratch,
      stdio: "ignore",
      env: { PATH: process.env["PATH"] },
    }),
  );

  try {
    using producer = new RepeatingProgram([PYTHON, "producer.py"], { cwd: scratch });
    const worked = () => new Set(readFileSync(join(scratch, "worked.txt"), "utf8").split("\n").map(Number));
    const goesOn = async (after: string) => {
      const added = producer.done;
      await producer.goesOn(after, OPERATIONS);
      await until(`workers do later jobs after ${after}`, () => Math.max(...worked()) > added, {
        mayFail: true,
      });
    };

    await goesOn("the start");
    await pair.end(0, "SIGKILL");
    await goesOn("a kill");

    await pair.restart(0);
    pair.hang(1);
    await goesOn("a hang");

    pair.resume(1);
    await pair.untilWritable(1);
    await pair.end(0, "SIGKILL");
    await goesOn("another kill");

    assert.deepEqual(await producer.end(), {});
    const { done } = producer;
    const lost = () =>
      Array.from({ length: done }, (_, n) => n + 1).filter((number) => !worked().has(number));
    await until("the workers do every job", () => lost().length <= LOST_MAX);
  } finally {
    await kill(worker);
  }
});
