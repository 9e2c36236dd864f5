/**
 * `npm run bench` runs the benchmarks one after the other. `npm run bench -- documents resp` runs those whose names
 * contain one of the words. Benchmarks that need additional programs or many minutes run only if they are named.
 * `--smoke` makes them short and does not change RESULTS.md.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { buildRoot } from "../test/support/repository.js";

const BENCHMARKS = [
  ...["fanout", "hot-path", "catch-up", "full-load", "resp", "documents", "document-hits", "memory"],
  ...["lone-call", "decisions", "decided-keys", "pipelines", "channels", "sql", "version-1", "start"],
];
/** Benchmarks that run only if they are named. */
const NAMED = ["peers", "scale", "failover", "keeper-failover", "go-client", "other-keys"];

const args = process.argv.slice(2);
const words = args.filter((word) => !word.startsWith("-"));
const options = args.filter((word) => word.startsWith("-"));
const all = [...BENCHMARKS, ...NAMED];
const chosen =
  words.length === 0 ? BENCHMARKS : all.filter((name) => words.some((word) => name.includes(word)));
if (chosen.length === 0 || options.some((option) => option !== "--smoke")) {
  console.error(`Unknown: ${args.join(" ")}. Use run.js [--smoke] [${all.join("|")}]...`);
  process.exit(2);
}

for (const name of chosen) {
  const args = [join(buildRoot, "bench", `${name}.js`), ...options];
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
