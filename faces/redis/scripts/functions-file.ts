/**
 * The file in the data folder that stores a daemon's function libraries. It has the format of FUNCTION DUMP, and is
 * replaced atomically before a change is answered. The libraries belong to this daemon only, and are not part of the
 * timeline.
 */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { functionsFile } from "../../../daemon/engine/trust/data-folder.js";
import { syncPathNow } from "../../../daemon/net/process/disk.js";
import { custom } from "../../../daemon/store/arguments/command-errors.js";
import { discard, publishOver, stage } from "../../../keys/atomic-file.js";
import { errnoOf } from "../../../keys/key-source.js";
import type { ByteString } from "../../../protocol/byte-string.js";

const MODE = 0o600;

export class FunctionsFile {
  readonly path: string;

  /** @param data  the data folder */
  constructor(data: string) {
    this.path = functionsFile(data);
  }

  /** Reads the dump, or returns null if there is none. @throws Error  the system cannot read it */
  read(): ByteString | null {
    try {
      return readFileSync(this.path, "latin1");
    } catch (problem) {
      if (errnoOf(problem) === "ENOENT") return null;
      throw problem;
    }
  }

  /** Replaces the dump. @throws CommandFailure  the file is unchanged */
  write(payload: ByteString): void {
    try {
      const staged = stage(this.path, Buffer.from(payload, "latin1"), MODE);
      try {
        publishOver(staged, this.path);
      } finally {
        discard(staged);
      }
      syncPathNow(dirname(this.path));
    } catch (problem) {
      throw custom(`ERR the libraries cannot be stored in --data, and are unchanged (${errnoOf(problem)})`);
    }
  }
}
