/** Keeps the tail within its bytes. They, not seconds, are the usual bound. */
import type { Fold } from "./fold.js";

/** Milliseconds of the tail that are forgotten in one go. */
const STEP_MS = 100;

/** Cuts the fold until its tail is small enough. @param until  the latest date that may be cut */
export function trim(fold: Fold, tailBytes: number, until: number): void {
  while (fold.tailBytes > tailBytes && fold.oldestAt !== null && fold.cutAt < until) {
    fold.cut(Math.min(until, fold.oldestAt + STEP_MS));
  }
}
