/** Simulated time: events run in the order of their time, then of their creation. */

interface Event {
  readonly time: number;
  readonly order: number;
  readonly run: () => void;
  /** The processor that runs the event, or null if the event needs none. */
  readonly processor: Processor | null;
}

/** A processor that can be stopped (SIGSTOP) or busy, and then does everything later. */
export interface Processor {
  /** Simulated milliseconds until which it is blocked; infinite until `resume`. */
  busyUntil: number;
}

/**
 * The promise that the scheduler awaits after each event. `await null` would make a promise each time, for which the
 * runner of the tests calls a hook: that took a third of the time of a simulation.
 */
const SETTLED = Promise.resolve();

/** The maximum number of events of one `run`. */
const EVENTS_MAX = 10_000_000;

export class Scheduler {
  /** Milliseconds since the start of the run, possibly with a fraction. */
  time = 0;
  /** The number of events run so far. */
  events = 0;
  /** Set by an event that resolves promises on which long chains of further promises depend. */
  settles = false;
  #heap: Event[] = [];
  #count = 0;

  after(delay: number, processor: Processor | null, run: () => void): void {
    this.#push({ time: this.time + Math.max(0, delay), order: ++this.#count, run, processor });
  }

  /** Continues a processor that was blocked without an end. What it has missed runs next, in the same order. */
  resume(processor: Processor): void {
    processor.busyUntil = this.time;
    const events = this.#heap;
    this.#heap = [];
    for (const event of events)
      this.#push(
        event.processor === processor && event.time === Number.POSITIVE_INFINITY
          ? { ...event, time: this.time }
          : event,
      );
  }

  /**
   * Runs all events up to a time. Promises that they resolve settle after all of them.
   * @throws Error  if events cause further ones without an end
   */
  run(end: number): void {
    const max = this.events + EVENTS_MAX;
    for (let event = this.#next(end); event !== null; event = this.#next(end)) {
      if (this.events > max) throw new Error("it does not become idle");
      event.run();
    }
    this.time = Math.max(this.time, end);
  }

  /**
   * Runs all events up to a time, or until `isOver`. Promises that an event has resolved settle before the next
   * event.
   */
  async runUntil(end: number, isOver: () => boolean = () => false): Promise<void> {
    while (!isOver()) {
      const event = this.#next(end);
      if (event === null) break;
      event.run();
      if (this.settles) {
        this.settles = false;
        await new Promise((resolve) => setImmediate(resolve));
      } else {
        await SETTLED;
        await SETTLED;
      }
    }
    this.time = Math.max(this.time, end);
  }

  /** Removes and returns the next event up to a time whose processor is not blocked, and sets the time. */
  #next(end: number): Event | null {
    for (;;) {
      const [first] = this.#heap;
      if (first === undefined || first.time > end) return null;
      this.#pop();
      this.time = first.time;
      const { processor } = first;
      if (processor === null || processor.busyUntil <= this.time) {
        this.events++;
        return first;
      }
      // The order among postponed events is preserved.
      this.#push({ ...first, time: processor.busyUntil });
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

const isBefore = (a: Event, b: Event): boolean => a.time < b.time || (a.time === b.time && a.order < b.order);
