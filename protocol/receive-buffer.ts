/**
 * The received bytes of a stream that were not taken yet, in one buffer: parts that a chunk leaves incomplete are joined with the next chunks,
 * and no byte is copied more than a few times, however many chunks there are. A length that a sender announces reserves no memory.
 */

const NO_BYTES = Buffer.alloc(0);
/** A buffer that is full is replaced by one that has this times as much room, or as much as is expected. */
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

  /** Bytes of memory that it takes, room for more included. */
  get held(): number {
    return this.bytes.length - this.at;
  }

  /** Takes a chunk. It is not copied if no other bytes are waiting, so it must not be changed before `keep`. */
  push(chunk: Buffer, expected?: number): void {
    if (this.at < this.end) this.append(chunk, chunk.length, expected);
    else this.lend(chunk, 0);
  }

  /** Takes a chunk from a position on, in place of what was here; it must not be changed before `keep`. */
  lend(chunk: Buffer, at: number): void {
    this.bytes = chunk;
    this.at = at;
    this.end = chunk.length;
    this.#isOwn = false;
  }

  /**
   * Copies bytes from a chunk's beginning after those that wait.
   * @param expected  number of bytes to take together: no more room is reserved
   */
  append(chunk: Buffer, count: number, expected = Number.POSITIVE_INFINITY): void {
    if (count === 0) return;
    if (!this.#isOwn || this.end + count > this.bytes.length) this.#makeRoom(count, expected);
    this.bytes.set(count === chunk.length ? chunk : chunk.subarray(0, count), this.end);
    this.end += count;
  }

  /** Copies what is left of a chunk that was lent, which may then be changed. */
  keep(): void {
    if (!this.#isOwn && this.at < this.end) this.#makeRoom(0, this.end - this.at);
  }

  /** Removes bytes, and returns them: nothing overwrites them any more. */
  take(count: number): Buffer {
    const taken = this.bytes.subarray(this.at, this.at + count);
    // A buffer that has nothing else is handed over without a copy.
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

  /** Removes all bytes, and releases the buffer: one that is kept would cost each idle client its last chunk. */
  clear(): void {
    this.bytes = NO_BYTES;
    this.at = this.end = 0;
    this.#isOwn = false;
  }

  /** More than is needed now, so that many small chunks are not copied again and again; no more than is expected. */
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
