/** The items that wait for one daemon: a queue with limits for items and bytes, which removes expired items. */
import { Queue } from "../../protocol/queue.js";
import { SLACK_MS } from "./connections.js";

/**
 * The maximum length. It holds several seconds of commands from the fastest sequential caller, so a daemon that pauses
 * for that long still receives all of them.
 */
const ITEMS_MAX = 10_000;

/**
 * The maximum size. The queues of all daemons share the bytes of a call, so this limits the client's memory even if
 * every daemon hangs.
 */
const BYTES_MAX = 64 * 1024 * 1024;

interface Item {
  readonly bytes: number;
  readonly deadline: number;
}

export class BoundedQueue<T extends Item> {
  readonly #queue = new Queue<T>();
  #bytes = 0;
  /** A lower bound of the deadlines in the queue. */
  #earliest = Number.POSITIVE_INFINITY;
  /** The time of the last search of the entire queue. */
  #sweptAt = Number.NEGATIVE_INFINITY;

  get length(): number {
    return this.#queue.size;
  }

  get first(): T | undefined {
    return this.#queue.first;
  }

  /** The time at which `takeExpired` must be called next. It removes many items at a time. */
  get dueAt(): number {
    return this.length > 0 ? Math.max(this.#earliest, this.#sweptAt) + SLACK_MS : Number.POSITIVE_INFINITY;
  }

  /** Whether the queue has room for `item`. An empty queue accepts an item of any size. */
  hasRoomFor(item: T): boolean {
    return this.length === 0 || (this.length < ITEMS_MAX && this.#bytes + item.bytes <= BYTES_MAX);
  }

  push(item: T): void {
    this.#queue.push(item);
    this.#bytes += item.bytes;
    this.#earliest = Math.min(this.#earliest, item.deadline);
  }

  shift(): T | undefined {
    const item = this.#queue.shift();
    if (item !== undefined) this.#bytes -= item.bytes;
    return item;
  }

  /** Inserts items at the head, even above the limits. */
  putBack(items: readonly T[]): void {
    for (const item of [...items, ...this.takeAll()]) this.push(item);
  }

  takeAll(): T[] {
    this.#bytes = 0;
    this.#earliest = Number.POSITIVE_INFINITY;
    return this.#queue.takeAll();
  }

  /** Removes and returns all chosen items. The cost is proportional to the length of the queue. */
  takeWhere(isChosen: (item: T) => boolean): T[] {
    const chosen: T[] = [];
    for (const item of this.takeAll()) {
      if (isChosen(item)) chosen.push(item);
      else this.push(item);
    }
    return chosen;
  }

  /**
   * Removes expired items: those at the head always, later ones only occasionally, because that search is expensive.
   */
  takeExpired(now: number): T[] {
    if (now < this.#earliest) return [];
    const expired: T[] = [];
    for (let first = this.first; first !== undefined && first.deadline <= now; first = this.first) {
      this.shift();
      expired.push(first);
    }
    if (now < this.#sweptAt + SLACK_MS) return expired;
    this.#sweptAt = now;
    return [...expired, ...this.takeWhere(({ deadline }) => deadline <= now)];
  }
}
