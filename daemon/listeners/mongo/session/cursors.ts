/**
 * What of long answers has not been fetched, for clients that ask on (getMore): the documents as they were when they were found. A
 * bounded number, of bounded bytes; what nobody has asked for the longest goes first, and what nobody asks for goes.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Environment } from "../../../../serving/process/environment.js";
import type { Limits } from "../../../options/limits.js";

/** What a document takes besides its bytes. */
const DOCUMENT_COST = 64;
/** Above 2^53 not all clients tell ids apart. */
const ID_BITS = 53;

export interface CursorHost {
  readonly environment: Pick<Environment, "uptime" | "randomBytes" | "setTimer">;
  /** Replaced when the configuration is read again. */
  readonly limits: Pick<Limits, "mongoCursors" | "mongoCursorBytes" | "mongoCursorTimeout">;
}

export interface Cursor {
  readonly id: bigint;
  /** Database and collection. */
  readonly namespace: ByteString;
  /** Who asked; null: nobody has to log in. */
  readonly user: ByteString | null;
  /** Documents that were not fetched begin at `at`. */
  readonly documents: readonly ByteString[];
  at: number;
  /** Of all documents, fetched ones too: they go together. */
  readonly bytes: number;
  usedAt: number;
}

export class Cursors {
  readonly #host: CursorHost;
  /** Those that were asked for lately are last. */
  readonly #open = new Map<bigint, Cursor>();
  #bytes = 0;
  #stop: (() => void) | null = null;

  constructor(host: CursorHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#open.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @returns null: so much is kept for nobody */
  open(cursor: Pick<Cursor, "namespace" | "user" | "documents" | "at">): Cursor | null {
    const { limits, environment } = this.#host;
    const bytes = cursor.documents.reduce((sum, { length }) => sum + length + DOCUMENT_COST, 0);
    if (bytes > limits.mongoCursorBytes || limits.mongoCursors === 0) return null;
    const opened = { ...cursor, id: this.#freeId(), bytes, usedAt: environment.uptime() };
    this.#open.set(opened.id, opened);
    this.#bytes += bytes;
    for (const oldest of this.#open.values()) {
      if (this.#open.size <= limits.mongoCursors && this.#bytes <= limits.mongoCursorBytes) break;
      this.close(oldest);
    }
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

  close({ id, bytes }: Cursor): void {
    if (!this.#open.delete(id)) return;
    this.#bytes -= bytes;
    if (this.#open.size === 0) this.stop();
  }

  /** No timer is left. */
  stop(): void {
    this.#stop?.();
    this.#stop = null;
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
