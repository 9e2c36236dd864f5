/**
 * The low watermark: nothing dated at or before it is taken first-hand. It holds at once, and is told to others only
 * when the disk has it. Source: docs/decisions/0039-what-member-lists-allow.md.
 */
import { SteadyClock } from "./entries/steady-clock.js";
import type { Storage } from "./entries/storage.js";

const BYTES = 8;
/** Milliseconds between two raises by the clock. */
const PUBLISH_EVERY_MS = 2000;

export interface WatermarkParts {
  readonly storage: Storage;
  readonly clock: () => number;
  readonly uptime: () => number;
  readonly window: { readonly past: number; readonly future: number };
  /** Whether there is nobody to compare the clock with. */
  readonly isAlone: () => boolean;
  /** Whether it is not known yet where it has to begin: then it is not told, nor kept as if it were. */
  readonly isJoining: () => boolean;
  /** Whether nothing is applied any more: then nothing is taken either, and what is final must not go on without it. */
  readonly isStill: () => boolean;
  /** Told of a disk that did not take it. */
  readonly failed: (problem: Error) => void;
}

export class Watermark {
  /** Milliseconds since 1970. */
  value: number;
  /** What others may be told; never above `value`. */
  published: number;
  readonly #parts: WatermarkParts;
  readonly #steady = new SteadyClock();
  #publishesFrom = Number.NEGATIVE_INFINITY;
  #isWriting = false;

  constructor(parts: WatermarkParts) {
    this.#parts = parts;
    const mark = parts.storage.mark("watermark");
    this.value = mark === null ? 0 : Number(mark.readBigUInt64BE());
    this.published = this.value;
  }

  /** Before a restart nothing later was taken first-hand: the one on disk is two rounds old at most. */
  get takenTo(): number {
    const { past, future } = this.#parts.window;
    return this.value + past + future + 2 * PUBLISH_EVERY_MS;
  }

  raise(to: number): void {
    if (to > this.value && !this.#parts.isStill()) this.value = Math.floor(to);
  }

  /** The clock, as far as it is believed: milliseconds since 1970. */
  now(): number {
    const { clock, uptime, isAlone } = this.#parts;
    const steady = this.#steady.read(clock(), uptime());
    return isAlone() ? steady : clock();
  }

  /** Follows the clock, and publishes. @param isSkewed  whether the clock is known to be wrong: then it moves nothing */
  tick(isSkewed: boolean): void {
    const { uptime, window } = this.#parts;
    const now = this.now();
    if (uptime() < this.#publishesFrom) return;
    this.#publishesFrom = uptime() + PUBLISH_EVERY_MS;
    if (!isSkewed) this.raise(now - window.past);
    this.#publish();
  }

  /** Makes the newest value durable, then publishes it. */
  #publish(): void {
    const { storage, failed, isJoining } = this.#parts;
    if (this.#isWriting || this.published === this.value || isJoining()) return;
    const { value } = this;
    const bytes = Buffer.alloc(BYTES);
    bytes.writeBigUInt64BE(BigInt(value));
    this.#isWriting = true;
    storage.put([], [["watermark", bytes]]);
    storage.synced().then(() => {
      this.#isWriting = false;
      this.published = value;
    }, failed);
  }
}
