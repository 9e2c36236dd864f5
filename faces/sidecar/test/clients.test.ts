/** Tests common, unmodified Redis clients with a sidecar and three daemons, one of which is killed during the test. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import { amount } from "../../../test/support/amount.js";
import { redisCli } from "../../../test/support/redis-cli.js";
import { repositoryRoot } from "../../../test/support/repository.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { type SidecarScene, startScene, untilAll } from "./scene.js";

/** A client that counts: each step adds 1 to its key with several kinds of commands, and returns the result. */
interface Counting extends Disposable {
  step(): Promise<number>;
}

interface Language {
  readonly name: string;
  /** The Debian package that provides the client, or null if it is part of the tests. */
  readonly debianPackage: string | null;
  open(port: number): Counting;
}

const programs = join(repositoryRoot, "faces", "sidecar", "test", "programs");

/** Starts a program that prints the result for each line that it reads. */
const ofProgram =
  (line: string, program: string, ...args: readonly string[]) =>
  (port: number): Counting => {
    const programArguments = args.map((arg) => (arg === "PORT" ? String(port) : arg));
    const child = spawn(program, programArguments, { stdio: ["pipe", "pipe", "inherit"] });
    const results = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return {
      async step() {
        child.stdin.write(`${line}\n`);
        const { value, done } = await results.next();
        // Anything but a number is an error that redis-cli prints.
        assert.match(done ? "the end" : value, /^\d+$/);
        return Number(value);
      },
      [Symbol.dispose]: () => void child.kill("SIGKILL"),
    };
  };

function ofIoredis(port: number): Counting {
  const redis = new Redis({ port, enableReadyCheck: true, retryStrategy: null });
  return {
    async step() {
      const [[problem, counted] = []] = (await redis.pipeline().incr("ioredis").get("ioredis").exec()) ?? [];
      assert.equal(problem, null);
      assert.deepEqual(await redis.multi().rpush("list of ioredis", "ioredis").get("ioredis").exec(), [
        [null, counted],
        [null, String(counted)],
      ]);
      return Number(counted);
    },
    [Symbol.dispose]: () => redis.disconnect(),
  };
}

const LANGUAGES: readonly Language[] = [
  { name: "ioredis", debianPackage: null, open: ofIoredis },
  {
    name: "redis-cli",
    debianPackage: "redis-server",
    open: ofProgram("INCR redis-cli", "redis-cli", "-p", "PORT"),
  },
  {
    name: "Python",
    debianPackage: "python3-redis",
    open: ofProgram("Python", "/usr/bin/python3", join(programs, "counting.py"), "PORT"),
  },
  {
    name: "PHP",
    debianPackage: "php-redis",
    open: ofProgram("PHP", "php", join(programs, "counting.php"), "PORT"),
  },
];
const STEPS_BEFORE = amount(10, 60);
const STEPS_AFTER = amount(40, 200);

let scene: SidecarScene;
before(async () => {
  scene = await startScene();
});
after(() => scene[Symbol.asyncDispose]());

test("redis-cli works with a sidecar", { skip: skipWithout("redis-server") }, async () => {
  assert.equal(await redisCli(scene.port, ["set", "k", "v"]), "OK\n");
  assert.equal(await redisCli(scene.port, ["-3", "hset", "h", "f", "1"]), "1\n");
  assert.equal(await redisCli(scene.port, ["-3", "--json", "hgetall", "h"]), '{"f":"1"}\n');

  const commands = Array.from({ length: 1000 }, (_, i) => `SET k${i} ${i}\r\n`).join("");
  assert.match(await redisCli(scene.port, ["--pipe"], commands), /errors: 0, replies: 1000/);
  await untilAll(scene, ["DBSIZE"], 1002);

  assert.match(await redisCli(scene.port, ["blpop", "q", "1"]), /BLPOP is not supported .* waits for data/);
  assert.match(
    await redisCli(scene.port, ["xread", "block", "1", "streams", "s", "0"]),
    /XREAD with BLOCK is not supported/,
  );
  const reading = ["xreadgroup", "group", "block", "c", "count", "1"];
  assert.match(
    await redisCli(scene.port, [...reading, "block", "1", "streams", "s", ">"]),
    /XREADGROUP with BLOCK is not supported/,
  );
  assert.match(await redisCli(scene.port, [...reading, "streams", "s", ">"]), /NOGROUP No such key/);
  assert.match(
    await redisCli(scene.port, ["subscribe", "news"]),
    /SUBSCRIBE is not supported .* stream of messages/,
  );
  assert.match(await redisCli(scene.port, ["wait", "1", "0"]), /WAIT is not supported/);
});

test("clients in four languages see no error while a daemon is killed, and all three daemons have all data afterwards", async (t) => {
  const available = LANGUAGES.filter(({ name, debianPackage }) => {
    const missing = debianPackage !== null && skipWithout(debianPackage);
    if (missing !== false) t.diagnostic(`${name}: ${missing}`);
    return missing === false;
  });

  const counting = available.map(({ open }) => open(scene.port));
  t.after(() => {
    for (const client of counting) client[Symbol.dispose]();
  });

  /** Starts all steps immediately; each step runs after the preceding one. */
  const count = (from: number, to: number) =>
    Promise.all(
      counting.map(async (client) => {
        for (let i = from; i <= to; i++) assert.equal(await client.step(), i);
      }),
    );

  await count(1, STEPS_BEFORE);
  const counted = count(STEPS_BEFORE + 1, STEPS_BEFORE + STEPS_AFTER);
  await scene.trio.end(0, "SIGKILL");
  await counted;
  await scene.trio.start(0);
  for (const { name } of available) await untilAll(scene, ["GET", name], String(STEPS_BEFORE + STEPS_AFTER));
});
