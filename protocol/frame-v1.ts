/**
 * Version 1 framing, both directions: `ds:<length>:<payload>`, `length` being the payload's bytes in decimal.
 * Source: docs/protocol.md "Version 1"; test/vectors/php-dbsync/README.md "Frame".
 */
import type { ByteString } from "./byte-string.js";
import { MalformedFrame } from "./errors.js";

/** The original reads at most ten characters between the two colons. */
const MAX_LENGTH_CHARS = 10;

const COLON = 0x3a;
const PLUS = 0x2b;
const ZERO = 0x30;
const NINE = 0x39;
const TAG = [0x64, 0x73, COLON] as const;

/** One frame around `payload`. */
export function writeFrame(payload: ByteString): ByteString {
  return `ds:${payload.length}:${payload}`;
}

/**
 * Cuts a stream into frames. Feed it chunks as they come; it keeps the unfinished tail.
 * What it delivers does not depend on where the chunks were cut.
 */
export class FrameParser {
  /** Set once the stream has gone wrong; nothing is delivered after that. */
  malformed: MalformedFrame | null = null;

  readonly #maxPayloadBytes: number;
  /** Bytes of the stream consumed so far. */
  #offset = 0;
  /** Characters of the header read so far, tag included; the header of a frame is at most 14 of them. */
  #headerChars = 0;
  #length = 0;
  #digits = 0;
  #signed = false;
  /** Payload bytes still to come, or -1 while the header is being read. */
  #missing = -1;
  #parts: Buffer[] = [];

  /** @param maxPayloadBytes  a longer announced payload is malformed, before any of it is kept */
  constructor(maxPayloadBytes: number) {
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** Whether a frame has begun that is not complete. */
  get midFrame(): boolean {
    return this.#headerChars > 0 || this.#missing >= 0;
  }

  /**
   * The payloads that `chunk` completes, in order. Look at `malformed` after handling them.
   * @param chunk  of any length; payloads are views of it, so it must not be changed afterwards
   */
  push(chunk: Buffer): Buffer[] {
    const payloads: Buffer[] = [];
    let at = 0;
    while (at < chunk.length && this.malformed === null) {
      if (this.#missing < 0) {
        at = this.#readHeader(chunk, at);
        if (this.#missing !== 0) continue;
      }
      const end = Math.min(chunk.length, at + this.#missing);
      const part = chunk.subarray(at, end);
      this.#missing -= end - at;
      this.#offset += end - at;
      at = end;
      if (this.#missing > 0) {
        this.#parts.push(part);
      } else {
        payloads.push(this.#parts.length === 0 ? part : Buffer.concat([...this.#parts, part]));
        this.#parts = [];
        this.#missing = -1;
      }
    }
    return payloads;
  }

  #readHeader(chunk: Buffer, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (this.#headerChars < TAG.length) {
        if (byte !== TAG[this.#headerChars])
          return this.#fail(chunk, 'expected a frame, which begins with "ds:"');
      } else if (byte === COLON) {
        if (this.#digits === 0) return this.#fail(chunk, "expected a decimal length before the second colon");
        this.#offset++;
        this.#missing = this.#length;
        this.#headerChars = this.#length = this.#digits = 0;
        this.#signed = false;
        return at + 1;
      } else if (!this.#readLengthChar(byte)) {
        return this.#fail(chunk, "expected a decimal length of at most ten characters");
      } else if (this.#length > this.#maxPayloadBytes) {
        return this.#fail(chunk, `a frame of over ${this.#maxPayloadBytes} bytes was announced`);
      }
      this.#headerChars++;
      this.#offset++;
    }
    return chunk.length;
  }

  /** As C's `%d`: blanks, then a plus sign, then digits. */
  #readLengthChar(byte: number): boolean {
    if (this.#headerChars - TAG.length >= MAX_LENGTH_CHARS) return false;
    if (byte >= ZERO && byte <= NINE) {
      this.#length = this.#length * 10 + (byte - ZERO);
      this.#digits++;
      return true;
    }
    if (this.#digits > 0 || this.#signed) return false;
    if (byte === PLUS) return (this.#signed = true);
    return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
  }

  #fail(chunk: Buffer, problem: string): number {
    this.malformed = new MalformedFrame(problem, this.#offset);
    this.#parts = [];
    return chunk.length;
  }
}
