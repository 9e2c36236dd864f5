/** The history of lines typed into `dbsync repl` and `dbsync sql`, stored in the user's state folder (XDG). */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { makeFolder } from "../../../keys/atomic-file.js";
import { printNotice } from "./output.js";

/** Maximum number of lines that a session can recall. */
export const HISTORY_LINES_MAX = 1_000;

/** The modes of the file and its folder: other users must not read commands, because they contain data. */
const OWNER_ONLY = 0o600;
const FOLDER_MODE = 0o700;

/** Number of lines above `HISTORY_LINES_MAX` at which the file is shortened. */
const SLACK = 1_000;

/** The history of one program. A line is written before it is executed, so it survives a killed session. */
export class HistoryFile {
  readonly path: string;
  /** The lines, newest first, as node:readline requires. */
  readonly lines: readonly string[];
  #isWritable = true;

  /** Reads the file; if that fails, the history is empty. @param name  the file's name, different for each program */
  constructor(variables: Readonly<Record<string, string | undefined>>, name: string) {
    const folder = variables["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
    this.path = join(folder, "dbsync", name);
    const all = linesIn(this.path);
    const recent = all.slice(-HISTORY_LINES_MAX);
    this.lines = recent.toReversed();
    if (all.length > HISTORY_LINES_MAX + SLACK)
      this.#write(() => writeFileSync(this.path, textOf(recent), { mode: OWNER_ONLY }));
  }

  /** Appends a line. */
  add(line: string): void {
    this.#write(() => {
      makeFolder(dirname(this.path), FOLDER_MODE);
      appendFileSync(this.path, textOf([line]), { mode: OWNER_ONLY });
    });
  }

  #write(write: () => void): void {
    if (!this.#isWritable) return;
    try {
      write();
    } catch (problem) {
      this.#isWritable = false;
      printNotice(`the history cannot be stored: ${(problem as Error).message}`);
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
