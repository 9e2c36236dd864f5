/**
 * Frames, and the queue of a client's requests: `ds:<length>:<payload>` in version 1, `ds2:<length>:<payload>` in
 * version 2, where `length` is the payload's number of bytes in decimal. The first frame of a stream determines its
 * version. Source: docs/protocol.md and docs/protocol-v2.md "Frame"; test/vectors/php-dbsync/README.md "Frame".
 */
import type { ByteString } from "./byte-string.js";
import { MalformedFrame } from "./errors.js";
import { ReceiveBuffer } from "./receive-buffer.js";

/** The maximum number of characters between the two colons, as in the original. */
const MAX_LENGTH_CHARS = 10;

/** Programs that may have connected by mistake, by the first byte that they send. */
const BEGINNERS: Readonly<Record<number, string>> = {
  42: "a Redis client",
  45: "a Redis server",
  72: "an HTTP server",
};
const COLON = 0x3a;
const PLUS = 0x2b;
const ZERO = 0x30;
const TWO = 0x32;
const NINE = 0x39;
const TAGS = { 1: "ds:", 2: "ds2:" } as const;

/** The errors for an unexpected byte, by the stream's version; 0: not known yet. */
const EXPECTED = {
  0: 'expected a frame, which begins with "ds:" or "ds2:"',
  1: 'expected a frame, which begins with "ds:"',
  2: 'expected a frame, which begins with "ds2:"',
} as const;

export type Version = keyof typeof TAGS;

/** Returns a frame with `payload`. */
export function writeFrame(payload: ByteString, version: Version = 1): ByteString {
  return frameHead(payload.length, version) + payload;
}

/** Returns the header for a payload with the given length in bytes. */
export const frameHead = (length: number, version: Version): ByteString => `${TAGS[version]}${length}:`;

/**
 * The parser that splits a stream into frames. The caller passes chunks as they arrive, and the parser stores the
 * unfinished part. The result does not depend on the boundaries of the chunks.
 */
export class FrameParser {
  /** The error, once the stream is malformed. No payloads are returned after that. */
  malformed: MalformedFrame | null = null;

  /** The stream's version; 0 until the tag of the first frame has been read. */
  version: Version | 0;

  readonly #maxPayloadBytes: number;
  /** The number of bytes of the stream consumed so far. */
  #offset = 0;
  /** The number of characters of the header read so far, including the tag; at most 15. */
  #headerChars = 0;
  #length = 0;
  #digits = 0;
  #signed = false;
  #inLength = false;
  #lengthStart = 0;
  /** The number of payload bytes that have not arrived, or -1 while the header is being read. */
  #missing = -1;
  /** The bytes of the unfinished payload. */
  protected readonly unfinished = new ReceiveBuffer();

  /**
   * Creates a parser.
   * @param maxPayloadBytes  a frame that announces a longer payload is malformed; none of the payload is stored
   * @param version          the version to accept; 0: the first frame decides
   */
  constructor(maxPayloadBytes: number, version: Version | 0 = 0) {
    this.#maxPayloadBytes = maxPayloadBytes;
    this.version = version;
  }

  /** Whether a frame is incomplete. */
  get isMidRequest(): boolean {
    return this.#headerChars > 0 || this.#missing >= 0;
  }

  /**
   * Returns the payloads that `chunk` completes, in order. The caller must check `malformed` after handling them.
   * @param chunk  bytes of any length; payloads are views of it, so it must not be changed afterwards
   */
  split(chunk: Buffer): Buffer[] {
    const payloads: Buffer[] = [];
    let at = 0;
    while (at < chunk.length && this.malformed === null) {
      if (this.#missing < 0) {
        at = this.#readUsualHeader(chunk, at) || this.#readHeader(chunk, at);
        if (this.#missing !== 0) continue;
      }

      const end = Math.min(chunk.length, at + this.#missing);
      const part = chunk.subarray(at, end);
      this.#missing -= end - at;
      this.#offset += end - at;
      at = end;

      const unfinished = this.unfinished;
      if (this.#missing === 0 && unfinished.length === 0) payloads.push(part);
      else unfinished.append(part, part.length, unfinished.length + part.length + this.#missing);
      if (this.#missing > 0) continue;
      if (unfinished.length > 0) payloads.push(unfinished.take(unfinished.length));
      this.#missing = -1;
    }
    return payloads;
  }

  /**
   * Reads a header that has arrived completely in a version 2 stream.
   * @returns the offset of the payload; 0 if the header has another form, and nothing was read
   */
  #readUsualHeader(chunk: Buffer, start: number): number {
    if (this.version !== 2 || this.#headerChars > 0) return 0;
    for (let i = 0; i < TAGS[2].length; i++) if (chunk[start + i] !== TAGS[2].charCodeAt(i)) return 0;
    const digits = start + TAGS[2].length;

    let at = digits;
    let length = 0;
    for (; chunk[at] !== COLON; at++) {
      const digit = (chunk[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9 || at - digits >= MAX_LENGTH_CHARS || chunk[digits] === ZERO) return 0;
      length = length * 10 + digit;
    }

    if (length === 0 || length > this.#maxPayloadBytes) return 0;
    this.#offset += at + 1 - start;
    this.#missing = length;
    return at + 1;
  }

  #readHeader(chunk: Buffer, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (!this.#inLength) {
        if (!this.#readTagChar(byte)) return this.#fail(chunk, this.#expected(byte));
      } else if (byte === COLON) {
        if (this.#digits === 0) return this.#fail(chunk, "expected a decimal length before the second colon");
        this.#offset++;
        this.#missing = this.#length;
        this.#headerChars = this.#length = this.#digits = 0;
        this.#signed = this.#inLength = false;
        return at + 1;
      } else if (!this.#readLengthChar(byte)) {
        const kind = this.version === 2 ? "canonical decimal" : "decimal";
        return this.#fail(chunk, `expected a ${kind} length of at most ten characters`);
      } else if (this.#length > this.#maxPayloadBytes) {
        return this.#fail(chunk, `a frame of over ${this.#maxPayloadBytes} bytes was announced`);
      }
      this.#headerChars++;
      this.#offset++;
    }
    return chunk.length;
  }

  /** Returns the error for an unexpected byte. */
  #expected(byte: number): string {
    const beginner = this.#offset === 0 ? BEGINNERS[byte] : undefined;
    return EXPECTED[this.version] + (beginner === undefined ? "" : `; this looks like ${beginner}`);
  }

  /**
   * Reads a character of the tag: "ds", optionally "2", then ":". If the stream's version is not known, the third
   * character decides it.
   */
  #readTagChar(byte: number): boolean {
    const at = this.#headerChars;
    if (at === 2 && this.version === 0) this.version = byte === TWO ? 2 : byte === COLON ? 1 : 0;
    const tag = TAGS[this.version === 0 ? 1 : this.version];
    if (byte !== tag.charCodeAt(at)) return false;
    this.#inLength = at === tag.length - 1;
    this.#lengthStart = at + 1;
    return true;
  }

  /**
   * Reads a character of the length: in version 1 like C's `%d` (spaces, a plus sign, digits), in version 2 a canonical
   * decimal.
   */
  #readLengthChar(byte: number): boolean {
    if (this.#headerChars - this.#lengthStart >= MAX_LENGTH_CHARS) return false;
    if (byte >= ZERO && byte <= NINE) {
      if (this.version === 2 && this.#digits > 0 && this.#length === 0) return false;
      this.#length = this.#length * 10 + (byte - ZERO);
      this.#digits++;
      return true;
    }
    if (this.#digits > 0 || this.#signed || this.version === 2) return false;
    if (byte === PLUS) return (this.#signed = true);
    return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
  }

  #fail(chunk: Buffer, problem: string): number {
    this.malformed = new MalformedFrame(problem, this.#offset);
    this.unfinished.clear();
    return chunk.length;
  }
}

/** The memory, in bytes, that is counted for each received chunk in addition to the chunk's length. */
const PIECE_BYTES = 200;

/**
 * The parser of the requests of versions 1 and 2 from a stream of bytes: it queues the payloads of frames, and counts
 * the memory that they need.
 */
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
