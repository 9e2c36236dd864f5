/**
 * Writes a file in pieces. The file appears under its name only when it is complete, and never replaces an existing
 * file.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { discard, publishNew } from "../../../keys/atomic-file.js";
import { errnoOf } from "../../../keys/key-source.js";
import { unwritable } from "../../../keys/write-failures.js";

/** The file's mode; only its owner may read it, because it contains data. */
const MODE = 0o600;
const NAME_BYTES = 6;
/** Number of characters that are buffered for one write. */
const BUFFER_CHARS = 256 * 1024;

/** Writes bytes; each character is a byte. */
export type Write = (bytes: string) => Promise<void>;

/**
 * Creates a file.
 * @param path  the file's path; "-" is standard output
 * @throws Error  the file already exists or cannot be written; also the errors of `fill`. No incomplete file remains
 *   after an error.
 */
export async function writeNewFile(path: string, fill: (write: Write) => Promise<void>): Promise<void> {
  if (path === "-") return await fill(writeOut);
  if (existsSync(path)) throw fileExists(path);
  const staged = join(dirname(path), `.${basename(path)}.${randomBytes(NAME_BYTES).toString("hex")}.tmp`);
  const file = await open(staged, "wx", MODE).catch((problem: Error) => {
    throw failed(path, problem);
  });
  try {
    await writeBuffered(file, fill);
    await file.sync();
    publishNew(staged, path);
  } catch (problem) {
    throw errnoOf(problem) === "EEXIST" ? fileExists(path) : failed(path, problem);
  } finally {
    await file.close();
    discard(staged);
  }
}

async function writeBuffered(file: FileHandle, fill: (write: Write) => Promise<void>): Promise<void> {
  let buffer: string[] = [];
  let length = 0;
  const flush = async () => {
    const bytes = Buffer.from(buffer.join(""), "latin1");
    buffer = [];
    length = 0;
    for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
  };
  await fill(async (bytes) => {
    buffer.push(bytes);
    length += bytes.length;
    if (length >= BUFFER_CHARS) await flush();
  });
  await flush();
}

async function writeOut(bytes: string): Promise<void> {
  if (process.stdout.write(bytes, "latin1")) return;
  await new Promise((resolve) => process.stdout.once("drain", resolve));
}

function failed(path: string, problem: unknown): unknown {
  const sentence = unwritable(path, problem);
  return sentence === null ? problem : new Error(sentence, { cause: problem });
}

const fileExists = (path: string) => new Error(`${path} already exists; choose another name`);
