/**
 * The parts of long answers that clients have not fetched yet (getMore). They contain the documents as they were when
 * they were found. The number of cursors and their memory are limited. Above a limit, the least recently used cursor of
 * the user with the largest share is closed. Unused cursors expire, unless their clients requested otherwise.
 */

import type { DaemonSocketHost } from "../../../daemon/listener/daemon-listener.js";
import type { ByteString } from "../../../protocol/byte-string.js";

/** The memory of a document in addition to its bytes. */
const DOCUMENT_COST = 64;
/** The number of bits of an id: some clients cannot distinguish numbers above 2^53. */
const ID_BITS = 53;

/** The documents of a long answer, of which the first ones have already been sent. */
export interface FoundDocuments {
  /** The database and collection. */
  readonly namespace: ByteString;
  /** The user, or null if no login is required. */
  readonly user: ByteString | null;
  /** The command that found the documents. The user must still be permitted to run it when fetching more. */
  readonly argv: readonly ByteString[];
  /** Whether the cursor is closed if it is unused for a long time (noCursorTimeout: false). */
  readonly expires: boolean;
  /** All documents; those that were not fetched begin at index `at`. */
  readonly documents: readonly ByteString[];
  at: number;
}

export interface Cursor extends FoundDocuments {
  readonly id: bigint;
  /** The total size of all documents, including fetched ones, because they are freed together. */
  readonly bytes: number;
  usedAt: number;
}

/** The cursors of one user. */
interface Share {
  cursors: number;
  bytes: number;
}

export class Cursors {
  readonly #host: DaemonSocketHost;
  /** The open cursors, the most recently used ones last. */
  readonly #open = new Map<bigint, Cursor>();
  /** The share of each user that has cursors. */
  readonly #shares = new Map<ByteString | null, Share>();
  #bytes = 0;
  #stop: (() => void) | null = null;

  constructor(host: DaemonSocketHost) {
    this.#host = host;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @returns null if the documents exceed the limit of all cursors */
  open(found: FoundDocuments): Cursor | null {
    const { limits, environment } = this.#host;
    const bytes = bytesOf(found.documents) + bytesOf(found.argv);
    if (bytes > limits.mongoCursorBytes || limits.mongoCursors === 0) return null;
    const opened = { ...found, id: this.#freeId(), bytes, usedAt: environment.uptime() };
    this.#open.set(opened.id, opened);
    this.#count(opened, 1);
    while (this.#open.size > limits.mongoCursors) this.#closeOldestOf(this.#userWithMost("cursors"));
    while (this.#bytes > limits.mongoCursorBytes) this.#closeOldestOf(this.#userWithMost("bytes"));
    this.#stop ??= this.#plan();
    return opened;
  }

  find(id: bigint): Cursor | undefined {
    return this.#open.get(id);
  }

  /** Records the use of a cursor. */
  used(cursor: Cursor): void {
    cursor.usedAt = this.#host.environment.uptime();
    this.#open.delete(cursor.id);
    this.#open.set(cursor.id, cursor);
  }

  close(cursor: Cursor): void {
    if (!this.#open.delete(cursor.id)) return;
    this.#count(cursor, -1);
    if (this.#open.size === 0) this.stop();
  }

  /** Cancels the timer. */
  stop(): void {
    this.#stop?.();
    this.#stop = null;
  }

  /** @param sign  1: the cursor was opened; -1: it was closed */
  #count({ user, bytes }: Cursor, sign: 1 | -1): void {
    const share = this.#shares.get(user) ?? { cursors: 0, bytes: 0 };
    share.cursors += sign;
    share.bytes += sign * bytes;
    this.#bytes += sign * bytes;
    if (share.cursors === 0) this.#shares.delete(user);
    else this.#shares.set(user, share);
  }

  #userWithMost(unit: keyof Share): ByteString | null {
    let [heaviest, max]: [ByteString | null, number] = [null, -1];
    for (const [user, share] of this.#shares) if (share[unit] > max) [heaviest, max] = [user, share[unit]];
    return heaviest;
  }

  #closeOldestOf(user: ByteString | null): void {
    for (const cursor of this.#open.values()) {
      if (cursor.user !== user) continue;
      this.close(cursor);
      return;
    }
  }

  /** Sets a timer for the cursor that expires first. @returns a function that cancels it; null if none expires */
  #plan(): (() => void) | null {
    const { environment, limits } = this.#host;
    let first: Cursor | null = null;
    for (const cursor of this.#open.values()) {
      if (!cursor.expires) continue;
      first = cursor;
      break;
    }
    if (first === null) return null;

    const remaining = first.usedAt + limits.mongoCursorTimeout - environment.uptime();
    return environment.setTimer(Math.max(remaining, 1), () => {
      const last = environment.uptime() - this.#host.limits.mongoCursorTimeout;
      for (const cursor of this.#open.values()) {
        if (cursor.usedAt > last) break;
        if (cursor.expires) this.close(cursor);
      }
      this.#stop = this.#plan();
    });
  }

  #freeId(): bigint {
    for (;;) {
      const id = BigInt.asUintN(
        ID_BITS,
        Buffer.from(this.#host.environment.randomBytes(8), "latin1").readBigUInt64LE(0),
      );
      if (id !== 0n && !this.#open.has(id)) return id;
    }
  }
}

const bytesOf = (documents: readonly ByteString[]): number =>
  documents.reduce((sum, { length }) => sum + length + DOCUMENT_COST, 0);
