/** Loaded into a daemon before its own program (node --import): at SIGUSR2 prints, as a line of JSON, which functions were entered since. */
import { type Profiler, Session } from "node:inspector";
import { isMainThread } from "node:worker_threads";

/** Functions of the built product: `path/file.js:offset`, with how often each was entered. */
export type EnteredFunctions = Readonly<Record<string, number>>;

const ROOT = new URL("..", import.meta.url).href;
/** Functions outside the product. */
const OWN = `${ROOT}bench/`;

const session = new Session();

function enteredIn({ url, functions }: Profiler.ScriptCoverage): [string, number][] {
  if (!url.startsWith(ROOT) || url.startsWith(OWN)) return [];
  return functions.flatMap(({ ranges }): [string, number][] => {
    const [whole] = ranges;
    if (whole === undefined || whole.count === 0) return [];
    return [[`${url.slice(ROOT.length)}:${whole.startOffset}`, whole.count]];
  });
}

function print(): void {
  session.post("Profiler.takePreciseCoverage", (_, { result }) => {
    console.log(JSON.stringify({ probe: Object.fromEntries(result.flatMap(enteredIn)) }));
  });
}

// Threads inherit --import; they receive no signals.
if (isMainThread) {
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  process.on("SIGUSR2", print);
}
