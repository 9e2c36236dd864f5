/**
 * The reasons why the members do not decide on conditions: a code, a sentence in which … are the members concerned, and
 * the remedy.
 */
export const UNDECIDED_CAUSES = {
  "no-majority": {
    says: "it is not connected to most members of the list (missing: …)",
    fix: "start these members first, or repair the network between them",
  },
  "earlier-list": {
    says: "members that may have made decisions under an earlier list are not connected (missing: …)",
    fix: "start these members first, or replace those that are lost permanently: dbsync members replace",
  },
  "promises-lost": {
    says: "it may have lost promises, and … must answer before it votes",
    fix: "start these members; if one of them reports the same, replace it: dbsync members replace",
  },
  "round-ahead": {
    says: "it has promised a round of the member … that is above the present date, and the other members accept none above it",
    fix: "correct its clock, or the clocks of the other members; if all are right, they were wrong before: sign the member list again (dbsync members sign), which begins the rounds again",
  },
  promises: {
    says: "the members … do not promise to vote for what it proposes",
    fix: "run dbsync status for these members: their disks may have failed, or their clocks or promises may be wrong",
  },
  votes: {
    says: "the members … do not vote for what it proposes",
    fix: "run dbsync status for these members: they may be catching up, or their disks may be slow",
  },
  "own-disk": {
    says: "it has the answers of all connected members, but has not stored its own promise, vote or decision yet",
    fix: "check with dbsync doctor and dbsync top whether its disk is slow",
  },
  decisions: {
    says: "it is missing decisions that the members … have",
    fix: "connect it to the other members, and read its log: if these have pruned the decisions, it has to adopt a snapshot, or one of these members does",
  },
  incomplete: {
    says: "decisions are missing that were made before those that it has, or with them",
    fix: "connect all members of the list: if none of them has the missing decisions, they continue without these after 10 s",
  },
  objections: {
    says: "the members … object to what it proposes",
    fix: "run dbsync status for these members: their clocks, versions, missing entries or states may be the reason",
  },
  "cannot-propose": {
    says: "it may propose decisions, but finds no date for them, because entries are missing or its clock is behind",
    fix: "run chronyc tracking on its machine, and read its log",
  },
  keeper: {
    says: "the member … may propose decisions, but makes none",
    fix: "run dbsync status for this member; if it reports nothing, restart it",
  },
  "passed-over": {
    says: "some units wait for long, although the member … decides others",
    fix: "if the members are not overloaded (dbsync top), restart this member; its machine may be compromised",
  },
  clock: {
    says: "it objects to what the member … proposes, because its own clock differs",
    fix: "run chronyc tracking on both machines",
  },
  entries: {
    says: "it objects to what the member … proposes, because it is missing earlier entries",
    fix: "connect it to the other members, and read its log",
  },
  code: {
    says: "it objects to what the member … proposes, because it does not have the code of a function or query",
    fix: "install the same version on all daemons, and load the missing library again",
  },
  outcome: {
    says: "it objects to what the member … proposes, because it comes to another outcome",
    fix: "connect all members; if dbsync status reports different states, restart the daemon that it names",
  },
} as const satisfies Readonly<Record<string, { readonly says: string; readonly fix: string }>>;

export type UndecidedCause = keyof typeof UNDECIDED_CAUSES;

/** The causes for which it may help to evict the members concerned, if they do not recover for hours. */
export const EVICTION_HELPS: ReadonlySet<string> = new Set<UndecidedCause>([
  "no-majority",
  "earlier-list",
  "promises",
  "objections",
  "keeper",
]);
