/**
 * Events for pages that are open (server-sent events): one text a second for all of them. Without a listener there is no timer
 * and nothing is made. Listeners are few; of more, the oldest gives way, and comes again; who does not read is let go.
 */
import type { ServerResponse } from "node:http";

const LISTENERS_MOST = 16;
/** Bytes that one who does not read may hold; some ten events. */
const UNSENT_BYTES_MOST = 64 * 1024;
const EVERY_MS = 1000;
/** Milliseconds after which a browser asks again. */
const RETRY_MS = 2000;

export interface EventSource {
  /** The first listener is there. */
  begin(): void;
  /** The text of an event, a line. */
  next(): string;
  /** The last one is gone. */
  end(): void;
}

export class EventStream {
  /** The oldest first. */
  readonly #listeners = new Set<ServerResponse>();
  readonly #source: EventSource;
  #timer: NodeJS.Timeout | null = null;

  constructor(source: EventSource) {
    this.#source = source;
  }

  get size(): number {
    return this.#listeners.size;
  }

  add(response: ServerResponse): void {
    const [oldest] = this.#listeners;
    if (oldest !== undefined && this.#listeners.size >= LISTENERS_MOST) this.#remove(oldest);
    this.#listeners.add(response);
    response.once("close", () => this.#remove(response));
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write(`retry: ${RETRY_MS}\n\n`);
    if (this.#timer !== null) return;
    this.#source.begin();
    this.#timer = setInterval(() => this.#tell(), EVERY_MS).unref();
    this.#tell();
  }

  stop(): void {
    for (const response of this.#listeners) this.#remove(response);
  }

  #tell(): void {
    const event = `data: ${this.#source.next()}\n\n`;
    for (const response of this.#listeners) {
      if (response.writableLength > UNSENT_BYTES_MOST) this.#remove(response);
      else response.write(event);
    }
  }

  #remove(response: ServerResponse): void {
    if (!this.#listeners.delete(response)) return;
    response.destroy();
    if (this.#listeners.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#source.end();
  }
}
