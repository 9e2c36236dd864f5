/** Tests the engine's young generation in separate processes, because it cannot be shrunk again. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { amount } from "../../../support/amount.js";
import { buildRoot } from "../../../support/repository.js";

const MIB = 1024 * 1024;

/**
 * Returns the maximum size of the young generation in a program that gradually allocates objects and keeps them.
 * @param options  the engine's options
 * @param pause  the code that runs between two allocations
 */
async function youngBytesWith(options: string, pause = "setTimeout(resolve, 5)"): Promise<number> {
  const file = pathToFileURL(join(buildRoot, "daemon/net/process/v8-flags.js")).href;
  const program = `
    import { boundYoungGeneration, youngBytes } from ${JSON.stringify(file)};
    boundYoungGeneration(${JSON.stringify(options)});
    const kept = [];
    let most = 0;
    for (let turn = 0; turn < 300; turn++) {
      for (let i = 0; i < 2000; i++) kept.push({ i, text: String(i) });
      await new Promise((resolve) => ${pause});
      most = Math.max(most, youngBytes());
    }
    console.log(most);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
  return Number(stdout);
}

test("the young generation does not grow beyond about 4 MiB, unless its size is configured", async () => {
  const [bounded, free] = await Promise.all([youngBytesWith(""), youngBytesWith("--max-semi-space-size=16")]);
  assert.ok(bounded < 6 * MIB, `${bounded} bytes`);
  assert.ok(free > 6 * MIB, `${free} bytes`);
});

test("the young generation does not grow even in a program that never pauses", async () => {
  for (let run = 0; run < amount(1, 3); run++) {
    const bytes = await youngBytesWith("", "setImmediate(resolve)");
    assert.ok(bytes < 6 * MIB, `${bytes} bytes`);
  }
});
