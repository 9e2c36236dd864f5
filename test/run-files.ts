/**
 * Runs test files: `node run-files.js MS FILE…`, each file for so many milliseconds at most. Leads the process group that it
 * is started in: when a file hangs and is ended, the servers that it started end here.
 */
import { availableParallelism } from "node:os";
import { run } from "node:test";
import { spec } from "node:test/reporters";

const [milliseconds, ...files] = process.argv.slice(2);
const report = run({ files, concurrency: availableParallelism(), timeout: Number(milliseconds) })
  .on("test:fail", () => {
    process.exitCode = 1;
  })
  .compose(new spec());
report.pipe(process.stdout);
// A server that is left may hold pipes of its test file open, for which the runner would wait for ever.
report.on("end", () => process.stdout.write("", () => process.exit()));
