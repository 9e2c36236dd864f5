/** Documents of which a server may not have all. One that it refuses as a whole is not sent again with each write, but in its own time. */
import type { ByteString } from "../../../protocol/byte-string.js";

/** Milliseconds until it is given what it has refused; each further time is twice as long as the one before. */
const REFUSED_MS = 5_000;
const REFUSED_MOST_MS = 60_000;

export class MissedDocuments {
  readonly #all = new Set<ByteString>();
  readonly #refused = new Set<ByteString>();
  /** Called when those that were refused are to be sent again. */
  readonly #again: () => void;
  #timer: NodeJS.Timeout | null = null;
  #refusedMs = REFUSED_MS;

  constructor(again: () => void) {
    this.#again = again;
  }

  get size(): number {
    return this.#all.size;
  }

  /** How many of them it has refused, for now. */
  get refusedSize(): number {
    return this.#refused.size;
  }

  /** Whether some are to be sent before anything else is. */
  get areDue(): boolean {
    return this.#all.size > this.#refused.size;
  }

  /** Those that are to be sent. */
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
      this.#refusedMs = Math.min(2 * this.#refusedMs, REFUSED_MOST_MS);
      this.retry();
      this.#again();
    }, this.#refusedMs).unref();
  }

  /** The server has all of it. */
  settle(document: ByteString): void {
    this.#all.delete(document);
    if (this.#all.size === 0) this.#refusedMs = REFUSED_MS;
  }

  /** What was refused may be sent again: time has passed, or the server is another one. */
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
