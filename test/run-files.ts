/**
 * `node run-files.js MS LANES FILE…`: runs test files, each for at most MS milliseconds, LANES in parallel. This
 * process leads a process group. If a file hangs and is killed, the servers that it started are killed as well. If
 * only a few files fail, they run again, one at a time. The parent receives a message if a test has failed.
 */
import { existsSync } from "node:fs";
import { run, type TestsStream } from "node:test";
import { sourcePath, TestReport } from "./support/test-report.js";

const [milliseconds, lanes, ...files] = process.argv.slice(2);
const limit = Number(milliseconds);

/** The reports of the runs, for a run that does not end. */
const reports: TestReport[] = [];

/** Ends the run if no event arrives for longer than a file may take, since Node 24 does not end a file that hangs. */
const silence = setTimeout(() => {
  const last = reports.at(-1);
  if (last !== undefined) last.isFileRunning = true;
  for (const report of reports) print(report.failures());
  console.error(`No test has started or ended for ${1.5 * limit} ms: a test file hangs.`);
  process.exit(1);
}, 1.5 * limit).unref();
const resetSilence = () => void silence.refresh();

/** The maximum number of failed files that run again. If more files fail, the cause is not a busy machine. */
const AGAIN_MAX = 8;

const print = (text: string): void => void process.stdout.write(text);

/** Runs files and prints their tests. */
async function runAll(paths: readonly string[], concurrency: number): Promise<TestReport> {
  const report = new TestReport(print);
  const stream = run({ files: [...paths], concurrency, timeout: limit }) as TestsStream;
  report.follow(stream);
  stream.on("test:dequeue", resetSilence).on("test:complete", resetSilence);
  reports.push(report);
  // The stream ends only if it is read.
  stream.resume();
  await new Promise((ended) => stream.on("end", ended));
  return report;
}

/** Returns whether failed files run again. A file that only defines tests for others would pass without a test. */
function mayRunAgain({ failedFiles, hasHung }: TestReport): boolean {
  const isTest = (file: string) => /\.test\.m?js$/.test(file) && existsSync(file);
  return failedFiles.length <= AGAIN_MAX && !hasHung && failedFiles.every(isTest);
}

/** Runs the files. @returns the text to print last */
async function main(): Promise<string> {
  const first = await runAll(files, Number(lanes));
  const text = first.longest() + first.failures();
  if (first.failedFiles.length === 0) return text;
  process.send?.("A test has failed.");
  if (mayRunAgain(first)) {
    print(`\nRunning again, alone: ${first.failedFiles.map(sourcePath).join(", ")}\n`);
    const second = await runAll(first.failedFiles, 1);
    if (second.failedFiles.length === 0)
      return `${text}\nThese tests failed in the parallel run and passed when they ran again, alone. The test or the tested code has a race:\n${first.failedNames()}`;
  }
  process.exitCode = 1;
  return text;
}

const last = await main();
// A server that still runs may keep the pipes of its test file open. Without this exit, the runner would wait forever.
process.stdout.write(last, () => process.exit());
