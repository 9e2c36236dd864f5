/** Limits the tail to its bytes. They, not seconds, are the usual bound. */
import type { Fold } from "./fold.js";

/** Milliseconds of the tail that are forgotten in one go. */
const STEP_MS = 100;

/** Cuts the fold until its tail is small enough. @param latest  the latest date that may be cut */
export function trim(fold: Fold, tailBytes: number, latest: number): void {
  // What is not applied is not cut.
  const until = fold.end === null ? latest : Math.min(latest, fold.end.at - 1);
  while (fold.tailBytes > tailBytes && fold.oldestAt !== null && fold.cutAt < until) {
    fold.cut(Math.min(until, fold.oldestAt + STEP_MS));
  }
}
