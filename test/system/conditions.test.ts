/**
 * Tests on each transport that conditions are answered as they were applied, which clients share a lock
 * (`SET lock me NX`) safely at daemons with a member list, and which clients change a key that both have read, as
 * docs/consistency.md lists them. The rules for conditions
 * themselves are tested without a transport, in test/daemon.
 */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, before, type TestContext, test } from "node:test";
import { Redis } from "ioredis";
import { WebSocket } from "ws";
import { createClient } from "../../client/browser/public-api.js";
import type { Client } from "../../client/public-api.js";
import { shown } from "../conformance/resp2-fold.js";
import { PHP_FILE } from "../examples/php-script.js";
import { env, PYTHON } from "../python/running.js";
import { PATIENT } from "../support/active-cluster.js";
import { amount, skipUnlessFull } from "../support/amount.js";
import type { DaemonHere } from "../support/daemon-here.js";
import { contributionsOf } from "../support/face-contributions.js";
import { RedisConnection, type RedisValue } from "../support/redis-connection.js";
import { skipWithout } from "../support/requirements.js";
import { authorizeDaemons, respPort } from "../support/resp-trio.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { startSidecar } from "../support/start-sidecar.js";
import { Trio } from "../support/trio.js";
import { nextTurn, until } from "../support/until.js";
import {
  type Answer,
  type Contender,
  type FaceTransport,
  RedisContender,
  SignedContender,
} from "./contenders.js";

const ROUNDS = amount(6, 40);
const LIFETIME_MS = 120_000;
/** The timeout of the clients in milliseconds. */
const CALL_MS = 20_000;

/** The clients without keys of other faces than that of Redis. */
const FACES = [
  ...(await contributionsOf<{ readonly transport: FaceTransport }>("contender.js")).values(),
].map(({ transport }) => transport);
const PORTS = ["resp", ...FACES.map(({ option }) => option)].flatMap((option) => [`--${option}`, "0"]);
let trio: Trio;
let sidecar: DaemonHere;
let folder: ScratchFolder;
/** A client of all daemons, whose writes reach each of them. */
let client: Client;
let keys = 0;

before(async () => {
  folder = new ScratchFolder();
  trio = await Trio.start([...PORTS, "--ws", "0"], undefined, { areHere: true });
  await authorizeDaemons(trio);
  await trio.list();
  sidecar = await startSidecar(folder.privateKey(trio.app), trio.servers, PORTS);
  client = trio.client();
});
after(async () => {
  await client?.close();
  await sidecar?.[Symbol.asyncDispose]();
  await trio?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const failed = (message: string) => assert.fail(message);

/** A path of commands to the daemons. */
interface Transport {
  /** @param daemon  the index of the daemon to which it connects, if it connects to one; default: 0 */
  readonly open: (t: TestContext, daemon?: number) => Promise<Contender>;
  /** Whether the members decide on its conditions. */
  readonly areDecided: boolean;
  /** Whether it has conditions on the last writer, besides those of commands; default: true. */
  readonly hasIf?: boolean;
  readonly skip?: string | false;
}

async function signed(t: TestContext): Promise<Contender> {
  const own = trio.client();
  t.after(() => own.close());
  // A client requests decisions once it is connected.
  await own.call("DEL nothing", { policy: "all" });
  return new SignedContender("createClient", own, failed);
}

async function webPage(t: TestContext): Promise<Contender> {
  const pkcs8 = trio.app.privateKey.export({ type: "pkcs8", format: "der" });
  const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
  const pem = trio.app.pem.split("\n").slice(1, -2).join("");
  const spki = Uint8Array.from(Buffer.from(pem, "base64")).buffer;
  const ports = trio.ports.map((_, index) => trio.daemon(index).portOf("WebSocket clients"));
  const servers = (await Promise.all(ports)).map((port) => `ws://127.0.0.1:${port}`);
  const makeSocket = (url: string, protocol: string) => new WebSocket(url, protocol);
  const page = createClient({ servers, key: { privateKey, spki }, makeSocket, timeout: CALL_MS });
  t.after(() => page.close());
  await page.call("DEL nothing", { policy: "all" });
  return new SignedContender("a web page", page, failed);
}

async function redisOf(t: TestContext, of: DaemonHere): Promise<Contender> {
  const redis = new Redis({ port: await of.portOf("Redis clients") });
  t.after(() => redis.disconnect());
  await redis.ping();
  return new RedisContender("redis", redis, failed);
}

/** A program in another language with a client. It answers each line of JSON with a line of JSON. */
class Program {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;

  constructor(t: TestContext, program: string, args: readonly string[]) {
    this.#child = spawn(program, args, { env: { ...process.env, ...env } });
    this.#child.stderr.pipe(process.stderr);
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    t.after(() => void this.#child.kill());
  }

  async ask(request: unknown): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#answers.next();
    return done === true ? assert.fail("the program has ended") : JSON.parse(value);
  }
}

/**
 * Answers calls, with the condition that a unit wrote a key last. An error, also one with an unknown effect, ends the
 * program.
 */
const PYTHON_CODE = `
import asyncio, json, sys
from dbsync import AsyncClient, Client, Condition
servers, key, kind = sys.argv[1:]
loop = asyncio.new_event_loop()
given = {"decode_responses": True, "timeout": ${CALL_MS / 1000}}
client = (Client if kind == "blocking" else AsyncClient)(servers.split(","), key, **given)
for line in sys.stdin:
    call, writers = json.loads(line)
    conditions = None if writers is None else [Condition(call[1], writers[0])]
    reply = client.writers(call[1]) if call[0] == "WRITERS" else client.call(*call, conditions=conditions)
    print(json.dumps(reply if kind == "blocking" else loop.run_until_complete(reply)), flush=True)
`;

async function python(t: TestContext, kind: "blocking" | "asyncio"): Promise<Contender> {
  const key = folder.privateKey(trio.app, "python.pem");
  const program = new Program(t, PYTHON, ["-c", PYTHON_CODE, trio.servers.join(), key, kind]);
  const call = (words: readonly string[], writer: unknown = null) => program.ask([words, writer]);
  const answer = async (reply: Promise<unknown>) => ((await reply) === null ? "nil" : "applied");
  return {
    name: `Python, ${kind}`,
    get: async (key) => (await call(["GET", key])) as string | null,
    setAbsent: (key, value, ms) => answer(call(["SET", key, value, "PX", String(ms), "NX"])),
    async change(key, next) {
      const writers = await call(["WRITERS", key]);
      const value = await next((await call(["GET", key])) as string | null);
      return value == null ? "refused" : await answer(call(["SET", key, value], writers));
    },
  };
}

/** Answers calls. The PHP client has no other conditions than those of commands. A failure ends the program. */
const PHP_CODE = `
require $argv[1];
$options = ['servers' => $argv[2], 'signkey' => $argv[3], 'timeout' => ${CALL_MS / 1000}];
while (($line = fgets(STDIN)) !== false) {
    echo json_encode(dbsync_call(json_decode($line), $options)), PHP_EOL;
}
`;

async function php(t: TestContext): Promise<Contender> {
  const key = folder.privateKey(trio.app, "php.pem");
  const program = new Program(t, "php", ["-r", PHP_CODE, PHP_FILE, trio.servers.join(), key]);
  return {
    name: "PHP",
    get: async (key) => (await program.ask(["GET", key])) as string | null,
    setAbsent: async (key, value, ms) =>
      (await program.ask(["SET", key, value, "PX", String(ms), "NX"])) === null ? "nil" : "applied",
    change: () => Promise.resolve("refused"),
  };
}

/** Returns the clients of a face at the sidecar, or at a daemon. */
function ofFace({ clients, option, open }: FaceTransport, isSidecar: boolean): [name: string, Transport] {
  const at = async (index: number) => await (isSidecar ? sidecar : trio.daemon(index)).portOf(clients);
  return [
    `a --${option} client of a ${isSidecar ? "sidecar" : "daemon"}`,
    { open: async (t, index = 0) => await open(t, await at(index)), areDecided: isSidecar },
  ];
}

const TRANSPORTS: Readonly<Record<string, Transport>> = {
  "a program with createClient": { open: signed, areDecided: true },
  "a web page": { open: webPage, areDecided: true },
  "a Redis client of a sidecar": { open: (t) => redisOf(t, sidecar), areDecided: true },
  "a Redis client of a daemon": {
    open: (t, index = 0) => redisOf(t, trio.daemon(index)),
    areDecided: false,
  },
  ...Object.fromEntries(FACES.flatMap((face) => [ofFace(face, true), ofFace(face, false)])),
  "a program in Python": { open: (t) => python(t, "blocking"), areDecided: true, skip: skipWithout(PYTHON) },
  "a program with asyncio": {
    open: (t) => python(t, "asyncio"),
    areDecided: true,
    skip: skipWithout(PYTHON),
  },
  "a program in PHP": { open: php, areDecided: true, hasIf: false, skip: skipWithout("php") },
};

/** Programs in other languages that race with each other; each also races with a signed client. */
const PAIRS: readonly (readonly [string, string])[] = [
  ["a program in Python", "a program in Python"],
  ["a program with asyncio", "a program with asyncio"],
  ["a program in PHP", "a program in PHP"],
  ["a program in PHP", "a program in Python"],
];

/** Waits until each daemon has the value. */
async function untilAllHave(key: string, value: string): Promise<void> {
  for (const index of trio.ports.keys()) {
    await using one = trio.client([index]);
    await trio.until(`daemon ${index} has ${value}`, async () => (await one.call(["GET", key])) === value);
  }
}

for (const [name, { open, hasIf = true, skip = false }] of Object.entries(TRANSPORTS))
  test(`conditions of ${name} are answered as they were applied`, { skip }, async (t) => {
    const contender = await open(t);
    const key = `key:${keys++}`;
    assert.equal(await contender.setAbsent(key, "first", LIFETIME_MS), "applied");
    await untilAllHave(key, "first");
    const lifetime = Number(await client.call(["PTTL", key]));
    assert.ok(lifetime > LIFETIME_MS / 2 && lifetime <= LIFETIME_MS, `it expires in ${lifetime} ms`);

    assert.equal(await contender.setAbsent(key, "second", LIFETIME_MS), "nil");
    assert.equal(await contender.get(key), "first");
    if (!hasIf) return;

    const overtaken = await contender.change(key, async () => {
      await client.call(["SET", key, "other"], { policy: "all" });
      return "mine";
    });
    assert.equal(overtaken, "nil");
    assert.equal(await contender.get(key), "other");
    assert.equal(await contender.change(key, (value) => `${value}-changed`), "applied");
    await untilAllHave(key, "other-changed");
  });

/** Lets two clients race for a lock. @returns how many of them own it */
async function race(clients: readonly [Contender, Contender]): Promise<number> {
  const key = `lock:${keys++}`;
  const answers = await Promise.all(
    clients.map((contender, index) => contender.setAbsent(key, String(index), LIFETIME_MS)),
  );
  return answers.filter((answer) => answer === "applied").length;
}

async function assertOneOwner(clients: readonly [Contender, Contender]): Promise<void> {
  const owners: number[] = [];
  for (let round = 0; round < ROUNDS; round++) owners.push(await race(clients));
  assert.deepEqual(new Set(owners), new Set([1]));
}

/**
 * Lets pairs of clients race until both of a pair own a lock, which depends on their speed: only full runs wait for it.
 * @param pairs  they race in turn: a pair has one owner if its daemon proposes the decisions
 */
async function assertTwoOwners(
  t: TestContext,
  ...pairs: readonly (readonly [Contender, Contender])[]
): Promise<void> {
  let races = 0;
  const haveBoth = async () => (await race(pairs[races++ % pairs.length] as (typeof pairs)[0])) === 2;
  await until("a lock has two owners", haveBoth, { pause: nextTurn });
  t.diagnostic(`lock ${races} has two owners`);
}

for (const [name, { open, areDecided, skip = false }] of Object.entries(TRANSPORTS))
  test(`${name} and a signed client ${areDecided ? "never both" : "may both"} own a lock`, {
    skip: skip || (areDecided ? false : skipUnlessFull),
  }, async (t) => {
    const other = await signed(t);
    const clients = [await open(t), other] as const;
    await (areDecided ? assertOneOwner(clients) : assertTwoOwners(t, clients, [await open(t, 1), other]));
  });

for (const names of PAIRS) {
  const [first, second] = names.map((name) => TRANSPORTS[name] as Transport) as [Transport, Transport];
  test(`${names.join(" and ")} never both own a lock`, {
    skip: first.skip || second.skip || false,
  }, async (t) => {
    await assertOneOwner([await first.open(t), await second.open(t)]);
  });
}

test("the clients of two sidecars never both own a lock", async (t) => {
  await using other = await startSidecar(folder.privateKey(trio.app), trio.servers, PORTS);
  await assertOneOwner([await redisOf(t, sidecar), await redisOf(t, other)]);
});

test("Redis clients of two daemons may both own a lock: the members do not decide", {
  skip: skipUnlessFull,
}, async (t) => {
  await assertTwoOwners(t, [await redisOf(t, trio.daemon(0)), await redisOf(t, trio.daemon(1))]);
});

test("Redis clients of one daemon never both own a lock", async (t) => {
  await assertOneOwner([await redisOf(t, trio.daemon(0)), await redisOf(t, trio.daemon(0))]);
});

const atDaemon = (index: number) => (t: TestContext) => redisOf(t, trio.daemon(index));
const faceAt =
  ({ clients, open }: FaceTransport, index: number) =>
  async (t: TestContext) =>
    await open(t, await trio.daemon(index).portOf(clients));

/** Two clients that change a key under the condition that it is the one that they have read. */
const CHANGING: readonly (readonly [name: string, ...Transport["open"][]])[] = [
  ["Redis clients of two daemons", atDaemon(0), atDaemon(1)],
  ["a Redis client of a daemon and a signed client", atDaemon(0), signed],
  ["a Redis client of a daemon and one of a sidecar", atDaemon(0), (t) => redisOf(t, sidecar)],
  ...FACES.flatMap((face) => [
    [`--${face.option} clients of two daemons`, faceAt(face, 0), faceAt(face, 1)] as const,
    [`a --${face.option} client and a Redis client of two daemons`, faceAt(face, 0), atDaemon(1)] as const,
  ]),
];

/** Lets two clients change a key when both have read it. @returns their answers */
async function raceToChange(clients: readonly Contender[], key: string): Promise<readonly Answer[]> {
  let readers = 0;
  let release = () => {};
  const haveRead = new Promise<void>((resolve) => {
    release = resolve;
  });
  const changes = clients.map((contender, index) =>
    contender.change(key, async (value) => {
      assert.equal(value, "old");
      if (++readers === clients.length) release();
      await haveRead;
      return `new ${index}`;
    }),
  );
  return await Promise.all(changes);
}

for (const [name, ...opens] of CHANGING)
  test(`${name} never both change a key that they have read`, async (t) => {
    const clients = await Promise.all(opens.map((open) => open(t)));
    for (let round = 0; round < ROUNDS; round++) {
      const key = `changed:${keys++}`;
      await client.call(["SET", key, "old"], { policy: "all" });
      const answers = await raceToChange(clients, key);
      assert.deepEqual([...answers].sort(), ["applied", "nil"]);
      await untilAllHave(key, `new ${answers.indexOf("applied")}`);
    }
  });

test("replies of EXEC at a daemon are those at the decided position, and later commands in its pipeline wait for it", async () => {
  using redis = await RedisConnection.open(await respPort(trio, 0));
  const [key, other] = [`key:${keys++}`, `key:${keys++}`];
  const batch = async (...lines: readonly string[]) => {
    for (const line of lines) redis.queue(line.split(" "));
    return (await redis.flush()).map((reply) => shown(reply).replaceAll(/[+:"]/g, ""));
  };

  assert.deepEqual(
    await batch(
      ...[`SET ${other} taken`, `WATCH ${key}`, "MULTI", `INCR ${key}`, `GET ${other}`, "EXEC"],
      ...[`INCR ${key}`, `GET ${key}`],
    ),
    ["OK", "OK", "OK", "QUEUED", "QUEUED", "[1 taken]", "2", "2"],
  );

  const nothing = "the condition of a command in the transaction does not hold, and those of WATCH do";
  assert.equal((await batch(`WATCH ${key}`, "MULTI", `SETNX ${other} mine`, "EXEC")).at(-1), "[0]", nothing);

  const script = `WATCH ${key}|MULTI|EVAL ${SCRIPT} 1 ${key}|EXEC|GET ${key}`;
  assert.deepEqual((await batch(...script.split("|"))).slice(-2), ["[2]", "102"]);

  await redis.call("HELLO", "3");
  const typed = await batch(`WATCH ${key}`, "MULTI", `HSET h:${key} f v`, `HGETALL h:${key}`, "EXEC");
  assert.equal(typed.at(-1), "[1 [f v]]");
  const discarded = await batch(`WATCH ${key}`, "MULTI", `INCR ${key}`, "DISCARD", `GET ${key}`);
  assert.equal(discarded.at(-1), "102");
});

/** Returns what it has read, and adds 100. It has no spaces. */
const SCRIPT = "local\tv=redis.call('GET',KEYS[1])redis.call('SET',KEYS[1],math.floor(v+100))return\tv";

test("an expired key that a Redis client watches does not fail EXEC", async () => {
  using redis = await RedisConnection.open(await respPort(trio, 0));
  const key = `key:${keys++}`;
  await redis.call("SET", key, "v", "PX", "1");
  await until("the key has expired", async () => (await redis.value("EXISTS", key)) === 0);
  await redis.call("WATCH", key);
  await redis.call("MULTI");
  await redis.call("SET", key, "next");
  assert.deepEqual(await redis.value("EXEC"), ["OK"]);
});

test("while an EXEC waits for the members, other clients do not, and the connection of its client can be killed", async (t) => {
  await using own = await Trio.start([...PORTS, ...PATIENT]);
  await authorizeDaemons(own);
  await own.list();
  const port = await respPort(own, 0);
  using redis = await RedisConnection.open(port);
  using other = await RedisConnection.open(port);
  await until("an EXEC is applied", async () => Array.isArray(await incremented(redis)));

  const id = await redis.value("CLIENT", "ID");
  for (const index of [1, 2]) own.daemon(index).kill("SIGSTOP");
  t.after(() => own.running.map((daemon) => daemon.kill("SIGCONT")));

  const waiting = incremented(redis).then(
    () => assert.fail("it is answered"),
    () => "closed",
  );
  await until("the transaction waits", async () => {
    const list = String(await other.value("CLIENT", "LIST", "ID", Number(id)));
    return / cmd=exec /.test(list);
  });

  assert.deepEqual(await other.value("SET", "k", "v"), "OK");
  assert.deepEqual(await other.value("CLIENT", "KILL", "ID", Number(id)), 1);
  assert.equal(await waiting, "closed");

  for (const index of [1, 2]) own.daemon(index).kill("SIGCONT");
  // Its effect is unknown to its client: the members may still decide on it.
  await until("an EXEC is applied", async () => Array.isArray(await incremented(other)));
});

test("a pair decides only while both daemons run, and each refusal says so; other commands need one daemon", async (t) => {
  await using pair = await Trio.start(PORTS, 2);
  await authorizeDaemons(pair);
  await pair.list();
  using redis = await RedisConnection.open(await respPort(pair, 0));
  const contenders = await Promise.all(
    FACES.map(async ({ open, clients }) => await open(t, await pair.daemon(0).portOf(clients))),
  );

  await until("an EXEC is applied", async () => Array.isArray(await incremented(redis)));
  const next = (value: string | null) => String(Number(value) + 1);
  for (const contender of contenders) assert.equal(await contender.change("counter", next), "applied");
  const before = await redis.value("GET", "counter");
  await pair.end(1, "SIGKILL");
  const sentence = /a pair decides only while both run: add a third daemon, or use the policy first/;
  await until("EXEC is refused", async () => {
    const answer = await incremented(redis);
    return (
      answer instanceof Error && answer.message.startsWith("NOTAPPLIED ") && sentence.test(answer.message)
    );
  });
  for (const contender of contenders) assert.equal(await contender.change("counter", next), "refused");

  await using one = pair.client([0]);
  await assert.rejects(one.call(["SET", "lock", "me", "NX"]), sentence);
  assert.equal(await redis.value("GET", "counter"), before);

  await redis.value("MULTI");
  await redis.value("INCR", "counter");
  assert.deepEqual(await redis.value("EXEC"), [Number(before) + 1]);
});

/** Increments a counter in a transaction. @returns the answer to EXEC @throws Error  the connection is closed */
async function incremented(redis: RedisConnection): Promise<RedisValue> {
  for (const line of ["WATCH counter", "MULTI", "INCR counter"]) await redis.value(...line.split(" "));
  return await redis.value("EXEC");
}
