/**
 * Server-sent events for open pages. Once per second, all pages receive the same text. While no page listens, no timer
 * runs and no event is created. The number of listeners is limited: above the limit, the stream closes the oldest
 * one, which then reconnects. The stream also closes a listener that does not read.
 */
import type { ServerResponse } from "node:http";

const LISTENERS_MAX = 16;
/** The maximum number of bytes that wait for a listener that does not read, about ten events. */
const UNSENT_BYTES_MAX = 256 * 1024;
const EVERY_MS = 1000;
/** The milliseconds after which a browser reconnects. */
const RETRY_MS = 2000;

export interface EventSource {
  /** Called before the first listener receives events. */
  begin(): void;
  /** Returns the text of the next event, one line. */
  next(): string;
  /** Called when the last listener has disconnected. */
  end(): void;
}

export class EventStream {
  /** The listeners; the oldest is first. */
  readonly #listeners = new Set<ServerResponse>();
  readonly #source: EventSource;
  readonly #failed: (problem: Error) => void;
  #timer: NodeJS.Timeout | null = null;

  /** Creates a stream. @param failed  receives the error if an event could not be created */
  constructor(source: EventSource, failed: (problem: Error) => void) {
    this.#source = source;
    this.#failed = failed;
  }

  get size(): number {
    return this.#listeners.size;
  }

  /** Adds a listener. @throws Error  the first event cannot be created; nothing has been written */
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

  /** Starts the timer. @returns the first event. @throws Error  it cannot be created, and the timer has not started */
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

  /** Sends an event to all listeners. If no event can be created, closes the connections; the pages then reconnect. */
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
