/**
 * Tests clients that change to another daemon by themselves: drivers that have one connection string for three daemons,
 * and clients of sentinels. Their operations continue while daemons are killed and started again.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MongoClient } from "mongodb";
import { startThreeDaemons } from "../../faces/mongo/test/three-daemons.js";
import { amount, skipUnlessFull, some } from "../support/amount.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { until } from "../support/until.js";
import { RepeatingProgram } from "./repeating-program.js";
import { type SentinelPair, startDaemonPair } from "./sentinel-pairs.js";
import { EVENTS, runTrial } from "./sentinel-trial.js";

const folder = join(repositoryRoot, "test", "libraries");
const mongoose = join(folder, "npm", "node_modules", "mongoose");
const pymongo4 = join(folder, "python", "pymongo-4");
const PYTHON = "/usr/bin/python3";

const DRIVERS = [
  {
    name: "mongoose",
    args: [process.execPath, "npm/failover.mjs"],
    env: {},
    skip: existsSync(mongoose) ? false : "test/libraries/npm is not installed",
  },
  {
    name: "pymongo from Debian",
    args: [PYTHON, "python/mongo_failover.py"],
    env: {},
    skip: skipWithout("python3-pymongo"),
  },
  {
    name: "pymongo 4",
    args: [PYTHON, "python/mongo_failover.py"],
    env: { PYTHONPATH: pymongo4 },
    skip: existsSync(pymongo4) ? false : "test/libraries/python/pymongo-4 is not installed",
  },
] as const;

/** The number of operations that must succeed after each change. */
const OPERATIONS = 30;
/** The maximum number of failed operations: each of two kills can break the one operation in flight. */
const FAILED_MAX = 2;
/**
 * The errors of an operation that a kill breaks. Node.js reports a socket that the daemon has closed as a plain Error.
 */
const BROKEN =
  /^(?:MongoNetworkError|AutoReconnect|MongoPoolClearedError|Error: This socket has been ended)\b/;

for (const { name, args, env, skip } of DRIVERS)
  test(`${name}: operations continue while daemons are killed and started`, {
    skip: skipUnlessFull || skip,
  }, async () => {
    await using three = await startThreeDaemons();
    const [program, file] = args;
    const start = () => new RepeatingProgram([program, join(folder, file), three.url], { env });

    using driver = start();
    await driver.goesOn("the start", OPERATIONS);

    await three.trio.end(1, "SIGKILL");
    await driver.goesOn("a kill", OPERATIONS);
    await three.trio.start(1);
    await driver.goesOn("a start", OPERATIONS);

    // Clients use the daemon again once it has caught up.
    const own = `mongodb://127.0.0.1:${three.mongoPorts[1]}`;
    await until("the daemon has caught up", async () => {
      await using client = new MongoClient(own, { serverSelectionTimeoutMS: 1_000 });
      return await client.connect().then(
        () => true,
        () => false,
      );
    });

    await three.trio.end(0, "SIGKILL");
    await driver.goesOn("another kill", OPERATIONS);

    const failed = Object.entries(await driver.end());
    for (const [error] of failed) assert.match(error, BROKEN);
    assert.ok(failed.reduce((sum, [, count]) => sum + count, 0) <= FAILED_MAX, JSON.stringify(failed));

    using late = start();
    await late.goesOn("a start with the first daemon down", OPERATIONS);
    assert.deepEqual(await late.end(), {});
  });

const SENTINEL_CLIENTS = [
  { client: "redis-py", skip: skipWithout("python3-redis") },
  {
    client: "ioredis and BullMQ",
    skip: skipUnlessFull || (existsSync(mongoose) ? false : "test/libraries/npm is not installed"),
  },
] as const;

for (const { client, skip } of SENTINEL_CLIENTS)
  test(`${client} with sentinels: nothing acknowledged is lost while daemons are killed, hang and return`, {
    skip,
  }, async (t) => {
    await using pair = await startDaemonPair();
    const figures = await runTrial(pair, { client, events: some(EVENTS), calls: amount(20, 200) });
    for (const { event, lostIncrements, lostJobs, increments, failed, slowestMs } of figures) {
      t.diagnostic(`${event}: ${increments} increments, slowest ${slowestMs} ms`);
      assert.ok(increments > 0);
      assert.deepEqual(
        { event, lostIncrements, lostJobs, failed },
        { event, lostIncrements: 0, lostJobs: 0, failed: {} },
      );
    }
  });

const STATES = [
  { state: "a daemon hangs", reach: async (pair: SentinelPair) => pair.hang(0) },
  { state: "the daemons are cut off from each other", reach: (pair: SentinelPair) => pair.setApart(true) },
  { state: "both daemons are connected", reach: async () => {} },
] as const;

for (const { state, reach } of some(STATES))
  test(`a trial that fails while ${state} ends its program`, {
    skip: skipWithout("python3-redis"),
  }, async () => {
    const failure = new Error("the trial fails");
    const failing = {
      name: "a failure",
      run: async (pair: SentinelPair) => {
        await reach(pair);
        throw failure;
      },
    };
    {
      await using pair = await startDaemonPair();
      const trial = runTrial(pair, { client: "redis-py", events: [failing], calls: 1 });
      await assert.rejects(trial, failure);
    }
    await until("no process is left", () => !process.getActiveResourcesInfo().includes("ProcessWrap"));
  });
