/**
 * Tests on each transport that conditions are answered as they were applied, and which clients share a lock
 * (`SET lock me NX`) safely at daemons with a member list, as docs/consistency.md lists them. The rules for conditions
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
import { PHP_FILE } from "../examples/php-script.js";
import { env, PYTHON } from "../python/running.js";
import { amount } from "../support/amount.js";
import type { DaemonHere } from "../support/daemon-here.js";
import { contributionsOf } from "../support/face-contributions.js";
import { skipWithout } from "../support/requirements.js";
import { authorizeDaemons } from "../support/resp-trio.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { startSidecar } from "../support/start-sidecar.js";
import { Trio } from "../support/trio.js";
import { nextTurn, until } from "../support/until.js";
import { type Contender, type FaceTransport, RedisContender, SignedContender } from "./contenders.js";

const ROUNDS = amount(20, 40);
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
  trio = await Trio.start([...PORTS, "--ws", "0"]);
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
  readonly open: (t: TestContext) => Promise<Contender>;
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

/** Answers calls, with the condition that a unit wrote a key last. */
const PYTHON_CODE = `
import json, sys
from dbsync import Client, Condition
client = Client(sys.argv[1].split(","), sys.argv[2], decode_responses=True, timeout=20.0)
for line in sys.stdin:
    call, writers = json.loads(line)
    conditions = None if writers is None else [Condition(call[1], writers[0])]
    reply = client.writers(call[1]) if call[0] == "WRITERS" else client.call(*call, conditions=conditions)
    print(json.dumps(reply), flush=True)
`;

async function python(t: TestContext): Promise<Contender> {
  const key = folder.privateKey(trio.app, "python.pem");
  const program = new Program(t, PYTHON, ["-c", PYTHON_CODE, trio.servers.join(), key]);
  const call = (words: readonly string[], writer: unknown = null) => program.ask([words, writer]);
  const answer = async (reply: Promise<unknown>) => ((await reply) === null ? "nil" : "applied");
  return {
    name: "Python",
    get: async (key) => (await call(["GET", key])) as string | null,
    setAbsent: (key, value, ms) => answer(call(["SET", key, value, "PX", String(ms), "NX"])),
    async change(key, next) {
      const writers = await call(["WRITERS", key]);
      const value = await next((await call(["GET", key])) as string | null);
      return value == null ? "refused" : await answer(call(["SET", key, value], writers));
    },
  };
}

/** Answers calls. The PHP client has no other conditions than those of commands. */
const PHP_CODE = `
require $argv[1];
$options = ['servers' => $argv[2], 'signkey' => $argv[3], 'timeout' => 20];
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
  const daemon = () => (isSidecar ? sidecar : trio.daemon(0));
  return [
    `a --${option} client of a ${isSidecar ? "sidecar" : "daemon"}`,
    { open: async (t) => await open(t, await daemon().portOf(clients)), areDecided: isSidecar },
  ];
}

const TRANSPORTS: Readonly<Record<string, Transport>> = {
  "a program with createClient": { open: signed, areDecided: true },
  "a web page": { open: webPage, areDecided: true },
  "a Redis client of a sidecar": { open: (t) => redisOf(t, sidecar), areDecided: true },
  "a Redis client of a daemon": { open: (t) => redisOf(t, trio.daemon(0)), areDecided: false },
  ...Object.fromEntries(FACES.flatMap((face) => [ofFace(face, true), ofFace(face, false)])),
  "a program in Python": { open: python, areDecided: false, skip: skipWithout(PYTHON) },
  "a program in PHP": { open: php, areDecided: false, hasIf: false, skip: skipWithout("php") },
};

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

async function assertTwoOwners(t: TestContext, clients: readonly [Contender, Contender]): Promise<void> {
  let races = 0;
  const haveBoth = async () => {
    races++;
    return (await race(clients)) === 2;
  };
  await until("a lock has two owners", haveBoth, { pause: nextTurn });
  t.diagnostic(`lock ${races} has two owners`);
}

for (const [name, { open, areDecided, skip = false }] of Object.entries(TRANSPORTS))
  test(`${name} and a signed client ${areDecided ? "never both" : "may both"} own a lock`, {
    skip,
  }, async (t) => {
    const clients = [await open(t), await signed(t)] as const;
    await (areDecided ? assertOneOwner(clients) : assertTwoOwners(t, clients));
  });

test("the clients of two sidecars never both own a lock", async (t) => {
  await using other = await startSidecar(folder.privateKey(trio.app), trio.servers, PORTS);
  await assertOneOwner([await redisOf(t, sidecar), await redisOf(t, other)]);
});

test("Redis clients of two daemons may both own a lock: the members do not decide", async (t) => {
  await assertTwoOwners(t, [await redisOf(t, trio.daemon(0)), await redisOf(t, trio.daemon(1))]);
});

test("Redis clients of one daemon never both own a lock", async (t) => {
  await assertOneOwner([await redisOf(t, trio.daemon(0)), await redisOf(t, trio.daemon(0))]);
});
