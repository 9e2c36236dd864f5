/**
 * Tests when V8 optimizes functions. Each case runs in a separate process, because the threshold belongs to the
 * process.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { buildRoot } from "../../../support/repository.js";

/** The bits of V8's optimization status: the function is optimized, by V8's first optimizing compiler. */
const IS_OPTIMIZED = 1 << 4;
const IS_MAGLEVVED = 1 << 5;

/**
 * Returns the number of calls after which V8's last compiler optimized a small function.
 * @param options  the engine's options
 */
async function callsUntilOptimized(options: string): Promise<number> {
  const file = pathToFileURL(join(buildRoot, "daemon/net/process/v8-flags.js")).href;
  const program = `
    import { compileEarly } from ${JSON.stringify(file)};
    compileEarly(${JSON.stringify(options)});
    const add = (a, b) => ((a + b) * (a - b)) % 1000 + ((a * 3 + b * 5) % 77);
    let calls = 0;
    while ((%GetOptimizationStatus(add) & ${IS_OPTIMIZED | IS_MAGLEVVED}) !== ${IS_OPTIMIZED}) add(++calls, 7);
    console.log(calls);`;
  // Without concurrent compilation, the result does not depend on the machine's load.
  const engine = ["--allow-natives-syntax", "--no-concurrent-recompilation", "--no-use-osr"];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    ...engine,
    "--input-type=module",
    "-e",
    program,
  ]);
  assert.equal(stderr, "", "V8 knows the flag");
  return Number(stdout);
}

test("functions are optimized after fewer calls, unless the threshold is configured", async () => {
  const [early, configured] = await Promise.all([
    callsUntilOptimized(""),
    callsUntilOptimized("--interrupt-budget=140000 --invocation-count-for-turbofan=3000"),
  ]);
  assert.ok(early * 2 < configured, `${early} calls, and ${configured} with V8's threshold`);
});
