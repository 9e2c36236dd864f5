/**
 * `node run-files.js MS LANES FILE…`: runs test files, each for at most MS milliseconds, LANES in parallel. This
 * process leads a process group. If a file hangs and is killed, the servers that it started are killed as well. The
 * files that fail run again, alone. If all of them then pass, the run passes, and the parent receives a line for each
 * failure.
 */
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

/** How often a failed file must pass alone so that its failure does not fail the run. */
const PASSES = 2;

/** The number of files that fail again after which no further file runs again: the failures are not due to the load. */
const FAILED_AGAIN_MAX = 3;

const print = (text: string): void => void process.stdout.write(text);

/** Runs files and prints their tests. */
async function runAll(paths: readonly string[], concurrency: number): Promise<TestReport> {
  const report = new TestReport(print);
  const stream = run({ files: [...paths], concurrency, timeout: limit }) as TestsStream;
  stream.on("test:dequeue", resetSilence).on("test:complete", resetSilence);
  reports.push(report);
  await report.follow(stream);
  return report;
}

/** Runs a file alone until it has failed once or passed often enough. @returns the report of its last run */
async function repeat(file: string): Promise<TestReport> {
  for (let run = 1; ; run++) {
    const report = await runAll([file], 1);
    if (run === PASSES || report.hasFailed) return report;
  }
}

/** Runs files again, one at a time. @returns the reports of those that failed again, by file */
async function repeatAll(failed: readonly string[]): Promise<ReadonlyMap<string, TestReport>> {
  print(`\nRunning again, alone, ${PASSES} times each: ${failed.map(sourcePath).join(", ")}\n`);
  const failedAgain = new Map<string, TestReport>();
  for (const file of failed) {
    const report = await repeat(file);
    if (report.hasFailed) failedAgain.set(file, report);
    // Each further file could hang as long.
    if (report.hasHung || failedAgain.size === FAILED_AGAIN_MAX) break;
  }
  return failedAgain;
}

/** Sends lines to the parent, if it has a channel. The process may exit afterwards. */
async function send(lines: readonly string[]): Promise<void> {
  if (process.send === undefined) return;
  await new Promise((sent) => process.send?.(lines, undefined, undefined, sent));
}

/** Runs the files. @returns the text to print last */
async function main(): Promise<string> {
  const first = await runAll(files, Number(lanes));
  const text = first.longest() + first.failures();
  if (!first.hasFailed) return text;

  const failed = files.flatMap((program) => first.failedFilesOf(program));
  if (failed.length === 0) {
    // The failure belongs to no file that could run again.
    process.exitCode = 1;
    return text;
  }

  const failedAgain = await repeatAll(failed);
  if (failedAgain.size === 0) {
    await send(first.flakes());
    return `${text}\nThese tests failed in the parallel run and passed ${PASSES} times alone. The test or the tested code has a race.\n`;
  }
  process.exitCode = 1;
  const names = [...failedAgain.keys()].map(sourcePath).join(", ");
  // For the other files, the first run has printed why.
  const causes = [...failedAgain.values()].filter((report) => !first.includesFailuresOf(report));
  return `${text}\nFailed again, alone: ${names}\n${causes.map((report) => report.failures()).join("")}`;
}

const last = await main();
// A server that still runs may keep the pipes of its test file open. Without this exit, the runner would wait forever.
process.stdout.write(last, () => process.exit());
