/**
 * Determines the outcome of an entry that a daemon accepted before the daemon was left out of the member list. The
 * outcome can be determined only once the members' entries up to the entry's date can no longer change, and only while
 * members still remember the ids of removed entries.
 */

/**
 * `held`: the member has the entry. `forgotten`: the entry is so old that the member no longer knows whether it had the
 * entry.
 */
export type EntryOutcome = "held" | "undecided" | "dead-letter" | "forgotten";

export interface MembersHistory {
  /** The date up to which a live member's entries can no longer change. */
  readonly stablePoint: number;
  /** The date from which the member knows all ids, including the ids of removed entries. */
  readonly idsFrom: number;
}

/**
 * Returns the outcome of an entry.
 * @param at  the entry's date
 * @param isHeld  whether the member has the entry, or its id. Before the entry is final, the outcome is undecided even
 * then, because the member could be lost together with the entry
 */
export function entryOutcomeOf(
  at: number,
  isHeld: boolean,
  { stablePoint, idsFrom }: MembersHistory,
): EntryOutcome {
  if (at >= stablePoint) return "undecided";
  if (isHeld) return "held";
  return at < idsFrom ? "forgotten" : "dead-letter";
}
