/**
 * The outcome of an entry that a daemon took before it was left out of the member list. It is known only when the
 * entries that members hold up to its date can no longer change, and as long as members remember the ids of removed
 * entries.
 */

/** `held`: by the member. `forgotten`: too old for the member to know. */
export type Fate = "held" | "undecided" | "dead-letter" | "forgotten";

export interface MembersPast {
  /** The date of a live member up to which the entries it holds can no longer change. */
  readonly stablePoint: number;
  /** The date from which it knows all ids, also those of removed entries. */
  readonly idsFrom: number;
}

/**
 * @param at  its date
 * @param isHeld  whether the member has it, or its id; before it is final that member may be lost with it
 */
export function fateOf(at: number, isHeld: boolean, { stablePoint, idsFrom }: MembersPast): Fate {
  if (at >= stablePoint) return "undecided";
  if (isHeld) return "held";
  return at < idsFrom ? "forgotten" : "dead-letter";
}
