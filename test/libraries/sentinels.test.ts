/**
 * Tests that libraries find the named daemon through --sentinel, in the way that each documents, and continue when it
 * is killed, stops or hangs. No acknowledged increment is lost. node-redis waits forever for any sentinel that hangs,
 * also for one of Redis, if it asks that one first. It is not tried with a daemon that hangs.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type SentinelPair, startSentinels } from "../../faces/sentinel/test/sentinel-pair.js";
import { skipUnlessFull } from "../support/amount.js";
import { RedisConnection } from "../support/redis-connection.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { RepeatingProgram } from "./repeating-program.js";

const folder = join(repositoryRoot, "test", "libraries");
const modules = join(folder, "npm", "node_modules");
const PYTHON = "/usr/bin/python3";
const skipNpm = existsSync(modules) ? false : "test/libraries/npm is not installed";

interface Library {
  readonly name: string;
  readonly command: readonly [string, string];
  readonly skip: string | false;
  /** Whether it waits without a limit for a sentinel that hangs. */
  readonly waitsForHanging?: boolean;
}

const LIBRARIES: readonly Library[] = [
  { name: "ioredis", command: [process.execPath, "npm/sentinel-ioredis.mjs"], skip: skipNpm },
  {
    name: "node-redis",
    command: [process.execPath, "npm/sentinel-node-redis.mjs"],
    skip: skipNpm,
    waitsForHanging: true,
  },
  { name: "redis-py", command: [PYTHON, "python/sentinel_redis.py"], skip: skipWithout("python3-celery") },
  { name: "Celery", command: [PYTHON, "python/sentinel_celery.py"], skip: skipWithout("python3-celery") },
  { name: "phpredis", command: ["php", "php/sentinel-phpredis.php"], skip: skipWithout("php-redis") },
  { name: "predis", command: ["php", "php/sentinel-predis.php"], skip: skipWithout("php-nrk-predis") },
  {
    name: "the Ruby library of Sidekiq",
    command: ["ruby", "ruby/sentinel_redis.rb"],
    skip: skipWithout("ruby-sidekiq"),
  },
];

/** The number of operations that must succeed after each change. */
const OPERATIONS = 30;

/** Returns the counter at each running daemon, once all have the same. */
async function counterOf({ trio, respPorts }: SentinelPair): Promise<number> {
  let counter = 0;
  await trio.until("both daemons have the same counter", async () => {
    const values = await Promise.all(
      trio.runningIndices.map(async (index) => {
        using connection = await RedisConnection.open(respPorts[index] ?? 0);
        return Number((await connection.value("GET", "counter")) ?? 0);
      }),
    );
    counter = values[0] ?? 0;
    return values.length === 2 && values.every((value) => value === counter);
  });
  return counter;
}

/** Changes the named daemon, and waits until the program continues. */
async function throughFaults(
  pair: SentinelPair,
  program: RepeatingProgram,
  { waitsForHanging = false }: Library,
): Promise<void> {
  const { trio } = pair;
  await program.goesOn("the start", OPERATIONS);

  const first = await pair.untilNamed();
  await trio.end(first, "SIGKILL");
  await program.goesOn("a kill", OPERATIONS);
  await trio.start(first);
  const second = await pair.untilNamed((index) => index !== first);
  await program.goesOn("the return of the first daemon", OPERATIONS);

  let last = second;
  if (!waitsForHanging) {
    trio.daemon(second).kill("SIGSTOP");
    await program.goesOn("a daemon that hangs", OPERATIONS);
    trio.daemon(second).kill("SIGCONT");
    last = await pair.untilNamed((index) => index !== second);
    await program.goesOn("its return", OPERATIONS);
  }

  await trio.end(last, "SIGTERM");
  await program.goesOn("a stop", OPERATIONS);
  await trio.start(last);
}

for (const library of LIBRARIES) {
  const { name, command, skip } = library;
  test(`${name}: operations continue at the daemon that the sentinels name`, {
    skip: skipUnlessFull || skip,
  }, async () => {
    await using pair = await startSentinels(2, ["--standstill", "1m"]);
    await pair.untilNamed();
    const [program, file] = command;
    const ports = pair.sentinelPorts.map(String);
    using client = new RepeatingProgram([program, join(folder, file), "mymaster", ...ports]);
    await throughFaults(pair, client, library);
    const errors = await client.end();
    const failed = Object.values(errors).reduce((sum, count) => sum + count, 0);
    if (name === "Celery") return;
    const counter = await counterOf(pair);
    assert.ok(
      counter >= client.done,
      `${client.done} acknowledged, ${counter} kept: ${JSON.stringify(errors)}`,
    );
    assert.ok(counter <= client.done + failed + OPERATIONS, `${counter} of ${client.done} and ${failed}`);
  });
}
