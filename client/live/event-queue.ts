/** The events for one iterator: a bounded queue; events without room are dropped and replaced by a gap. */
import type { LiveEvent } from "./live-event.js";

/** The maximum number of events that wait for the iterator. */
const EVENTS_MAX = 10_000;

export class EventQueue<Event extends LiveEvent> implements AsyncIterableIterator<Event> {
  #events: Event[] = [];
  #waiting: { resolve: (result: IteratorResult<Event>) => void; reject: (error: Error) => void }[] = [];
  #error: Error | null = null;
  #isOver = false;
  readonly #onLeft: (queue: EventQueue<Event>) => void;

  /** @param onLeft  called when the iteration has ended */
  constructor(onLeft: (queue: EventQueue<Event>) => void) {
    this.#onLeft = onLeft;
  }

  push(event: Event): void {
    if (this.#isOver || this.#error !== null) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting.resolve({ value: event, done: false });
    else if (this.#events.length < EVENTS_MAX) this.#events.push(event);
    else this.#overflow();
  }

  /** Ends the iteration with an error, after the waiting events. */
  fail(error: Error): void {
    if (this.#isOver || this.#error !== null) return;
    this.#error = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  /** Ends the iteration, after the waiting events. */
  end(): void {
    this.#isOver = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve({ value: undefined, done: true });
  }

  next(): Promise<IteratorResult<Event>> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve({ value: event, done: false });
    if (this.#error !== null) return Promise.reject(this.#error);
    if (this.#isOver) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<Event>> {
    this.#events = [];
    if (!this.#isOver) {
      this.end();
      this.#onLeft(this);
    }
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Replaces the events without room by a gap at the end; later ones are stored once some have been taken. */
  #overflow(): void {
    const last = this.#events.at(-1);
    if (last?.type === "gap" && last.reason === "slow") return;
    const detail = `${EVENTS_MAX} events wait to be taken`;
    this.#events.push({ type: "gap", reason: "slow", server: "", detail } as Event);
  }
}
