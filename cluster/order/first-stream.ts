/**
 * The stream that the daemon of a data folder first used. If that stream no longer exists, no new stream may be created
 * in its place.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { discard, placeOver, stage } from "../../keys/atomic-file.js";
import { StartError } from "../../net/process/start-error.js";
import { syncPathNow } from "../../net/process/synced-path.js";

export interface FirstStream {
  readonly name: string;
  /** When it was created, as NATS reports it. */
  readonly created: string;
}

const FILE = "stream.json";
const FILE_MODE = 0o600;

/** Reads the file, or returns null if there is none yet. @throws StartError  it cannot be read */
export function readFirstStream(folder: string): FirstStream | null {
  const file = join(folder, FILE);
  try {
    const { name, created } = JSON.parse(readFileSync(file, "utf8")) as Partial<FirstStream>;
    if (typeof name === "string" && typeof created === "string") return { name, created };
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code === "ENOENT") return null;
    if (!(problem instanceof SyntaxError)) throw problem;
  }
  throw new StartError(
    `${file}: it is damaged. Remove it if the stream that --order names is the right one.`,
    1,
  );
}

/** Writes the file. When this returns, the file is on disk under its name. */
export function writeFirstStream(folder: string, met: FirstStream): void {
  const file = join(folder, FILE);
  const staged = stage(file, JSON.stringify(met), FILE_MODE);
  try {
    placeOver(staged, file);
  } finally {
    discard(staged);
  }
  syncPathNow(folder);
}
