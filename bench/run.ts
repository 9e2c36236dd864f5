/** `npm run bench`: every benchmark, one after the other. `--smoke`: short, and RESULTS.md stays as it is. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { buildRoot } from "../test/support/repository.js";

const BENCHMARKS = [
  "fanout",
  "envelopes",
  "footprint",
  "hot-path",
  "redo",
  "catch-up",
  "resp",
  "documents",
  "document-requests",
  "memory",
  "cost-curves",
  "long-commands",
];

for (const name of BENCHMARKS) {
  const args = [join(buildRoot, "bench", `${name}.js`), ...process.argv.slice(2)];
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
