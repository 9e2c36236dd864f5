/**
 * Runs test files: `node run-files.js MS LANES FILE…`, each for at most MS milliseconds, LANES in parallel. Leads
 * its process group: when a file hangs and is ended, the servers that it started end too. If a few files fail,
 * they run again, alone (docs/decisions/0029).
 */
import { existsSync } from "node:fs";
import { basename, relative } from "node:path";
import { run, type TestsStream } from "node:test";
import { spec } from "node:test/reporters";

const [milliseconds, lanes, ...files] = process.argv.slice(2);
const limit = Number(milliseconds);

/** Node 24 does not end a hanging file by itself: then there is no event for longer than one file may take. */
const silence = setTimeout(() => {
  console.error(`Nothing has happened for ${1.5 * limit} ms: a test file hangs.`);
  process.exit(1);
}, 1.5 * limit).unref();
const heard = () => void silence.refresh();

/** Number of files listed at the end. */
const LISTED = 10;
/** If more files fail, it was not because the machine was busy. */
const AGAIN_MAX = 3;
/** File → milliseconds. */
const took = new Map<string, number>();

/** File → names of the tests that failed in a run. */
class Failures {
  readonly byFile = new Map<string, Set<string>>();
  /** Whether a file hung. It would hang again. */
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

/** Returns a file's path. A program that several files share is outside the working directory. */
function shown(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith("..") ? basename(file) : path;
}

/** Lists the files that took longest. */
function longest(): string {
  if (took.size <= 1) return "";
  const lines = [...took]
    .sort(([, one], [, other]) => other - one)
    .slice(0, LISTED)
    .map(([file, ms]) => `${(ms / 1000).toFixed(1).padStart(8)} s ${shown(file)}`);
  return `The longest files:\n${lines.join("\n")}\n`;
}

/** Runs files and reports their results. @returns the failures */
async function ran(paths: readonly string[], concurrency: number): Promise<Failures> {
  const failures = new Failures();
  const report = (run({ files: [...paths], concurrency, timeout: limit }) as TestsStream)
    .on("test:fail", ({ file, name, details }) => failures.add(file ?? name, name, details.error.cause))
    .on("test:dequeue", heard)
    .on("test:complete", ({ name, file, details }) => {
      heard();
      // The test with the file's name is the file itself.
      if (file?.endsWith(name)) took.set(file, details.duration_ms);
    })
    .compose(new spec());
  report.pipe(process.stdout, { end: false });
  await new Promise((ended) => report.on("end", ended));
  return failures;
}

/** Runs the files. @returns the text to print last */
async function main(): Promise<string> {
  const first = await ran(files, Number(lanes));
  if (!first.mayRunAgain) {
    if (first.byFile.size > 0) process.exitCode = 1;
    return longest();
  }
  const times = longest();
  const names = [...first.byFile.keys()];
  process.stdout.write(`\nOnce more, alone: ${names.map(shown).join(", ")}\n`);
  const second = await ran(names, 1);
  if (second.byFile.size > 0) {
    process.exitCode = 1;
    return times;
  }
  const lines = [...first.byFile].map(([file, tests]) => `  ${shown(file)}: ${[...tests].join(", ")}`);
  return `${times}\nPassed only when run once more, alone; above is what was wrong. Such a test, or what it tests, has a race:\n${lines.join("\n")}\n`;
}

const last = await main();
// A remaining server may hold the pipes of its test file open, and the runner would wait forever.
process.stdout.write(last, () => process.exit());
