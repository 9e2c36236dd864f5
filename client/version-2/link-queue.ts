/** The envelopes that wait for one daemon: a bounded queue that removes expired ones. */

import type { Sending } from "../calls/sending.js";
import { BoundedQueue } from "../shared/bounded-queue.js";
import { SLACK_MS } from "../shared/connection-timeouts.js";

export class LinkQueue {
  readonly #queue = new BoundedQueue<Sending>();
  /** A lower bound of the deadlines in the queue. */
  #earliest = Number.POSITIVE_INFINITY;
  /** The time of the last search of the entire queue. */
  #sweptAt = Number.NEGATIVE_INFINITY;

  get length(): number {
    return this.#queue.length;
  }

  /** The time at which `takeExpired` must be called next. It removes many envelopes at a time. */
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

  /** Inserts sendings at the head of the queue, even above its limits. */
  putBack(sendings: readonly Sending[]): void {
    this.#queue.putBack(sendings);
    for (const { batch } of sendings) this.#earliest = Math.min(this.#earliest, batch.deadline);
  }

  takeAll(): Sending[] {
    return this.#queue.takeAll();
  }

  /**
   * Removes expired sendings: those at the head always, later ones only occasionally, because that search is expensive.
   */
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
    const later = this.#queue.takeWhere(({ batch: { deadline } }) => {
      if (deadline > now) this.#earliest = Math.min(this.#earliest, deadline);
      return deadline <= now;
    });
    return [...expired, ...later];
  }
}
