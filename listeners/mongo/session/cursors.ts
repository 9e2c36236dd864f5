/**
 * What of long answers has not been fetched, for clients that ask on (getMore): the documents as they were when they were found. A
 * bounded number, of bounded bytes; where that is reached, the user with the most loses what was not asked for the longest, and what
 * nobody asks for goes.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { DaemonSocketHost } from "../../daemon-listener.js";

/** What a document takes besides its bytes. */
const DOCUMENT_COST = 64;
/** Above 2^53 not all clients tell ids apart. */
const ID_BITS = 53;

/** The documents of a long answer, of which the first ones have been sent. */
export interface FoundDocuments {
  /** Database and collection. */
  readonly namespace: ByteString;
  /** Who asked; null: nobody has to log in. */
  readonly user: ByteString | null;
  /** The command that found them: who asks on must still be allowed to give it. */
  readonly asked: readonly ByteString[];
  /** Documents that were not fetched begin at `at`. */
  readonly documents: readonly ByteString[];
  at: number;
}

export interface Cursor extends FoundDocuments {
  readonly id: bigint;
  /** Of all documents, fetched ones too: they go together. */
  readonly bytes: number;
  usedAt: number;
}

/** What is kept for one user. */
interface Share {
  cursors: number;
  bytes: number;
}

export class Cursors {
  readonly #host: DaemonSocketHost;
  /** Those that were asked for lately are last. */
  readonly #open = new Map<bigint, Cursor>();
  /** By user, of those that have any. */
  readonly #shares = new Map<ByteString | null, Share>();
  #bytes = 0;
  #stop: (() => void) | null = null;

  constructor(host: DaemonSocketHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#open.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @returns null: so much is kept for nobody */
  open(found: FoundDocuments): Cursor | null {
    const { limits, environment } = this.#host;
    const bytes = bytesOf(found.documents) + bytesOf(found.asked);
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

  /** It has been asked for. */
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

  /** No timer is left. */
  stop(): void {
    this.#stop?.();
    this.#stop = null;
  }

  /** @param sign  1: it has come, -1: it has gone */
  #count({ user, bytes }: Cursor, sign: 1 | -1): void {
    const share = this.#shares.get(user) ?? { cursors: 0, bytes: 0 };
    share.cursors += sign;
    share.bytes += sign * bytes;
    this.#bytes += sign * bytes;
    if (share.cursors === 0) this.#shares.delete(user);
    else this.#shares.set(user, share);
  }

  #userWithMost(what: keyof Share): ByteString | null {
    let [most, has]: [ByteString | null, number] = [null, -1];
    for (const [user, share] of this.#shares) if (share[what] > has) [most, has] = [user, share[what]];
    return most;
  }

  #closeOldestOf(user: ByteString | null): void {
    for (const cursor of this.#open.values()) {
      if (cursor.user !== user) continue;
      this.close(cursor);
      return;
    }
  }

  #plan(): () => void {
    const { environment, limits } = this.#host;
    const [oldest] = this.#open.values();
    const rest = (oldest?.usedAt ?? 0) + limits.mongoCursorTimeout - environment.uptime();
    return environment.setTimer(Math.max(rest, 1), () => {
      const last = environment.uptime() - this.#host.limits.mongoCursorTimeout;
      for (const cursor of this.#open.values()) {
        if (cursor.usedAt > last) break;
        this.close(cursor);
      }
      this.#stop = this.#open.size === 0 ? null : this.#plan();
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
