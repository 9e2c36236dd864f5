/**
 * Parses the requests of versions 1 and 2 from a stream of bytes: queues the payloads of frames, and counts the memory
 * that they need.
 */
import { FrameParser } from "./frame.js";

/** The memory, in bytes, that is counted for each received chunk in addition to the chunk's length. */
const PIECE_BYTES = 200;

export class FrameQueue extends FrameParser {
  /** The payloads of complete frames. `#next` is the index of the first one that `next` has not returned. */
  #payloads: Buffer[] = [];
  #next = 0;
  /** The number of bytes of these payloads. */
  #completeBytes = 0;
  #unfinishedBytes = 0;

  /** The number of bytes of the waiting frames and of the incomplete one. */
  get heldBytes(): number {
    return this.#completeBytes + Math.max(this.#unfinishedBytes, this.unfinished.heldBytes);
  }

  /**
   * Adds received bytes.
   * @param chunk  bytes of any length; payloads are views of it, so it must not be changed afterwards
   * @returns whether the chunk began or completed a frame; false if it only continued one
   */
  push(chunk: Buffer): boolean {
    const wasMidFrame = this.isMidRequest;
    const payloads = this.split(chunk);
    this.#unfinishedBytes += chunk.length + PIECE_BYTES;
    if (payloads.length === 0) return !wasMidFrame;
    this.#completeBytes += this.#unfinishedBytes;
    this.#unfinishedBytes = this.isMidRequest ? chunk.length : 0;
    if (this.#payloads.length === 0) this.#payloads = payloads;
    else for (const payload of payloads) this.#payloads.push(payload);
    return true;
  }

  /** Returns the payload of the next complete frame; null if it has not arrived. */
  next(): Buffer | null {
    const payload = this.#payloads[this.#next];
    if (payload === undefined) return null;
    if (++this.#next === this.#payloads.length) {
      this.#payloads = [];
      this.#next = this.#completeBytes = 0;
    }
    return payload;
  }
}
