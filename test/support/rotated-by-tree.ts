/**
 * Rotates a list by a hash of the source files, so that runs with a time limit check different items at different
 * commits.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ownFiles, repositoryRoot } from "./repository.js";

/** Matches the files whose contents are hashed. */
const HASHED = /^(client|keys|protocol|daemon|faces|tools|test)\/.*\.ts$/;

/**
 * Returns the items, beginning with one that the hash determines.
 * @param limit  the time for all items in milliseconds. If it is infinite, the list is not rotated
 */
export function rotatedByTree<Item>(items: readonly Item[], limit: number): Item[] {
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
export function secondsOption(seconds: string | undefined): number {
  const limit = seconds === undefined ? Number.POSITIVE_INFINITY : Number(seconds) * 1000;
  if (!(limit > 0)) throw new Error(`--seconds ${seconds}: not a positive number`);
  return limit;
}
