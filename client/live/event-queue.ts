/** The bounded queue of events for one iterator. If it is full, events are dropped and replaced by a gap event. */
import { Queue } from "../../protocol/queue.js";
import type { LiveEvent } from "./live-event.js";

/** The maximum number of events that wait for the iterator. */
const EVENTS_MAX = 10_000;

export class EventQueue<Event extends LiveEvent> implements AsyncIterableIterator<Event> {
  readonly #events = new Queue<Event>();
  /** Whether the newest event is the gap in place of dropped events. */
  #isOverflowing = false;
  #waiting: { resolve: (result: IteratorResult<Event>) => void; reject: (error: Error) => void }[] = [];
  #error: Error | null = null;
  #isOver = false;
  readonly #onLeft: (queue: EventQueue<Event>) => void;

  /** Creates a queue. @param onLeft  called when the caller has ended the iteration */
  constructor(onLeft: (queue: EventQueue<Event>) => void) {
    this.#onLeft = onLeft;
  }

  push(event: Event): void {
    if (this.#isOver || this.#error !== null) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting.resolve({ value: event, done: false });
    else if (this.#events.size < EVENTS_MAX) {
      this.#events.push(event);
      this.#isOverflowing = false;
    } else this.#overflow();
  }

  /** Ends the iteration with an error, after the queued events. */
  fail(error: Error): void {
    if (this.#isOver || this.#error !== null) return;
    this.#error = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  /** Ends the iteration, after the queued events. */
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
    this.#events.takeAll();
    if (!this.#isOver) {
      this.end();
      this.#onLeft(this);
    }
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * Appends one gap event in place of the events that are dropped. Later events are queued again once the caller has
   * read some.
   */
  #overflow(): void {
    if (this.#isOverflowing) return;
    this.#isOverflowing = true;
    const detail = `${EVENTS_MAX} events are waiting to be read`;
    this.#events.push({ type: "gap", reason: "slow", server: "", detail } as Event);
  }
}
