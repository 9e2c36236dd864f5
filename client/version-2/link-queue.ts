/** What waits for one daemon as envelopes: a bounded queue that knows which of its sendings have run out of time. */

import type { Sending } from "../calls/sending.js";
import { BoundedQueue } from "../shared/bounded-queue.js";
import { SLACK_MS } from "../shared/link-times.js";

export class LinkQueue {
  readonly #queue = new BoundedQueue<Sending>();
  /** No deadline in the queue is earlier. */
  #earliest = Number.POSITIVE_INFINITY;
  /** When all of the queue was last looked through. */
  #sweptAt = Number.NEGATIVE_INFINITY;

  get length(): number {
    return this.#queue.length;
  }

  /** When `takeExpired` has something to take, many at a time. */
  get dueAt(): number {
    return this.#queue.length > 0
      ? Math.max(this.#earliest, this.#sweptAt) + SLACK_MS
      : Number.POSITIVE_INFINITY;
  }

  hasRoomFor(sending: Sending): boolean {
    return this.#queue.hasRoomFor(sending);
  }

  push(sending: Sending): void {
    this.#queue.push(sending);
    this.#earliest = Math.min(this.#earliest, sending.batch.deadline);
  }

  shift(): Sending | undefined {
    return this.#queue.shift();
  }

  remove(sending: Sending): void {
    this.#queue.takeWhere((other) => other === sending);
  }

  /** Puts sendings before all others, whether there is room or not. */
  putBack(sendings: readonly Sending[]): void {
    this.#queue.putBack(sendings);
    for (const { batch } of sendings) this.#earliest = Math.min(this.#earliest, batch.deadline);
  }

  takeAll(): Sending[] {
    return this.#queue.takeAll();
  }

  /** Takes what has expired: all at the head; further back it is looked every now and then, as that costs. */
  takeExpired(now: number): Sending[] {
    if (now < this.#earliest) return [];
    const expired: Sending[] = [];
    for (let first = this.#queue.first; first !== undefined; first = this.#queue.first) {
      if (first.batch.deadline > now) break;
      this.#queue.shift();
      expired.push(first);
    }
    if (now < this.#sweptAt + SLACK_MS) return expired;
    this.#sweptAt = now;
    this.#earliest = Number.POSITIVE_INFINITY;
    const others = this.#queue.takeWhere(({ batch: { deadline } }) => {
      if (deadline > now) this.#earliest = Math.min(this.#earliest, deadline);
      return deadline <= now;
    });
    return [...expired, ...others];
  }
}
