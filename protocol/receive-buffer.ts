/**
 * The received bytes of a stream that were not taken yet, in one buffer: parts that a chunk leaves incomplete are joined with the next chunks,
 * and no byte is copied more than a few times, however many chunks there are. A length that a sender announces reserves no memory.
 */

const NO_BYTES = Buffer.alloc(0);
/** A full buffer is replaced by one this many times as large, or as large as is expected. */
const GROWTH = 2;

export class ReceiveBuffer {
  /** The bytes are those from `at` to `end`, until the next call that changes the buffer. */
  bytes: Buffer = NO_BYTES;
  at = 0;
  end = 0;
  /** Whether `bytes` may be written to after `end`. */
  #isOwn = false;

  get length(): number {
    return this.end - this.at;
  }

  /** Bytes of memory in use, including free room. */
  get held(): number {
    return this.bytes.length - this.at;
  }

  /** Takes a chunk. It is not copied if no other bytes are waiting, so it must not be changed before `keep`. */
  push(chunk: Buffer, expected?: number): void {
    if (this.at < this.end) this.append(chunk, chunk.length, expected);
    else this.lend(chunk, 0);
  }

  /** Replaces the content by the part of a chunk that begins at `at`; the chunk must not be changed before `keep`. */
  lend(chunk: Buffer, at: number): void {
    this.bytes = chunk;
    this.at = at;
    this.end = chunk.length;
    this.#isOwn = false;
  }

  /**
   * Appends a copy of the first `count` bytes of a chunk.
   * @param expected  how many bytes will be taken together: no more room than that is reserved
   */
  append(chunk: Buffer, count: number, expected = Number.POSITIVE_INFINITY): void {
    if (count === 0) return;
    if (!this.#isOwn || this.end + count > this.bytes.length) this.#makeRoom(count, expected);
    this.bytes.set(count === chunk.length ? chunk : chunk.subarray(0, count), this.end);
    this.end += count;
  }

  /** Copies the rest of a lent chunk; after that the chunk may be changed. */
  keep(): void {
    if (!this.#isOwn && this.at < this.end) this.#makeRoom(0, this.end - this.at);
  }

  /** Removes bytes and returns them; nothing overwrites them afterwards. */
  take(count: number): Buffer {
    const taken = this.bytes.subarray(this.at, this.at + count);
    // A buffer that contains nothing else is returned without a copy.
    const isAlone = this.#isOwn && this.at === 0 && count === this.end;
    const result = isAlone ? taken : Buffer.from(taken);
    this.skip(count);
    return result;
  }

  /** Removes bytes. */
  skip(count: number): void {
    this.at += count;
    if (this.at === this.end) this.clear();
  }

  /** Removes all bytes and releases the buffer: otherwise each idle client would keep its last chunk in memory. */
  clear(): void {
    this.bytes = NO_BYTES;
    this.at = this.end = 0;
    this.#isOwn = false;
  }

  /** Reserves more than is needed now, so that many small chunks are not copied repeatedly, but no more than is expected. */
  #makeRoom(count: number, expected: number): void {
    const rest = this.end - this.at;
    const least = rest + count;
    const next = Buffer.allocUnsafe(Math.max(least, Math.min(GROWTH * least, expected)));
    if (rest > 0) next.set(this.bytes.subarray(this.at, this.end));
    this.bytes = next;
    this.at = 0;
    this.end = rest;
    this.#isOwn = true;
  }
}
