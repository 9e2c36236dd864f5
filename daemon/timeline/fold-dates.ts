/**
 * The date at which the tail ends, and the date up to which entries are folded. Both follow the clock, as far as it is
 * trusted.
 */
import type { TimelineParts } from "./timeline-environment.js";
import { FOLD_AHEAD_MS } from "./unfolded-entries.js";
import type { Watermark } from "./watermark.js";

export class FoldDates {
  readonly #parts: TimelineParts;
  readonly #watermark: Watermark;

  constructor(parts: TimelineParts, watermark: Watermark) {
    this.#parts = parts;
    this.#watermark = watermark;
  }

  /**
   * Returns the date at which the tail should end now. It also depends on the newest entry, so that a wrong clock
   * cannot end a part of the tail that other members may still change.
   */
  tailEnd(newest: number): number {
    return Math.floor(Math.min(this.#watermark.now(), newest) - this.#parts.limits.tailMs);
  }

  /**
   * The date at which the tail would end if an entry dated now existed, or the published watermark if that is earlier.
   */
  get finalTo(): number {
    const watermark = this.#watermark;
    return Math.min(Math.floor(watermark.now() - this.#parts.limits.tailMs), watermark.published);
  }

  /** The date up to which entries are folded now. */
  get foldUntil(): number {
    return Math.floor(this.#parts.clock()) + FOLD_AHEAD_MS;
  }
}
