/** Writes a file piece by piece under another name; it appears when it is complete, and never replaces an existing file. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { discard, placeNew } from "../../keys/atomic-file.js";
import { errnoOf } from "../../keys/key-source.js";
import { unwritable } from "../../keys/unwritable.js";

/** The file's mode: it contains data, so only its owner may read it. */
const MODE = 0o600;
const NAME_BYTES = 6;
/** Characters that are buffered for one write. */
const GATHERED = 256 * 1024;

/** Takes bytes, one character each. */
export type Write = (bytes: string) => Promise<void>;

/**
 * @param path  "-" is standard output
 * @throws Error  there is such a file already; it cannot be written; what `fill` throws, and then nothing is left
 */
export async function writeNewFile(path: string, fill: (write: Write) => Promise<void>): Promise<void> {
  if (path === "-") return await fill(writeOut);
  if (existsSync(path)) throw taken(path);
  const staged = join(dirname(path), `.${basename(path)}.${randomBytes(NAME_BYTES).toString("hex")}.tmp`);
  const file = await open(staged, "wx", MODE).catch((problem: Error) => {
    throw failed(path, problem);
  });
  try {
    await gathered(file, fill);
    await file.sync();
    placeNew(staged, path);
  } catch (problem) {
    throw errnoOf(problem) === "EEXIST" ? taken(path) : failed(path, problem);
  } finally {
    await file.close();
    discard(staged);
  }
}

async function gathered(file: FileHandle, fill: (write: Write) => Promise<void>): Promise<void> {
  let held: string[] = [];
  let length = 0;
  const flush = async () => {
    const bytes = Buffer.from(held.join(""), "latin1");
    held = [];
    length = 0;
    for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
  };
  await fill(async (bytes) => {
    held.push(bytes);
    length += bytes.length;
    if (length >= GATHERED) await flush();
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

const taken = (path: string) => new Error(`${path} is there already; name a file that is not`);
