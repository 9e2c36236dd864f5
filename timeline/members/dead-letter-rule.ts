/**
 * What became of something that a daemon took before it was left out. It can be told only when what members hold up to there
 * can change no more, and as long as they know the ids of what they keep no more.
 */

/** How long the ids of what is kept no more are remembered; milliseconds. */
export const KEPT_IDS_MS = 30 * 86_400_000;

/** held: by the members. forgotten: too old to be told. */
export type Fate = "held" | "undecided" | "dead-letter" | "forgotten";

export interface MembersPast {
  /** The date of the newest of all that is asked about. */
  readonly newest: number;
  /** Of a member that is live. */
  readonly stablePoint: number;
  /** From there on it knows all ids, also of what it keeps no more. */
  readonly idsFrom: number;
}

/**
 * @param at  its date
 * @param isHeld  whether the member has it, or its id
 */
export function fateOf(at: number, isHeld: boolean, { newest, stablePoint, idsFrom }: MembersPast): Fate {
  if (isHeld) return "held";
  if (newest >= stablePoint) return "undecided";
  return at < idsFrom ? "forgotten" : "dead-letter";
}
