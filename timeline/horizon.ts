/** Where the tail should end, and up to which date entries are folded: by the clock, as far as it is believed. */
import type { TimelineParts } from "./timeline-owner.js";
import { DUE_AHEAD_MS } from "./waiting.js";
import type { Watermark } from "./watermark.js";

export class Horizon {
  readonly #parts: TimelineParts;
  readonly #watermark: Watermark;

  constructor(parts: TimelineParts, watermark: Watermark) {
    this.#parts = parts;
    this.#watermark = watermark;
  }

  /** Where the tail should end by now. Not by the clock alone: a wrong one must not end what others still change. */
  of(newest: number): number {
    return Math.floor(Math.min(this.#watermark.now(), newest) - this.#parts.limits.tailMs);
  }

  /** Where it would end if there were an entry of now, as far as nothing earlier is taken first-hand any more. */
  get finalTo(): number {
    const watermark = this.#watermark;
    return Math.min(Math.floor(watermark.now() - this.#parts.limits.tailMs), watermark.published);
  }

  /** Entries dated up to it are folded now. */
  get dueUntil(): number {
    return Math.floor(this.#parts.clock()) + DUE_AHEAD_MS;
  }
}
