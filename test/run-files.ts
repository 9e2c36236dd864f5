/**
 * Runs test files: `node run-files.js MS LANES FILE…`, each file for so many milliseconds at most, so many at once. Leads the process group that it
 * is started in: when a file hangs and is ended, the servers that it started end here.
 */
import { basename, relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";

const [milliseconds, lanes, ...files] = process.argv.slice(2);
const limit = Number(milliseconds);

/** Node 24 does not end a file by itself: then nothing is heard of any for longer than one may take. */
const silence = setTimeout(() => {
  console.error(`Nothing has happened for ${1.5 * limit} ms: a test file hangs.`);
  process.exit(1);
}, 1.5 * limit).unref();
const heard = () => void silence.refresh();

/** How many files are told of at the end. */
const LISTED = 10;
/** Milliseconds, by file. */
const took = new Map<string, number>();

/** A program that several files share lies elsewhere. */
function shown(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith("..") ? basename(file) : path;
}

/** Where a run's time went. */
function longest(): string {
  if (took.size <= 1) return "";
  const lines = [...took]
    .sort(([, one], [, other]) => other - one)
    .slice(0, LISTED)
    .map(([file, ms]) => `${(ms / 1000).toFixed(1).padStart(8)} s ${shown(file)}`);
  return `The longest files:\n${lines.join("\n")}\n`;
}

const report = run({ files, concurrency: Number(lanes), timeout: limit })
  .on("test:fail", () => {
    process.exitCode = 1;
  })
  .on("test:dequeue", heard)
  .on("test:complete", ({ name, file, details }) => {
    heard();
    // A file is told of as a test that has its name.
    if (file?.endsWith(name)) took.set(file, details.duration_ms);
  })
  .compose(new spec());
report.pipe(process.stdout);
// A server that is left may hold pipes of its test file open, for which the runner would wait for ever.
report.on("end", () => process.stdout.write(longest(), () => process.exit()));
