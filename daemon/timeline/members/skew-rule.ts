/**
 * Returns the watermark of a daemon whose clock is wrong. Such a daemon accepts no entries from clients, so its
 * watermark may follow the other members; otherwise the daemon would delay final answers for all members. The watermark
 * stays within the window of the median clock, so that the daemon does not copy a single watermark that is too far
 * ahead.
 * @param median      the median of the members' clocks, milliseconds since 1970
 * @param past        milliseconds before the clock up to which entries are accepted from clients
 * @param watermarks  the watermarks of the members whose clocks are right
 */
export const skewedWatermark = (median: number, past: number, watermarks: Iterable<number>): number =>
  Math.floor(Math.min(median - past, ...watermarks));
