/** What the model does with an envelope, as timeline/timeline.ts does in `take` and `receive` with what it holds and keeps. */

/** below-stable: a member sends what can no longer be, which is an alarm. */
export type Arrival = "known" | "take" | "too-old" | "unknown" | "below-stable";

/** Returns "known" first: a retry of what was taken before is answered, however old it is by now. */
export function arrivalOf(
  at: number,
  isKnown: boolean,
  isFirstHand: boolean,
  { stablePoint, watermark }: { readonly stablePoint: number; readonly watermark: number },
): Arrival {
  if (isKnown) return "known";
  if (at < stablePoint) return isFirstHand ? "unknown" : "below-stable";
  return isFirstHand && at <= watermark ? "too-old" : "take";
}
