/** Limits the memory of the tail. The tail usually reaches this limit before its maximum duration. */
import type { Fold } from "./fold.js";

/** Milliseconds of the tail that are dropped in one step. */
const STEP_MS = 100;

/** Cuts the fold until its tail is small enough. @param latest  the latest date that may be cut */
export function trim(fold: Fold, tailBytes: number, latest: number): void {
  // Entries that are not applied are not cut.
  const until = fold.end === null ? latest : Math.min(latest, fold.end.at - 1);
  while (fold.tailBytes > tailBytes && fold.oldestAt !== null && fold.cutAt < until) {
    fold.cut(Math.min(until, fold.oldestAt + STEP_MS));
  }
}
