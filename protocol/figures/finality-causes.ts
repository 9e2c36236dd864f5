/**
 * What the next final date waits for: a code, a sentence in which … are the members concerned, the time that it may
 * normally take without visible progress, and the remedy if it takes longer.
 */

/** Milliseconds without progress that are normal while members exchange reports and lists, which takes seconds. */
const EXCHANGE_MS = 60_000;
/** Milliseconds without progress after which a daemon that is catching up is considered stuck. */
export const CATCHING_UP_MAX_MS = 300_000;

interface FinalityCause {
  readonly says: string;
  /** Milliseconds without progress; 0: it is never normal. */
  readonly normalMs: number;
  readonly fix: string;
}

export const FINALITY_CAUSES = {
  "own-state": {
    says: "it is catching up itself",
    normalMs: CATCHING_UP_MAX_MS,
    fix: "its log says what it is waiting for; start the members that are down (dbsync members list)",
  },
  "own-list": {
    says: "it uses no member list yet under which it may report, or lists conflict",
    normalMs: EXCHANGE_MS,
    fix: "compare the lists of the daemons: dbsync members list",
  },
  away: {
    says: "its member … is not connected",
    normalMs: 0,
    fix: "start that daemon first, or repair the network",
  },
  list: {
    says: "its member … does not report under the same member list yet",
    normalMs: EXCHANGE_MS,
    fix: "compare the lists of the daemons (dbsync members list), and read the log of that member",
  },
  "catching-up": {
    says: "its member … is catching up",
    normalMs: CATCHING_UP_MAX_MS,
    fix: "the log of that member says what it is waiting for; start the members that it waits for, or restart it",
  },
  "open-vote": {
    says: "it has voted for a decision that is not made yet",
    normalMs: EXCHANGE_MS,
    fix: "start the members that are down, and read the lines about decisions in its log",
  },
  "own-date": {
    says: "it may still accept writes with earlier dates",
    normalMs: EXCHANGE_MS,
    fix: "run chronyc tracking on its machine, and read its log",
  },
  date: {
    says: "its member … may still accept writes with earlier dates",
    normalMs: EXCHANGE_MS,
    fix: "run dbsync status for that member: its disk may have failed; then run chronyc tracking on both machines, and read its log",
  },
  entries: {
    says: "it is comparing its entries with those of its member …",
    normalMs: EXCHANGE_MS,
    fix: "read the logs of both daemons, and run dbsync log verify on their folders",
  },
} as const satisfies Readonly<Record<string, FinalityCause>>;

export type FinalityCauseName = keyof typeof FINALITY_CAUSES;

/** Returns the row of a cause, or null if the daemon reports none, or one that this release does not know. */
export const rowOfFinalityCause = (cause: string | null): FinalityCause | null =>
  cause !== null && Object.hasOwn(FINALITY_CAUSES, cause)
    ? FINALITY_CAUSES[cause as FinalityCauseName]
    : null;
