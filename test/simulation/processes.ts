/** Runs the simulation in processes, which do not delay tests that wait for real time. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { availableParallelism, getPriority, setPriority } from "node:os";
import { join } from "node:path";
import { buildRoot } from "../support/repository.js";

const program = join(buildRoot, "test/simulation/main.js");

/**
 * Nearly everything that a run allocates is garbage by its end. With the default, copying live objects takes a fifth of
 * the time.
 */
const YOUNG = "--max-semi-space-size=64";

/** The other tests come first, since the time of the simulation does not depend on the processor. */
const PRIORITY = Math.max(10, getPriority());

interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

function run(from: number, count: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = ["--from", String(from), "--seeds", String(count)];
    const child = spawn(process.execPath, [YOUNG, program, ...options]);
    if (child.pid !== undefined) setPriority(child.pid, PRIORITY);
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

/**
 * Simulates worlds in one process per processor.
 * @param first  the seed of the first world; the others have the next ones
 * @throws AssertionError with the output, which contains the command that replays a failed run
 */
export async function assertWorldsPass(first: number, count: number): Promise<void> {
  const processes = Math.min(count, availableParallelism());
  const starts = Array.from({ length: processes + 1 }, (_, i) => first + Math.floor((i * count) / processes));
  const parts = starts.slice(0, -1).map((start, i) => run(start, (starts[i + 1] as number) - start));
  for (const { code, output } of await Promise.all(parts)) assert.equal(code, 0, output);
}
