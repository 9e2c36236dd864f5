/**
 * The journal on disk: a file of lines, a record each, of which the last may be torn where the proxy was killed. What was written is on the disk
 * before `sync` settles; one flush serves all that wait for it.
 */
import { type FileHandle, mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { StartError } from "../../serving/process/start-error.js";
import type { JournalRecord } from "./journal-state.js";

const NAME = "writes.journal";
/** Statements may hold passwords. */
const MODE = 0o600;

export class JournalFile {
  readonly #folder: string;
  #file: FileHandle | null = null;
  #unwritten = "";
  #syncing: Promise<void> | null = null;
  bytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @returns what it holds @throws StartError */
  async open(): Promise<readonly JournalRecord[]> {
    const path = join(this.#folder, NAME);
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const text = await readFile(path, "utf8").catch((problem: NodeJS.ErrnoException) => {
        if (problem.code === "ENOENT") return "";
        throw problem;
      });
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      const records = whole.split("\n").filter(Boolean).map(recordOf);
      this.#file = await open(path, "a", MODE);
      await syncFolder(this.#folder);
      if (whole.length < text.length) await this.#file.truncate(Buffer.byteLength(whole));
      this.bytes = Buffer.byteLength(whole);
      return records;
    } catch (problem) {
      throw new StartError(`--journal ${this.#folder}: ${(problem as Error).message}`, 1);
    }
  }

  append(record: JournalRecord): void {
    this.#unwritten += `${JSON.stringify(record)}\n`;
  }

  /** Settles when all that was appended is on the disk. */
  async sync(): Promise<void> {
    // One that has begun may have left out what was appended last.
    await this.#syncing;
    this.#syncing ??= this.#flush().finally(() => {
      this.#syncing = null;
    });
    await this.#syncing;
  }

  /** Puts these records in place of all others. */
  async replace(records: readonly JournalRecord[]): Promise<void> {
    await this.sync();
    const path = join(this.#folder, NAME);
    const next = await open(`${path}.next`, "w", MODE);
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");
    await next.writeFile(text);
    await next.sync();
    await rename(`${path}.next`, path);
    await syncFolder(this.#folder);
    await this.#file?.close();
    await next.close();
    this.#file = await open(path, "a", MODE);
    this.bytes = Buffer.byteLength(text);
  }

  async close(): Promise<void> {
    const file = this.#file;
    if (file === null) return;
    try {
      await this.sync();
    } finally {
      // A full disk takes nothing more, and gives back what is open all the same.
      this.#file = null;
      await file.close();
    }
  }

  async #flush(): Promise<void> {
    const text = this.#unwritten;
    this.#unwritten = "";
    if (text === "") return;
    if (this.#file === null) throw new Error("the journal is closed");
    await this.#file.appendFile(text);
    await this.#file.datasync();
    this.bytes += Buffer.byteLength(text);
  }
}

/** So that a name in it lasts. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  await handle.sync();
  await handle.close();
}

function recordOf(line: string): JournalRecord {
  const record = JSON.parse(line) as JournalRecord;
  if (typeof record.is !== "string") throw new Error("a line of it is no record");
  return record;
}
