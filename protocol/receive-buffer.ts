/**
 * The received and not yet consumed bytes of a stream, in one buffer. An incomplete part of a chunk is joined with the
 * next chunks. No byte is copied more than a few times, regardless of the number of chunks. An announced length does
 * not reserve memory.
 */

const NO_BYTES = Buffer.alloc(0);
/** The factor by which a full buffer grows, up to the expected size. */
const GROWTH = 2;

export class ReceiveBuffer {
  /** The buffer. Its contents are the bytes from `at` to `end`, until the next call that changes them. */
  bytes: Buffer = NO_BYTES;
  at = 0;
  end = 0;
  /** Whether `bytes` belongs to this object, so that it may write after `end`. */
  #isOwn = false;

  get length(): number {
    return this.end - this.at;
  }

  /** The number of bytes of memory in use, including free space. */
  get heldBytes(): number {
    return this.bytes.length - this.at;
  }

  /** Adds a chunk. It is not copied if no other bytes are waiting, so it must not be changed before `copyUnread`. */
  push(chunk: Buffer, expected?: number): void {
    if (this.at < this.end) this.append(chunk, chunk.length, expected);
    else this.borrow(chunk, 0);
  }

  /**
   * Replaces the contents with the part of a chunk that begins at `at`. The chunk must not be changed before
   * `copyUnread`.
   */
  borrow(chunk: Buffer, at: number): void {
    this.bytes = chunk;
    this.at = at;
    this.end = chunk.length;
    this.#isOwn = false;
  }

  /**
   * Appends a copy of the first `count` bytes of a chunk.
   * @param expected  the number of bytes that will be consumed together; the buffer reserves no more than that
   */
  append(chunk: Buffer, count: number, expected = Number.POSITIVE_INFINITY): void {
    if (count === 0) return;
    if (!this.#isOwn || this.end + count > this.bytes.length) this.#makeRoom(count, expected);
    this.bytes.set(count === chunk.length ? chunk : chunk.subarray(0, count), this.end);
    this.end += count;
  }

  /** Copies the unused part of a chunk that is not owned. The chunk may then be changed. */
  copyUnread(): void {
    if (!this.#isOwn && this.at < this.end) this.#makeRoom(0, this.end - this.at);
  }

  /** Removes and returns bytes. They are not overwritten later. */
  takeBytes(count: number): Buffer {
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

  /** Removes all bytes and releases the buffer. Otherwise each idle client would keep its last chunk in memory. */
  clear(): void {
    this.bytes = NO_BYTES;
    this.at = this.end = 0;
    this.#isOwn = false;
  }

  /**
   * Reserves more space than currently needed, so that many small chunks are not copied repeatedly, but no more than
   * expected.
   */
  #makeRoom(count: number, expected: number): void {
    const remaining = this.end - this.at;
    const needed = remaining + count;
    const next = Buffer.allocUnsafe(Math.max(needed, Math.min(GROWTH * needed, expected)));
    if (remaining > 0) next.set(this.bytes.subarray(this.at, this.end));
    this.bytes = next;
    this.at = 0;
    this.end = remaining;
    this.#isOwn = true;
  }
}
