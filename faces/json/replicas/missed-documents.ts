/**
 * The documents that may be incomplete on a server of --json-replica. A document that the server refuses is not sent
 * again with each write, but after a delay.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/** Milliseconds before refused documents are sent again; the delay doubles until the server has all documents. */
const REFUSED_RETRY_MS = 5_000;
const REFUSED_RETRY_MS_MAX = 60_000;

export class MissedDocuments {
  readonly #all = new Set<ByteString>();
  /** The documents of `#all` that the server has refused, until they are sent again. */
  readonly #refused = new Set<ByteString>();
  /** Called when refused documents should be sent again. */
  readonly #again: () => void;
  #timer: NodeJS.Timeout | null = null;
  #retryMs = REFUSED_RETRY_MS;

  constructor(again: () => void) {
    this.#again = again;
  }

  get size(): number {
    return this.#all.size;
  }

  /** The number of documents that the server refuses for now. */
  get refusedSize(): number {
    return this.#refused.size;
  }

  /** Whether documents must be sent before any other write. */
  get hasPending(): boolean {
    return this.#all.size > this.#refused.size;
  }

  /** The documents to send now. */
  get pending(): ByteString[] {
    return [...this.#all].filter((document) => !this.#refused.has(document));
  }

  has(document: ByteString): boolean {
    return this.#all.has(document);
  }

  isRefused(document: ByteString): boolean {
    return this.#refused.has(document);
  }

  add(document: ByteString): void {
    this.#all.add(document);
  }

  /** Adds a document that the server has refused, and schedules that the refused ones are sent again. */
  refuse(document: ByteString): void {
    this.#all.add(document);
    this.#refused.add(document);
    this.#timer ??= setTimeout(() => {
      this.#retryMs = Math.min(2 * this.#retryMs, REFUSED_RETRY_MS_MAX);
      this.clearRefusals();
      this.#again();
    }, this.#retryMs).unref();
  }

  /** Removes a document that is not refused, because the server has all of it. */
  settle(document: ByteString): void {
    this.#all.delete(document);
    if (this.#all.size === 0) this.#retryMs = REFUSED_RETRY_MS;
  }

  /** Allows refused documents to be sent again, because time has passed or the connection is a new one. */
  clearRefusals(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#refused.clear();
  }
}
