/** The model's decision about an arriving envelope, as in `take` and `receive` of daemon/timeline/timeline.ts. */

/** The decision about an envelope. `below-stable` is an alarm: a member sent an entry below the stable point. */
export type Arrival = "known" | "accept" | "too-old" | "unknown" | "below-stable";

/**
 * Returns the decision. Known envelopes are recognized first, because the retry of an accepted envelope is answered
 * at any age.
 */
export function arrivalOf(
  at: number,
  isKnown: boolean,
  isFirstHand: boolean,
  { stablePoint, watermark }: { readonly stablePoint: number; readonly watermark: number },
): Arrival {
  if (isKnown) return "known";
  if (at < stablePoint) return isFirstHand ? "unknown" : "below-stable";
  return isFirstHand && at <= watermark ? "too-old" : "accept";
}
