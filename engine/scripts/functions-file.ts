/**
 * The libraries of functions of a daemon with a data folder: one file, as FUNCTION DUMP gives them, replaced whole before a change is
 * answered. It is this daemon's own, beside the timeline, of which it is no part.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { discard, placeOver, stage } from "../../keys/atomic-file.js";
import { errnoOf } from "../../keys/key-source.js";
import { syncPathNow } from "../../net/process/synced-path.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { custom } from "../../store/arguments/errors.js";

export const FUNCTIONS_NAME = "functions.rdb";
const MODE = 0o600;

export class FunctionsFile {
  readonly path: string;

  /** @param data  the folder */
  constructor(data: string) {
    this.path = join(data, FUNCTIONS_NAME);
  }

  /** null: there are none. @throws an error of the system */
  read(): ByteString | null {
    try {
      return readFileSync(this.path, "latin1");
    } catch (problem) {
      if (errnoOf(problem) === "ENOENT") return null;
      throw problem;
    }
  }

  /** @throws CommandFailure  it is as it was */
  write(payload: ByteString): void {
    try {
      const staged = stage(this.path, Buffer.from(payload, "latin1"), MODE);
      try {
        placeOver(staged, this.path);
      } finally {
        discard(staged);
      }
      syncPathNow(dirname(this.path));
    } catch (problem) {
      throw custom(`ERR the libraries cannot be kept in --data, and are as they were (${errnoOf(problem)})`);
    }
  }
}
