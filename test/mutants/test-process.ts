/** The processes of test files that run against mutants, and what their output shows. */
import type { ChildProcess } from "node:child_process";

/** Matches the first failure and its reason in the TAP output of a test file. */
export const FAILURE = /^( *)not ok .*\n\1 {2}---\n[\s\S]*?^\1 {2}\.\.\.$/m;

/** Matches errors of the mutant's own code, which do not show that the rule is tested. */
export const UNFIT = /(?:ReferenceError|SyntaxError): .*/;

/** With a mutant, tests wait for conditions for a shorter time, in milliseconds. */
export const UNTIL_MS = "20000";

/** Kills a test file and the servers that it has started. */
export function end(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), "SIGKILL");
  } catch {
    // The process has already ended.
  }
}
