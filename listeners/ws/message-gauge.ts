/**
 * What has come of a WebSocket message that is not whole: the package `ws` keeps it until it is, and tells nobody. Only lengths are
 * looked at; what they should not be the package finds.
 * Source: RFC 6455, 5.2.
 */

/** What a piece of the stream, and a piece of a message, cost besides their bytes: single bytes must not be free. */
const PIECE_BYTES = 200;

const IS_LAST = 0x80;
const OPCODE = 0x0f;
const IS_CONTROL = 0x08;
const IS_MASKED = 0x80;
const LENGTH = 0x7f;
const MASK_BYTES = 4;
/** Bytes behind the first two of a head, by what the length there says. */
const LONGER: Readonly<Record<number, number>> = { 126: 2, 127: 8 };
const HEAD_MOST = 14;

export class MessageGauge {
  /** Of the message that has begun, heads and pieces counted. */
  bytes = 0;
  #isMidMessage = false;
  readonly #head = Buffer.alloc(HEAD_MOST);
  #headLength = 0;
  /** Bytes of the present piece that are still to come. */
  #missing = 0;

  /** Whether a message has begun that is not whole. */
  get isMidMessage(): boolean {
    return this.#isMidMessage || this.#headLength > 0;
  }

  /** Takes a piece of the stream as it came. */
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
        if (this.#headLength < this.#headDue) continue;
        this.#missing = this.#payload;
        this.bytes += PIECE_BYTES;
      }
      if (this.#missing === 0) this.#endPiece();
    }
    if (!this.isMidMessage) this.bytes = 0;
  }

  /** How long the head is, as far as it tells. */
  get #headDue(): number {
    if (this.#headLength < 2) return 2;
    const second = this.#head[1] as number;
    return 2 + (LONGER[second & LENGTH] ?? 0) + ((second & IS_MASKED) === 0 ? 0 : MASK_BYTES);
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
