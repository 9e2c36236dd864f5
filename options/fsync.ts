/** The value of --fsync: when what was acknowledged is on the disk. */

import type { LimitRow } from "./limit-text.js";
import { parseLimit } from "./limit-text.js";

/** `interval`: milliseconds between two syncs. */
export type Fsync = "always" | "never" | { readonly interval: number };

const INTERVAL: LimitRow = {
  flag: "fsync",
  unit: "time",
  fallback: 1000,
  least: 1,
  most: 60_000,
  summary: "milliseconds between two syncs",
  reason: "what a crash of the machine may cost",
};

const FORM = /^interval=(\d{1,15})(ms)?$/;

/** @throws RangeError  a sentence: what is expected */
export function parseFsync(text: string): Fsync {
  if (text === "always" || text === "never") return text;
  const [, milliseconds] = FORM.exec(text) ?? [];
  if (milliseconds === undefined)
    throw new RangeError("Expected always, never, or interval= and milliseconds.");
  return { interval: parseLimit(INTERVAL, `${milliseconds}ms`) };
}

/** `parseFsync` reads it back. */
export function formatFsync(fsync: Fsync): string {
  return typeof fsync === "string" ? fsync : `interval=${fsync.interval}`;
}
