/**
 * `npm run bench`: runs every benchmark in turn; `npm run bench -- documents resp`: those whose names contain one of
 * the words. Those that require additional programs run only if they are named. `--smoke`: short, and RESULTS.md is not
 * changed.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { buildRoot } from "../test/support/repository.js";

const BENCHMARKS = [
  "fanout",
  "envelopes",
  "hot-path",
  "catch-up",
  "full-load",
  "resp",
  "channels",
  "documents",
  "sql",
  "proxy",
  "memory",
  "path-length",
  "lone-call",
];
/** Benchmarks that run only if they are named. */
const NAMED = ["peers"];

const given = process.argv.slice(2);
const words = given.filter((word) => !word.startsWith("-"));
const options = given.filter((word) => word.startsWith("-"));
const unknown = options.find((option) => option !== "--smoke");
if (unknown !== undefined) {
  console.error(`There is no ${unknown}: run.js [--smoke] [${[...BENCHMARKS, ...NAMED].join("|")}]...`);
  process.exit(2);
}
const isNamed = (name: string) => words.some((word) => name.includes(word));
const chosen = words.length === 0 ? BENCHMARKS : [...BENCHMARKS, ...NAMED].filter(isNamed);
if (chosen.length === 0) {
  console.error(
    `There is none of these: ${words.join(", ")}. There are ${[...BENCHMARKS, ...NAMED].join(", ")}.`,
  );
  process.exit(2);
}

for (const name of chosen) {
  const args = [join(buildRoot, "bench", `${name}.js`), ...options];
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
