/** How much of a long test is run. */

/** Whether to take all of it: `.ci/run` and `npm run explore` do. */
const isFull = Boolean(process.env["DBSYNC_FULL"]);

/**
 * How often, how many or how long.
 * @param few  as `npm test` does, which nobody should have to wait for
 * @param full  with DBSYNC_FULL=1
 */
export function amount(few: number, full: number): number {
  return isFull ? full : few;
}
