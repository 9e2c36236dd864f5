/** Why a daemon with a member list accepts no writes, and what to do: `…` in a sentence is the list. */

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
    says: "…, is without it: it has left after it had handed over all its writes. To add it again, stop it and run dbsync members join",
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
} as const;

export type UnlistedCause = keyof typeof UNLISTED_CAUSES;
