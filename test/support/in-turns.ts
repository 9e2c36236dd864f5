/** Chooses where a run begins that has no time for everything, so that the runs of successive commits check it all. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ownFiles, repositoryRoot } from "./repository.js";

/** Matches the files whose contents determine the beginning. */
const HASHED = /^(daemon|faces)\/.*\.ts$/;

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
