/** Where the tail should end, and up to which date entries are folded: by the clock, as far as it is believed. */
import { DUE_AHEAD_MS } from "./waiting.js";
import type { Watermark } from "./watermark.js";

export interface HorizonParts {
  readonly watermark: Pick<Watermark, "now" | "published">;
  /** Milliseconds since 1970; may jump. */
  readonly clock: () => number;
  readonly tailMs: number;
}

export class Horizon {
  readonly #parts: HorizonParts;

  constructor(parts: HorizonParts) {
    this.#parts = parts;
  }

  /** Where the tail should end by now. Not by the clock alone: a wrong one must not end what others still change. */
  of(newest: number): number {
    const { watermark, tailMs } = this.#parts;
    return Math.floor(Math.min(watermark.now(), newest) - tailMs);
  }

  /** Where it would end if there were an entry of now, as far as nothing earlier is taken first-hand any more. */
  get finalTo(): number {
    const { watermark, tailMs } = this.#parts;
    return Math.min(Math.floor(watermark.now() - tailMs), watermark.published);
  }

  /** Entries dated up to it are folded now. */
  get dueUntil(): number {
    return Math.floor(this.#parts.clock()) + DUE_AHEAD_MS;
  }
}
