/**
 * Tests drivers that have one connection string for three daemons: their operations continue while daemons are killed
 * and started again.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MongoClient } from "mongodb";
import { startThreeDaemons } from "../faces/mongo/three-daemons.js";
import { skipUnlessFull } from "../support/amount.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { until } from "../support/until.js";

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
/** The errors of an operation that a kill breaks. Node.js reports a socket that the daemon has closed as a plain Error. */
const BROKEN =
  /^(?:MongoNetworkError|AutoReconnect|MongoPoolClearedError|Error: This socket has been ended)\b/;

class Driver {
  #output = "";
  readonly #child: ChildProcess;

  constructor(
    [program, file]: readonly [string, string],
    env: Readonly<Record<string, string>>,
    url: string,
  ) {
    this.#child = spawn(program, [join(folder, file), url], {
      env: { PATH: process.env["PATH"], PYTHONDONTWRITEBYTECODE: "1", ...env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child.stdout?.on("data", (bytes: Buffer) => {
      this.#output += bytes.toString();
    });
  }

  get done(): number {
    return this.#output.match(/^\d+$/gm)?.length ?? 0;
  }

  /** Waits until further operations have succeeded. */
  async goesOn(after: string): Promise<void> {
    const before = this.done;
    await until(
      `operations continue after ${after}: ${this.#output.slice(-500)}`,
      () => this.done >= before + OPERATIONS,
    );
  }

  /** Ends the program. @returns the number of failed operations, by error */
  async end(): Promise<Readonly<Record<string, number>>> {
    const closed = once(this.#child, "close");
    this.#child.stdin?.end();
    await closed;
    return JSON.parse(this.#output.trimEnd().split("\n").at(-1) ?? "");
  }
}

for (const { name, args, env, skip } of DRIVERS)
  test(`${name}: operations continue while daemons are killed and started`, {
    skip: skipUnlessFull || skip,
  }, async () => {
    await using three = await startThreeDaemons();
    const driver = new Driver(args, env, three.url);
    await driver.goesOn("the start");
    await three.trio.end(1, "SIGKILL");
    await driver.goesOn("a kill");
    await three.trio.start(1);
    await driver.goesOn("a start");
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
    await driver.goesOn("another kill");
    const failed = Object.entries(await driver.end());
    for (const [error] of failed) assert.match(error, BROKEN);
    assert.ok(failed.reduce((sum, [, count]) => sum + count, 0) <= FAILED_MAX, JSON.stringify(failed));
    const late = new Driver(args, env, three.url);
    await late.goesOn("a start with the first daemon down");
    assert.deepEqual(await late.end(), {});
  });
