/**
 * `node run-files.js MS LANES FILE…`: runs test files, each for at most MS milliseconds, LANES in parallel. This
 * process leads a process group. If a file hangs and is killed, the servers that it started are killed as well. If
 * only a few files fail, they run again, one at a time.
 */
import { existsSync } from "node:fs";
import { basename, relative } from "node:path";
import { run, type TestsStream } from "node:test";
import { spec } from "node:test/reporters";

const [milliseconds, lanes, ...files] = process.argv.slice(2);
const limit = Number(milliseconds);

/** Ends the run if no event arrives for longer than a file may take, since Node 24 does not end a file that hangs. */
const silence = setTimeout(() => {
  console.error(`No test has started or ended for ${1.5 * limit} ms: a test file hangs.`);
  process.exit(1);
}, 1.5 * limit).unref();
const resetSilence = () => void silence.refresh();

/** The number of files listed at the end. */
const LISTED = 10;
/** The maximum number of failed files that run again. If more files fail, the cause is not a busy machine. */
const AGAIN_MAX = 3;
/** The duration of each file in milliseconds. */
const took = new Map<string, number>();

/** The tests that failed in a run, by file. */
class Failures {
  readonly byFile = new Map<string, Set<string>>();
  /** Whether a file hung. Then no file runs again, since the file would probably hang again. */
  hasHung = false;

  add(file: string, test: string, cause: unknown): void {
    const names = this.byFile.get(file) ?? new Set();
    this.byFile.set(file, names.add(test));
    if (/timeout|timed out/i.test(String(cause))) this.hasHung = true;
  }

  get mayRunAgain(): boolean {
    const { size } = this.byFile;
    return size > 0 && size <= AGAIN_MAX && !this.hasHung && [...this.byFile.keys()].every(existsSync);
  }
}

/**
 * Returns the path to print for a file. A program that several files share is outside the working directory, so only
 * its name is printed.
 */
function displayPath(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith("..") ? basename(file) : path;
}

/** Returns the list of the files that took the longest time. */
function longest(): string {
  if (took.size <= 1) return "";
  const lines = [...took]
    .sort(([, one], [, other]) => other - one)
    .slice(0, LISTED)
    .map(([file, ms]) => `${(ms / 1000).toFixed(1).padStart(8)} s ${displayPath(file)}`);
  return `The longest files:\n${lines.join("\n")}\n`;
}

/** Runs files and prints their results. @returns the failures */
async function runAll(paths: readonly string[], concurrency: number): Promise<Failures> {
  const failures = new Failures();
  const report = (run({ files: [...paths], concurrency, timeout: limit }) as TestsStream)
    .on("test:fail", ({ file, name, details }) => failures.add(file ?? name, name, details.error.cause))
    .on("test:dequeue", resetSilence)
    .on("test:complete", ({ name, file, details }) => {
      resetSilence();
      // An event with the file's name as its test reports the file itself.
      if (file?.endsWith(name)) took.set(file, details.duration_ms);
    })
    .compose(new spec());
  report.pipe(process.stdout, { end: false });
  await new Promise((ended) => report.on("end", ended));
  return failures;
}

/** Runs the files. @returns the text to print last */
async function main(): Promise<string> {
  const first = await runAll(files, Number(lanes));
  if (!first.mayRunAgain) {
    if (first.byFile.size > 0) process.exitCode = 1;
    return longest();
  }
  const times = longest();
  const names = [...first.byFile.keys()];
  process.stdout.write(`\nRunning again, alone: ${names.map(displayPath).join(", ")}\n`);
  const second = await runAll(names, 1);
  if (second.byFile.size > 0) {
    process.exitCode = 1;
    return times;
  }
  const lines = [...first.byFile].map(([file, tests]) => `  ${displayPath(file)}: ${[...tests].join(", ")}`);
  return `${times}\nThese tests failed in the parallel run (see above) and passed when they ran again, alone. The test or the tested code has a race:\n${lines.join("\n")}\n`;
}

const last = await main();
// A server that still runs may keep the pipes of its test file open. Without this exit, the runner would wait forever.
process.stdout.write(last, () => process.exit());
