/**
 * The low watermark: nothing dated at or before it is taken first-hand. It holds at once, and is told to others only
 * when the disk has it. Source: DESIGN.md "Timeline"; research on members, "Simplest sufficient set" 1 and 2.
 */
import type { Storage } from "./storage.js";

const BYTES = 8;

export class Watermark {
  /** Milliseconds since 1970. */
  value: number;
  /** What others may be told; never above `value`. */
  published: number;
  readonly #storage: Storage;
  #isWriting = false;

  constructor(storage: Storage) {
    this.#storage = storage;
    const mark = storage.mark("watermark");
    this.value = mark === null ? 0 : Number(mark.readBigUInt64BE());
    this.published = this.value;
  }

  raise(to: number): void {
    if (to > this.value) this.value = Math.floor(to);
  }

  /** Makes the newest value durable, then publishes it. @param failed  told of a disk that did not take it */
  publish(failed: (problem: Error) => void): void {
    if (this.#isWriting || this.published === this.value) return;
    const { value } = this;
    const bytes = Buffer.alloc(BYTES);
    bytes.writeBigUInt64BE(BigInt(value));
    this.#isWriting = true;
    this.#storage.put([], [["watermark", bytes]]);
    this.#storage.flushed().then(() => {
      this.#isWriting = false;
      this.published = value;
    }, failed);
  }
}
