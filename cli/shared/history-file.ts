/** Lines typed into `dbsync repl` and `dbsync sql`, stored between runs in the user's state folder (XDG). */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** Maximum lines; the same as the default of shells. */
export const MAX_HISTORY_LINES = 1_000;

/** Commands contain data, so other users must not be able to read them. */
const OWNER_ONLY = 0o600;

/** Lines beyond `MAX_HISTORY_LINES` after which a file is written again. */
const SLACK = 1_000;

/** The history of one program. Each line is on the disk before it is executed, so it survives a killed session. */
export class HistoryFile {
  readonly path: string;
  /** Lines with the newest first, as node:readline requires. */
  readonly lines: readonly string[];
  #isKept = true;

  /** @param name  of the file: each program has its own. If it cannot be read, the session runs without the history. */
  constructor(variables: Readonly<Record<string, string | undefined>>, name: string) {
    const folder = variables["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
    this.path = join(folder, "dbsync", name);
    const all = linesIn(this.path);
    const kept = all.slice(-MAX_HISTORY_LINES);
    this.lines = kept.toReversed();
    if (all.length > MAX_HISTORY_LINES + SLACK) this.#write(() => writeFileSync(this.path, textOf(kept)));
  }

  /** Appends a line. */
  add(line: string): void {
    this.#write(() => {
      mkdirSync(dirname(this.path), { recursive: true });
      appendFileSync(this.path, textOf([line]), { mode: OWNER_ONLY });
    });
  }

  #write(write: () => void): void {
    if (!this.#isKept) return;
    try {
      write();
    } catch (problem) {
      this.#isKept = false;
      process.stderr.write(`dbsync: the history is not kept: ${(problem as Error).message}\n`);
    }
  }
}

function linesIn(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n").filter(Boolean);
  } catch {
    return [];
  }
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
