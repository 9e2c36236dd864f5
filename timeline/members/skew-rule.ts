/**
 * Returns the watermark of a daemon whose clock is wrong. Such a daemon accepts no entries itself, so it may follow the
 * other members; otherwise it would delay final answers for all. It stays within the window of the clock that most
 * members agree on, so that a single watermark that is too far ahead is not copied.
 * @param median      the median of the members' clocks, milliseconds since 1970
 * @param past        milliseconds before the clock up to which entries are accepted from clients
 * @param watermarks  the watermarks of the members whose clocks are right
 */
export const skewedWatermark = (median: number, past: number, watermarks: Iterable<number>): number =>
  Math.floor(Math.min(median - past, ...watermarks));
