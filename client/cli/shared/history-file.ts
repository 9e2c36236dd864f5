/** Lines typed into `dbsync repl` and `dbsync sql`, kept from one run to the next in the user's state folder (XDG). */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** Lines kept; as shells do by default. */
export const MAX_HISTORY_LINES = 1_000;

/** Commands hold data, so nobody else may read them. */
const OWNER_ONLY = 0o600;

/** @param name  of the file: each program has its own */
export function historyFile(variables: Readonly<Record<string, string | undefined>>, name: string): string {
  return join(variables["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "dbsync", name);
}

/** Newest first, as node:readline wants them; empty if there are none or they cannot be read. */
export function readHistory(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean).reverse().slice(0, MAX_HISTORY_LINES);
  } catch {
    return [];
  }
}

/** @param lines  newest first. A folder that cannot be written costs the history, not the session. */
export function writeHistory(file: string, lines: readonly string[]): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    const oldestFirst = lines.slice(0, MAX_HISTORY_LINES).reverse();
    writeFileSync(file, oldestFirst.map((line) => `${line}\n`).join(""), { mode: OWNER_ONLY });
  } catch (error) {
    process.stderr.write(`dbsync: the history was not kept: ${(error as Error).message}\n`);
  }
}
