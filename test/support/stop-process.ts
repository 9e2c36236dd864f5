/** Stops a process for a time, so that it changes nothing. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { nextTurn, until } from "./until.js";

/** Sends SIGSTOP to a process, and waits until all its threads are stopped. SIGCONT lets it continue. */
export async function stopProcess(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await until("the process is stopped", () => isStopped(pid), { pause: nextTurn });
}

function isStopped(pid: number): boolean {
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder).every((thread) =>
    / T /.test(readFileSync(join(folder, thread, "stat"), "utf8").replace(/^.*\)/, "")),
  );
}
