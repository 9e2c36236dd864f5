/** The value of --fsync: when writes are forced to the disk. */

import type { LimitRow } from "./limit-text.js";
import { parseLimit } from "./limit-text.js";

/** When to sync: before each answer, never, or at an `interval` in milliseconds. */
export type Fsync = "always" | "never" | { readonly interval: number };

const INTERVAL: LimitRow = {
  flag: "fsync",
  unit: "time",
  fallback: 1000,
  min: 1,
  max: 60_000,
  summary: "milliseconds between two syncs",
  reason: "a crash of the machine may lose the writes of this time",
};

const FORM = /^interval=(\d{1,15})(ms)?$/;

/** Parses the value. @throws RangeError  the message says what is expected */
export function parseFsync(text: string): Fsync {
  if (text === "always" || text === "never") return text;
  const [, milliseconds] = FORM.exec(text) ?? [];
  if (milliseconds === undefined)
    throw new RangeError("Expected always, never, or interval= followed by milliseconds.");
  return { interval: parseLimit(INTERVAL, `${milliseconds}ms`) };
}

/** Formats the value; the inverse of `parseFsync`. */
export function formatFsync(fsync: Fsync): string {
  return typeof fsync === "string" ? fsync : `interval=${fsync.interval}`;
}
