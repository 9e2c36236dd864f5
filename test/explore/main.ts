/**
 * `npm run explore`: randomised tests (simulation, differential, permutation, fuzz and all others that draw on a seed) from
 * fresh seeds, for five minutes. What it finds is printed with the command that repeats it; then it ends with 1.
 *   --minutes N   for so long
 *   WORD …        only test files whose path below test/ holds one of the words
 */
import { randomInt } from "node:crypto";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chosenFiles } from "../support/chosen-files.js";
import { buildRoot } from "../support/repository.js";
import { forgetSettings } from "../support/test-environment.js";
import { Explorer, type Finding } from "./explorer.js";
import { again, turns } from "./plan.js";
import { randomisedFiles } from "./randomised-files.js";

const { values, positionals } = parseArgs({
  options: { minutes: { type: "string", default: "5" } },
  allowPositionals: true,
});

async function main(): Promise<void> {
  const minutes = Number(values.minutes);
  const folder = join(buildRoot, "test");
  const files = chosenFiles(randomisedFiles(folder), positionals);
  const problem = !(minutes > 0)
    ? `--minutes must be a number above 0, not "${values.minutes}".`
    : files.length === 0
      ? `No randomised test file's path below test/ holds ${positionals.join(" or ")}.`
      : null;
  if (problem !== null) {
    console.error(problem);
    process.exitCode = 2;
    return;
  }
  forgetSettings();
  const end = Date.now() + minutes * 60_000;
  const explorer = new Explorer({
    folder,
    turns: turns(files, () => randomInt(2 ** 32)),
    lanes: availableParallelism(),
    ms: minutes * 60_000,
    found: tell,
    progress: (done, findings) => {
      if (!process.stdout.isTTY) return;
      const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      process.stdout.write(`\r\x1b[K${done} runs, ${findings} found something, ${left} s left`);
    },
  });
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    process.once(signal, () => {
      explorer.end();
      process.exit(code);
    });
  }
  const { turns: done, findings } = await explorer.run();
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
  console.log(`${done} runs of ${files.length} randomised test files: ${findings} found something.`);
  if (findings > 0) process.exitCode = 1;
}

function tell({ turn, output }: Finding): void {
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
  console.log(`${output}\nAgain: ${again(turn)}\n`);
}

await main();
