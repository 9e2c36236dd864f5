/**
 * Simulated time: events in the order of their time, then of their making. Nothing happens between two events, and what
 * promises an event has resolved settle before the next one.
 */

interface Event {
  readonly time: number;
  readonly order: number;
  readonly run: () => void;
  /** Whose processor it needs; null: nobody's. */
  readonly processor: Processor | null;
}

/** What can be stopped (SIGSTOP), or busy, and then does everything later. */
export interface Processor {
  /** Simulated milliseconds until which it does nothing. */
  busyUntil: number;
}

export class Scheduler {
  /** Milliseconds since the run's begin; not whole. */
  time = 0;
  /** Events run so far. */
  events = 0;
  /** Set by an event that has resolved promises on which long chains hang. */
  settles = false;
  #heap: Event[] = [];
  #count = 0;

  after(delay: number, processor: Processor | null, run: () => void): void {
    this.#push({ time: this.time + Math.max(0, delay), order: ++this.#count, run, processor });
  }

  /** Runs everything up to a time, or until `isOver`. */
  async runUntil(end: number, isOver: () => boolean = () => false): Promise<void> {
    while (!isOver()) {
      const [first] = this.#heap;
      if (first === undefined || first.time > end) break;
      this.#pop();
      this.time = first.time;
      const { processor } = first;
      if (processor !== null && processor.busyUntil > first.time) {
        // Its order among the postponed ones stays.
        this.#push({ ...first, time: processor.busyUntil });
        continue;
      }
      this.events++;
      first.run();
      if (this.settles) {
        this.settles = false;
        await new Promise((resolve) => setImmediate(resolve));
      } else {
        await null;
        await null;
      }
    }
    this.time = Math.max(this.time, end);
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
