/**
 * What became of something that a daemon took before it was left out. It can be told only when what members hold up to there
 * can change no more, and as long as they know the ids of what they keep no more.
 */

/** How long the ids of what is kept no more are remembered; milliseconds. */
export const KEPT_IDS_MS = 30 * 86_400_000;

/** `held`: by the member. `forgotten`: too old for the member to know. */
export type Fate = "held" | "undecided" | "dead-letter" | "forgotten";

export interface MembersPast {
  /** Of a member that is live: what it holds of dates before that can change no more. */
  readonly stablePoint: number;
  /** From there on it knows all ids, also of what it keeps no more. */
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
