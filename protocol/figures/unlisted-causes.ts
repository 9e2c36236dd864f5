/**
 * Why a daemon accepts no writes because of the member list: a code, a sentence in which … is the list, and the remedy.
 */
interface UnlistedCauseRow {
  readonly says: string;
  readonly fix: string;
}

export const UNLISTED_CAUSES = {
  "left-out": {
    says: "…, leaves it out permanently",
    fix: "run dbsync dead-letters find on its machine, start it with a new data folder, and run dbsync members add (without an administrator: add it to --peer of each member)",
  },
  "not-listed": {
    says: "…, does not name it",
    fix: "run dbsync members add, or dbsync members replace if its folder was lost (without an administrator: add it to --peer of each member); if it has a list of its own, first run dbsync members join",
  },
  left: {
    says: "…, is without it: it has left after it had handed over all its writes",
    fix: "stop it; to add it again, then run dbsync members join on its machine",
  },
  leaving: {
    says: "it leaves the list of members: it was ordered to (dbsync members remove), or has signed the list without itself",
    fix: "wait until it has left, then stop it; to add it again, run dbsync members join on its machine",
  },
  "no-data": {
    says: "…, can name no daemon without --data",
    fix: "start it with --data, and run dbsync members add (without an administrator: add it to --peer of each member)",
  },
} as const satisfies Readonly<Record<string, UnlistedCauseRow>>;

export type UnlistedCause = keyof typeof UNLISTED_CAUSES;

/** Returns the row of a cause, or null if the daemon reports none, or one that this release does not know. */
export const rowOfUnlistedCause = (cause: string | null): UnlistedCauseRow | null =>
  cause !== null && Object.hasOwn(UNLISTED_CAUSES, cause) ? UNLISTED_CAUSES[cause as UnlistedCause] : null;
