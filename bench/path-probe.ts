/**
 * A module that is loaded into a daemon before dbsyncd (node --import). On SIGUSR2 it prints a line of JSON with the
 * functions that were entered since the previous signal.
 */
import { type Profiler, Session } from "node:inspector";
import { isMainThread } from "node:worker_threads";

/** The number of calls of each function in the build, by `path/file.js:name@offset`. */
export type EnteredFunctions = Readonly<Record<string, number>>;

const ROOT = new URL("..", import.meta.url).href;
/** The beginning of the names of files that do not belong to the product. */
const BENCH_FILES = `${ROOT}bench/`;

const session = new Session();

function enteredIn({ url, functions }: Profiler.ScriptCoverage): [string, number][] {
  if (!url.startsWith(ROOT) || url.startsWith(BENCH_FILES)) return [];
  return functions.flatMap(({ functionName, ranges }): [string, number][] => {
    const [functionRange] = ranges;
    if (functionRange === undefined || functionRange.count === 0) return [];
    return [[`${url.slice(ROOT.length)}:${functionName}@${functionRange.startOffset}`, functionRange.count]];
  });
}

function print(): void {
  session.post("Profiler.takePreciseCoverage", (_, { result }) => {
    console.log(JSON.stringify({ probe: Object.fromEntries(result.flatMap(enteredIn)) }));
  });
}

// Threads inherit --import, but receive no signals.
if (isMainThread) {
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  process.on("SIGUSR2", print);
}
