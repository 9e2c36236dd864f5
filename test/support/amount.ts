/** Settings that decide how much of a long test runs. */

/** Whether everything runs, as with DBSYNC_FULL=1 and in `npm run explore`. */
export const isFull = Boolean(process.env["DBSYNC_FULL"]);

/**
 * Returns the amount (a count, a size or a duration) for this kind of run.
 * @param few  for `npm test`, which must stay short
 * @param full  with DBSYNC_FULL=1
 */
export function amount(few: number, full: number): number {
  return isFull ? full : few;
}

/**
 * Returns the first of several similar cases, or all of them with DBSYNC_FULL=1.
 * @param few  the number of cases in a short run
 */
export function some<Case>(cases: readonly Case[], few = 1): readonly Case[] {
  return cases.slice(0, amount(few, cases.length));
}

/**
 * The value of `skip` for tests that belong in full runs only, for example builds in fresh copies: one such test
 * takes as long as the remaining tests of its file.
 */
export const skipUnlessFull: string | false = isFull ? false : "runs only with DBSYNC_FULL=1";
