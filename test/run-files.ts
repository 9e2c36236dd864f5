/**
 * Runs test files: `node run-files.js MS LANES FILE…`, each file for so many milliseconds at most, so many at once. Leads the process group that it
 * is started in: when a file hangs and is ended, the servers that it started end here. A few files that fail beside the others run once
 * more, alone (docs/decisions/0029).
 */
import { existsSync } from "node:fs";
import { basename, relative } from "node:path";
import { run, type TestsStream } from "node:test";
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
/** More files than these do not fail because the machine was busy. */
const AGAIN_MAX = 3;
/** Milliseconds, by file. */
const took = new Map<string, number>();

/** What failed in a run, by file: the names of tests. */
class Failures {
  readonly byFile = new Map<string, Set<string>>();
  /** A file that hung would hang once more. */
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

/** Runs files and tells of them. @returns what failed */
async function ran(paths: readonly string[], concurrency: number): Promise<Failures> {
  const failures = new Failures();
  const report = (run({ files: [...paths], concurrency, timeout: limit }) as TestsStream)
    .on("test:fail", ({ file, name, details }) => failures.add(file ?? name, name, details.error.cause))
    .on("test:dequeue", heard)
    .on("test:complete", ({ name, file, details }) => {
      heard();
      // A file is told of as a test that has its name.
      if (file?.endsWith(name)) took.set(file, details.duration_ms);
    })
    .compose(new spec());
  report.pipe(process.stdout, { end: false });
  await new Promise((ended) => report.on("end", ended));
  return failures;
}

/** @returns the last words */
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
// A server that is left may hold pipes of its test file open, for which the runner would wait for ever.
process.stdout.write(last, () => process.exit());
