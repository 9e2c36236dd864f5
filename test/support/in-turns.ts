/** Chooses where a run begins that has no time for everything, so that the runs of successive commits check it all. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ownFiles, repositoryRoot } from "./repository.js";

/** Matches the files whose contents determine the beginning. */
const HASHED = /^(client|keys|protocol|daemon|faces|tools|test)\/.*\.ts$/;

/**
 * Returns the items, beginning with one that the contents of the tree determine.
 * @param limit  the time for all items in milliseconds. If it is infinite, the order does not change
 */
export function inTurns<Item>(items: readonly Item[], limit: number): Item[] {
  if (limit === Number.POSITIVE_INFINITY) return [...items];
  const hash = createHash("sha256");
  for (const file of ownFiles().filter((one) => HASHED.test(one)))
    hash.update(readFileSync(join(repositoryRoot, file)));
  const first = hash.digest().readUInt32BE(0) % Math.max(1, items.length);
  return [...items.slice(first), ...items.slice(0, first)];
}

/**
 * Reads the value of `--seconds`.
 * @returns milliseconds; infinite without the option
 * @throws Error if the value is not a positive number
 */
export function millisecondsOf(seconds: string | undefined): number {
  const limit = seconds === undefined ? Number.POSITIVE_INFINITY : Number(seconds) * 1000;
  if (!(limit > 0)) throw new Error(`--seconds ${seconds}: not a positive number`);
  return limit;
}
