/**
 * Runs part of the simulation (.ci/run runs hundreds more), in one process per processor. A run that fails prints the
 * command that replays it. DBSYNC_SEED chooses the first seed, DBSYNC_SEEDS the number of seeds.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { amount, skipUnlessFull } from "../support/amount.js";
import { buildRoot } from "../support/repository.js";
import { seedOfRun } from "../support/seeded-random.js";
import { simulate } from "./simulate.js";

const RUNS = Number(process.env["DBSYNC_SEEDS"] ?? amount(1, 8));
const first = seedOfRun();
const program = join(buildRoot, "test/simulation/main.js");

/**
 * Nearly everything that a run allocates is garbage by its end. With the default, copying live objects takes a fifth of
 * the time.
 */
const YOUNG = "--max-semi-space-size=64";

interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

function run(from: number, count: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = ["--from", String(from), "--seeds", String(count)];
    const child = spawn(process.execPath, [YOUNG, program, ...options]);
    let output = "";
    const onOutput = (bytes: Buffer) => {
      output += bytes;
      process.stdout.write(bytes);
    };
    child.stdout.on("data", onOutput);
    child.stderr.on("data", onOutput);
    child.on("close", (code) => resolve({ code, output }));
  });
}

test("a seed produces the same run each time", async () => {
  const traces: string[][] = [[], []];
  for (const trace of traces) {
    const { problems } = await simulate(first, { print: (line) => trace.push(line) });
    assert.deepEqual(problems, []);
  }
  assert.deepEqual(traces[1], traces[0]);
});

// The first test has already checked the only run.
const skip = RUNS === 1 ? skipUnlessFull : false;

test(`daemons end up equal and keep their promises in ${RUNS} runs from seed ${first}`, {
  skip,
}, async () => {
  const processes = Math.min(RUNS, availableParallelism());
  const each = Math.ceil(RUNS / processes);
  const parts = Array.from({ length: processes }, (_, i) => run(first + i * each, each));
  for (const { code, output } of await Promise.all(parts)) {
    assert.equal(code, 0, output);
  }
});
