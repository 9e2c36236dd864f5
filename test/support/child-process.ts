/** Child processes that end with this process at the latest. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

const RUNNING = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of RUNNING) child.kill("SIGKILL");
});

/** Kills a child process at the end of this process. @returns the child */
export function killedAtExit<Child extends ChildProcess>(child: Child): Child {
  RUNNING.add(child);
  child.once("exit", () => RUNNING.delete(child));
  return child;
}

/** Kills a child process, and waits for its end. Also ends a process that is stopped by SIGSTOP. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
