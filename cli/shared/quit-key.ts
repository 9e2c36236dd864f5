/** The key q, which ends a display that is repeatedly updated. */
import { readFileSync } from "node:fs";

const CTRL_C = "\x03";
const CTRL_Z = "\x1a";

/**
 * Ends the program with `end` when q is typed; Ctrl-C and Ctrl-Z work as usual. Only on a terminal whose input belongs to this program:
 * a shell stops a background job that changes its terminal.
 * @returns  what gives the terminal back
 */
export function endOnQ(end: () => void): () => void {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY || !isForeground()) return () => {};
  const listen = () => {
    if (isForeground()) stdin.setRawMode(true);
  };
  const release = () => void stdin.setRawMode(false);
  listen();
  stdin.on("data", (typed: Buffer) => {
    for (const key of typed.toString("latin1")) {
      if (key === "q" || key === "Q") return end();
      if (key === CTRL_C) process.kill(process.pid, "SIGINT");
      if (key === CTRL_Z) {
        release();
        process.once("SIGCONT", listen);
        process.kill(process.pid, "SIGTSTP");
      }
    }
  });
  // Keys alone do not keep the program running.
  stdin.unref();
  process.once("exit", release);
  return release;
}

/** Returns whether this process has the terminal; true where the system does not say. */
function isForeground(): boolean {
  try {
    // The fields after the name, which may contain any characters: state, parent, group, session, terminal, the terminal's
    // group.
    const fields = readFileSync("/proc/self/stat", "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    return fields[2] === fields[5];
  } catch {
    return true;
  }
}
