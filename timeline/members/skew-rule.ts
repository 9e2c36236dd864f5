/**
 * Where the watermark of a daemon stands whose clock is off: it takes nothing itself, so it may follow the others, or it would
 * hold back what is final for all. Not beyond the window behind the clock that most agree on: else one watermark that has run
 * ahead would be handed on.
 * @param median  of the members' clocks, milliseconds since 1970
 * @param past  how far behind the clock something is taken first-hand
 * @param watermarks  of the members whose clocks are right
 */
export const skewedWatermark = (median: number, past: number, watermarks: Iterable<number>): number =>
  Math.floor(Math.min(median - past, ...watermarks));
