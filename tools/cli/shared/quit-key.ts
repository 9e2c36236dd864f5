/** Handles the key q, which ends a display that is updated repeatedly. */
import { readFileSync } from "node:fs";

const CTRL_C = "\x03";
const CTRL_Z = "\x1a";

/**
 * Calls `end` when the user types q; Ctrl-C and Ctrl-Z work as usual. Does nothing unless the program runs in the
 * foreground of a terminal, because a shell stops a background job that changes the terminal's mode.
 * @returns  a function that restores the terminal's mode
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
  // Waiting for keys must not keep the program running.
  stdin.unref();
  process.once("exit", release);
  return release;
}

/** Whether this process runs in the terminal's foreground; true if the system does not report it. */
function isForeground(): boolean {
  try {
    // The fields after the name (which may contain any characters) are state, parent, group, session, terminal, and the
    // terminal's foreground group.
    const fields = readFileSync("/proc/self/stat", "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    return fields[2] === fields[5];
  } catch {
    return true;
  }
}
