/** How much of a long test is run. */

/** Whether to take all of it: `.ci/run` and `npm run explore` do. */
export const isFull: boolean = Boolean(process.env["DBSYNC_FULL"]);

/**
 * How often, how many or how long.
 * @param few  as `npm test` does, which nobody should have to wait for
 * @param full  with DBSYNC_FULL=1
 */
export function amount(few: number, full: number): number {
  return isFull ? full : few;
}

/** Of cases that show the same: the first few, which is one if nothing else is said, or all with DBSYNC_FULL=1. */
export function some<Case>(cases: readonly Case[], few = 1): readonly Case[] {
  return cases.slice(0, amount(few, cases.length));
}

/** The value of `skip` for what only a full run has: builds in fresh copies, say, which cost as much as all else in a file. */
export const skipUnlessFull: string | false = isFull ? false : "a full run has it: DBSYNC_FULL=1";
