/**
 * The low watermark: the daemon accepts no client's entry dated at or before this date. A raised watermark is
 * valid immediately, but is sent to other members only when it is on disk. Source:
 * docs/decisions/0039-states-of-member-lists.md.
 */

import type { DiskFailure } from "./disk-failure.js";
import { dateMark, markedDate } from "./entries/storage.js";
import type { TimelineParts } from "./timeline-environment.js";

/** Milliseconds after which the clock raises the watermark again, and the watermark is published again. */
const PUBLISH_EVERY_MS = 2000;

export class Watermark {
  /** Milliseconds since 1970. */
  value: number;
  /** The value that may be sent to members; never above `value`. */
  published: number;
  readonly #parts: TimelineParts;
  readonly #failure: DiskFailure;
  readonly #decided: { readonly openDate: number };
  readonly #steady = new SteadyClock();
  #publishesFrom = Number.NEGATIVE_INFINITY;
  #isWriting = false;

  /** @param decided  `openDate`: the published value stays below it */
  constructor(parts: TimelineParts, failure: DiskFailure, decided: { readonly openDate: number }) {
    this.#decided = decided;
    this.#parts = parts;
    this.#failure = failure;
    this.value = markedDate(parts.storage, "watermark") ?? 0;
    this.published = this.value;
  }

  /**
   * The date up to which entries may have been accepted from clients before a restart: the value on disk is at most two
   * publishing intervals old.
   */
  get takenTo(): number {
    const { past, future } = this.#parts.window;
    return this.value + past + future + 2 * PUBLISH_EVERY_MS;
  }

  raise(to: number): void {
    if (to > this.value) this.value = Math.floor(to);
  }

  /** Returns the clock's time, as far as the clock is trusted: milliseconds since 1970. */
  now(): number {
    const { clock, uptime, isAlone } = this.#parts;
    const steady = this.#steady.read(clock(), uptime());
    return isAlone() ? steady : clock();
  }

  /** Raises the watermark with the clock, and publishes it. @param isHeld  whether the clock must not raise it now */
  tick(isHeld: boolean): void {
    const { uptime, window } = this.#parts;
    const now = this.now();
    if (uptime() < this.#publishesFrom) return;
    this.#publishesFrom = uptime() + PUBLISH_EVERY_MS;
    if (!isHeld) this.raise(now - window.past);
    this.#publish();
  }

  /** Makes the newest value durable, and then publishes it. */
  #publish(): void {
    const { storage, isJoining } = this.#parts;
    const value = Math.min(this.value, Math.max(this.published, this.#decided.openDate - 1));
    if (this.#isWriting || this.published === value || isJoining()) return;

    this.#isWriting = true;
    storage.put([], [dateMark("watermark", value)]);
    storage.synced().then(() => {
      this.#isWriting = false;
      this.published = value;
    }, this.#failure.report);
  }
}

/** Milliseconds by which clock and uptime may drift apart between two readings. */
const STEP_MS = 2000;
/** Milliseconds after which a step is accepted. */
const BELIEVED_AFTER_MS = 600_000;

/**
 * The clock of a daemon that has no member to compare it with. A step of the clock is accepted only after it has
 * persisted for some time, because its consequences cannot be reversed.
 */
export class SteadyClock {
  /** Clock minus uptime, as it was before a step. */
  #offset: number | null = null;
  #steppedAt: number | null = null;

  /** @returns milliseconds since 1970, never later than `clock` */
  read(clock: number, uptime: number): number {
    const offset = clock - uptime;
    const isStep = this.#offset !== null && Math.abs(offset - this.#offset) > STEP_MS;
    if (isStep) this.#steppedAt ??= uptime;
    if (isStep && uptime - (this.#steppedAt ?? uptime) < BELIEVED_AFTER_MS)
      return Math.min(clock, uptime + (this.#offset as number));
    this.#offset = offset;
    this.#steppedAt = null;
    return clock;
  }
}
