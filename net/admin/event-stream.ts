/**
 * Server-sent events for open pages: one text a second for all of them. Without a listener there is no timer and
 * nothing is made. The number of listeners is small; above it the oldest is closed, and reconnects. A listener that
 * does not read is closed.
 */
import type { ServerResponse } from "node:http";

const LISTENERS_MAX = 16;
/** Bytes that may wait for a listener that does not read; about ten events. */
const UNSENT_BYTES_MAX = 256 * 1024;
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
  readonly #failed: (problem: Error) => void;
  #timer: NodeJS.Timeout | null = null;

  /** @param failed  receives why an event could not be made */
  constructor(source: EventSource, failed: (problem: Error) => void) {
    this.#source = source;
    this.#failed = failed;
  }

  get size(): number {
    return this.#listeners.size;
  }

  /** @throws Error  the first event cannot be made; nothing is written then */
  add(response: ServerResponse): void {
    const first = this.#timer === null ? this.#begin() : "";
    const [oldest] = this.#listeners;
    if (oldest !== undefined && this.#listeners.size >= LISTENERS_MAX) this.#remove(oldest);
    this.#listeners.add(response);
    response.once("close", () => this.#remove(response));
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write(`retry: ${RETRY_MS}\n\n${first}`);
  }

  stop(): void {
    for (const response of this.#listeners) this.#remove(response);
  }

  /** @returns the first event @throws Error  it cannot be made, and nothing has begun */
  #begin(): string {
    this.#source.begin();
    try {
      const event = this.#event();
      this.#timer = setInterval(() => this.#sendAll(), EVERY_MS).unref();
      return event;
    } catch (problem) {
      this.#source.end();
      throw problem;
    }
  }

  #event(): string {
    return `data: ${this.#source.next()}\n\n`;
  }

  /** An event that cannot be made ends the connections: pages connect again. */
  #sendAll(): void {
    let event: string;
    try {
      event = this.#event();
    } catch (problem) {
      this.#failed(problem as Error);
      this.stop();
      return;
    }
    for (const response of this.#listeners) {
      if (response.writableLength > UNSENT_BYTES_MAX) this.#remove(response);
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
