/**
 * The documents that may be incomplete on a server. A document that the server refuses is not sent again with each
 * write, but after a delay.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/** Milliseconds before a refused document is sent again; the delay doubles each time. */
const REFUSED_MS = 5_000;
const REFUSED_MAX_MS = 60_000;

export class MissedDocuments {
  readonly #all = new Set<ByteString>();
  readonly #refused = new Set<ByteString>();
  /** Called when refused documents should be sent again. */
  readonly #again: () => void;
  #timer: NodeJS.Timeout | null = null;
  #refusedMs = REFUSED_MS;

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

  refuse(document: ByteString): void {
    this.#all.add(document);
    this.#refused.add(document);
    this.#timer ??= setTimeout(() => {
      this.#refusedMs = Math.min(2 * this.#refusedMs, REFUSED_MAX_MS);
      this.retry();
      this.#again();
    }, this.#refusedMs).unref();
  }

  /** Removes a document, because the server has all of it. */
  settle(document: ByteString): void {
    this.#all.delete(document);
    if (this.#all.size === 0) this.#refusedMs = REFUSED_MS;
  }

  /** Allows refused documents to be sent again, because time has passed or the server has been replaced. */
  retry(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#refused.clear();
  }

  clear(): void {
    this.retry();
    this.#all.clear();
  }
}
