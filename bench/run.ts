/**
 * `npm run bench` runs the benchmarks one after the other. `npm run bench -- documents resp` runs those whose names
 * contain one of the words. Benchmarks that require additional programs run only if they are named. `--smoke` makes
 * them short and does not change RESULTS.md.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { buildRoot } from "../test/support/repository.js";

const BENCHMARKS = [
  "fanout",
  "hot-path",
  "catch-up",
  "full-load",
  "resp",
  "documents",
  "memory",
  "lone-call",
  "decisions",
  "pipelines",
  "start",
];
/** Benchmarks that run only if they are named. */
const NAMED = ["peers"];

const args = process.argv.slice(2);
const words = args.filter((word) => !word.startsWith("-"));
const options = args.filter((word) => word.startsWith("-"));
const unknown = options.find((option) => option !== "--smoke");
if (unknown !== undefined) {
  console.error(`Unknown option ${unknown}: run.js [--smoke] [${[...BENCHMARKS, ...NAMED].join("|")}]...`);
  process.exit(2);
}
const isNamed = (name: string) => words.some((word) => name.includes(word));
const chosen = words.length === 0 ? BENCHMARKS : [...BENCHMARKS, ...NAMED].filter(isNamed);
if (chosen.length === 0) {
  console.error(
    `No benchmark matches ${words.join(", ")}. The benchmarks are ${[...BENCHMARKS, ...NAMED].join(", ")}.`,
  );
  process.exit(2);
}

for (const name of chosen) {
  const args = [join(buildRoot, "bench", `${name}.js`), ...options];
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
