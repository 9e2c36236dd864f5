/**
 * Runs test files: `node run-files.js MS FILE…`, each file for so many milliseconds at most. Leads the process group that it
 * is started in: when a file hangs and is ended, the servers that it started end here.
 */
import { availableParallelism } from "node:os";
import { run } from "node:test";
import { spec } from "node:test/reporters";

const [milliseconds, ...files] = process.argv.slice(2);
const limit = Number(milliseconds);

/** Node 24 does not end a file by itself: then nothing is heard of any for longer than one may take. */
const silence = setTimeout(() => {
  console.error(`Nothing has happened for ${1.5 * limit} ms: a test file hangs.`);
  process.exit(1);
}, 1.5 * limit).unref();
const heard = () => void silence.refresh();

const report = run({ files, concurrency: availableParallelism(), timeout: limit })
  .on("test:fail", () => {
    process.exitCode = 1;
  })
  .on("test:dequeue", heard)
  .on("test:complete", heard)
  .compose(new spec());
report.pipe(process.stdout);
// A server that is left may hold pipes of its test file open, for which the runner would wait for ever.
report.on("end", () => process.stdout.write("", () => process.exit()));
