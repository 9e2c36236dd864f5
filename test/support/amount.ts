/** Decides how much of a long test runs. */

/** Whether to run all of it, as `.ci/run` and `npm run explore` do. */
export const isFull: boolean = Boolean(process.env["DBSYNC_FULL"]);

/**
 * Returns a count, a size or a duration.
 * @param few  for `npm test`, which is to be short
 * @param full  with DBSYNC_FULL=1
 */
export function amount(few: number, full: number): number {
  return isFull ? full : few;
}

/** Returns the first of several cases that show the same, or all with DBSYNC_FULL=1. @param few  how many */
export function some<Case>(cases: readonly Case[], few = 1): readonly Case[] {
  return cases.slice(0, amount(few, cases.length));
}

/**
 * The value of `skip` for tests of full runs only, such as builds in fresh copies, which cost as much as the rest of
 * a file.
 */
export const skipUnlessFull: string | false = isFull ? false : "a full run has it: DBSYNC_FULL=1";
