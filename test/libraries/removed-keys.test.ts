/**
 * States which libraries leave partial data if a program removes a key at one of two daemons while a program at the
 * other one uses it, and the link is cut (docs/decisions/0076). test/system/removed-keys does the same without
 * libraries.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ActiveCluster } from "../support/active-cluster.js";
import { skipUnlessFull } from "../support/amount.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";

const folder = join(repositoryRoot, "test", "libraries");
const LIMITERS = 10;

/** Runs the phases of a program. @returns what the phases `use` and `end` have found */
async function phasesOf(program: string, file: string): Promise<readonly [use: unknown, end: unknown]> {
  await using cluster = await ActiveCluster.start(2, { isPatient: true });
  const ports = cluster.indices.map((index) => String(cluster.respPort(index)));
  const phase = async (name: string): Promise<unknown> => {
    const ended = await run(program, [join(folder, file), name, ...ports], {
      env: { PYTHONDONTWRITEBYTECODE: "1" },
    });
    assert.equal(ended.code, 0, ended.stdout + ended.stderr);
    return JSON.parse(ended.stdout);
  };

  await phase("begin");
  await cluster.untilEqual();
  cluster.areApart = true;
  const use = await phase("use");
  cluster.areApart = false;
  await cluster.untilEqual();
  return [use, await phase("end")];
}

const isInstalled = existsSync(join(folder, "npm", "node_modules", "bottleneck"));

test("Bottleneck, BullMQ and bull leave partial hashes; limiters that count in strings and bee-queue do not", {
  skip: skipUnlessFull || (isInstalled ? false : "test/libraries/npm is not installed"),
}, async () => {
  const [use, end] = await phasesOf(process.execPath, "npm/removed-keys.mjs");
  assert.deepEqual(use, {
    Bottleneck: "ran",
    "rate-limiter-flexible": 6,
    "rate-limit-redis": 2,
    BullMQ: null,
    bull: null,
    "bee-queue": "second",
  });
  assert.deepEqual(end, {
    Bottleneck: {
      held: ["done", "nextRequest", "running"],
      next: "ERR user_script:280: bad argument #1 to 'gmatch' (string expected, got boolean)",
    },
    "rate-limiter-flexible": { held: "1", next: 2 },
    "rate-limit-redis": { held: "1", next: 2 },
    BullMQ: { held: ["progress"], next: [0, 1] },
    bull: { held: ["progress"], next: [0, 1] },
    "bee-queue": { held: ["second"], next: { to: "bob" } },
  });
});

interface LimiterEnd {
  /** The fields of the hash. */
  readonly held: readonly string[];
  /** Whether the next call is admitted. */
  readonly admits: boolean;
  readonly error: string | null;
}

test("Laravel's Redis::throttle leaves 10 of 10 partial hashes, and then admits no call, unless a write resets it", {
  skip: skipUnlessFull || skipWithout("php-illuminate-redis"),
}, async () => {
  const [use, end] = await phasesOf("php", "php/removed_keys.php");
  assert.deepEqual(use, Array(LIMITERS + 1).fill(true));
  const limiters = end as readonly LimiterEnd[];
  assert.equal(limiters.length, LIMITERS + 1);
  for (const { held, admits, error } of limiters.slice(0, LIMITERS)) {
    assert.deepEqual([held, admits], [["count"], false]);
    assert.match(error ?? "", /attempt to compare boolean with string/);
  }
  const reset = { held: ["start", "end", "count"], admits: true, error: null };
  assert.deepEqual(limiters.at(-1), reset);
});

test("RQ leaves a partial hash, without a script, does not find its job, and can enqueue it again", {
  skip: skipUnlessFull || skipWithout("python3-rq"),
}, async () => {
  const [use, end] = await phasesOf("/usr/bin/python3", "python/removed_keys.py");
  assert.equal(use, "changed");
  assert.deepEqual(end, { held: ["status"], fetched: null, fetchedLater: "mine" });
});
