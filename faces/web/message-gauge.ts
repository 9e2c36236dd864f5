/**
 * Measures an incomplete WebSocket message, which the package `ws` buffers without reporting its size. Only lengths are
 * read; the package checks everything else.
 * Source: RFC 6455, 5.2.
 */

/**
 * The number of bytes added to the size for each received chunk and each fragment, because `ws` stores every chunk and
 * fragment in an object. A message that arrives byte by byte therefore reaches the size limit early.
 */
const PIECE_BYTES = 200;

const IS_LAST = 0x80;
const OPCODE = 0x0f;
const IS_CONTROL = 0x08;
const IS_MASKED = 0x80;
const LENGTH = 0x7f;
const MASK_BYTES = 4;
/** The number of additional head bytes for the length, by the length code in the second byte. */
const EXTENDED_LENGTH_BYTES: Readonly<Record<number, number>> = { 126: 2, 127: 8 };
const HEAD_MAX = 14;

export class MessageGauge {
  /** The estimated memory of the incomplete message in bytes, or 0 if no message is incomplete. */
  bytes = 0;
  #isMidMessage = false;
  readonly #head = Buffer.alloc(HEAD_MAX);
  #headLength = 0;
  /** The number of bytes of the current fragment that have not arrived yet. */
  #missing = 0;

  /** Whether a message is incomplete. */
  get isMidMessage(): boolean {
    return this.#isMidMessage || this.#headLength > 0;
  }

  /** Counts a received chunk of the stream. */
  push(chunk: Buffer): void {
    this.bytes += PIECE_BYTES;
    let at = 0;
    while (at < chunk.length) {
      if (this.#missing > 0) {
        const step = Math.min(this.#missing, chunk.length - at);
        at += step;
        this.bytes += step;
        this.#missing -= step;
      } else {
        this.#head[this.#headLength++] = chunk[at++] as number;
        this.bytes++;
        if (this.#headLength < this.#headSize) continue;
        this.#missing = this.#payload;
        this.bytes += PIECE_BYTES;
      }
      if (this.#missing === 0) this.#endPiece();
    }
    if (!this.isMidMessage) this.bytes = 0;
  }

  /** The length of the head. It is 2 until the second byte, which determines the length, has arrived. */
  get #headSize(): number {
    if (this.#headLength < 2) return 2;
    const second = this.#head[1] as number;
    return 2 + (EXTENDED_LENGTH_BYTES[second & LENGTH] ?? 0) + ((second & IS_MASKED) === 0 ? 0 : MASK_BYTES);
  }

  get #payload(): number {
    const short = (this.#head[1] as number) & LENGTH;
    if (short === 126) return this.#head.readUInt16BE(2);
    return short === 127 ? Number(this.#head.readBigUInt64BE(2)) : short;
  }

  #endPiece(): void {
    const first = this.#head[0] as number;
    this.#headLength = 0;
    if ((first & OPCODE & IS_CONTROL) !== 0) return;
    this.#isMidMessage = (first & IS_LAST) === 0;
    if (!this.#isMidMessage) this.bytes = 0;
  }
}
