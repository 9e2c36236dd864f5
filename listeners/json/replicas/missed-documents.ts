/**
 * Documents that may be incomplete on a server. A document that it refuses is not sent again with each write, but
 * after a delay.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/** Milliseconds before a refused document is sent again; each delay is twice the one before. */
const REFUSED_MS = 5_000;
const REFUSED_MAX_MS = 60_000;

export class MissedDocuments {
  readonly #all = new Set<ByteString>();
  readonly #refused = new Set<ByteString>();
  /** Called when refused documents are to be sent again. */
  readonly #again: () => void;
  #timer: NodeJS.Timeout | null = null;
  #refusedMs = REFUSED_MS;

  constructor(again: () => void) {
    this.#again = again;
  }

  get size(): number {
    return this.#all.size;
  }

  /** The number of them that the server has refused for now. */
  get refusedSize(): number {
    return this.#refused.size;
  }

  /** Whether documents are to be sent before anything else is. */
  get areDue(): boolean {
    return this.#all.size > this.#refused.size;
  }

  /** The documents to send. */
  get due(): ByteString[] {
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

  /** Removes a document: the server has all of it. */
  settle(document: ByteString): void {
    this.#all.delete(document);
    if (this.#all.size === 0) this.#refusedMs = REFUSED_MS;
  }

  /** Permits refused documents to be sent again: time has passed, or the server is another one. */
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
