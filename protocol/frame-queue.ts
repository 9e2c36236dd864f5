/** Requests of versions 1 and 2 from a stream of bytes: the payloads of its frames, one after the other, and the memory that they take. */
import type { MalformedFrame } from "./errors.js";
import { FrameParser, type Version } from "./frame.js";

/** Bytes that each received piece counts in addition to its own: single bytes must not be free. */
const PIECE_BYTES = 200;

export class FrameQueue {
  readonly #parser: FrameParser;
  /** Payloads of complete frames; `#next` is the index of the first one that was not taken. */
  #payloads: Buffer[] = [];
  #next = 0;
  /** Bytes of these payloads. */
  #wholeBytes = 0;
  #unfinishedBytes = 0;

  /**
   * @param maxPayloadBytes  a longer announced payload is malformed
   * @param version          the version to accept; 0: the first frame decides
   */
  constructor(maxPayloadBytes: number, version: Version | 0 = 0) {
    this.#parser = new FrameParser(maxPayloadBytes, version);
  }

  /** Bytes of the waiting frames, and of the incomplete one. */
  get heldBytes(): number {
    return this.#wholeBytes + Math.max(this.#unfinishedBytes, this.#parser.heldBytes);
  }

  get isMidRequest(): boolean {
    return this.#parser.midFrame;
  }

  /** The stream's version, from its first frame; 0: not known yet. */
  get version(): Version | 0 {
    return this.#parser.version;
  }

  /** The error in the stream after the last frame; null: none. */
  get malformed(): MalformedFrame | null {
    return this.#parser.malformed;
  }

  /**
   * @param chunk  of any length; payloads are views of it, so it must not be changed afterwards
   * @returns whether a frame has begun or been completed; otherwise the chunk only continued one
   */
  push(chunk: Buffer): boolean {
    const wasMidFrame = this.#parser.midFrame;
    const payloads = this.#parser.push(chunk);
    this.#unfinishedBytes += chunk.length + PIECE_BYTES;
    if (payloads.length === 0) return !wasMidFrame;
    this.#wholeBytes += this.#unfinishedBytes;
    this.#unfinishedBytes = this.#parser.midFrame ? chunk.length : 0;
    if (this.#payloads.length === 0) this.#payloads = payloads;
    else for (const payload of payloads) this.#payloads.push(payload);
    return true;
  }

  /** The payload of the next whole frame; null: it has not arrived. */
  next(): Buffer | null {
    const payload = this.#payloads[this.#next];
    if (payload === undefined) return null;
    if (++this.#next === this.#payloads.length) {
      this.#payloads = [];
      this.#next = this.#wholeBytes = 0;
    }
    return payload;
  }
}
