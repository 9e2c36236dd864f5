/** The answers of a connection that are not sent: those that are ready, and positions of those that are awaited. */
import type { LongAnswer } from "./dialect.js";

/** An answer in its place. */
export interface Slot {
  /** null: it is awaited. */
  readonly answer: string | LongAnswer | null;
}

export class AnswerQueue {
  /** Set here alone: a field, as it is read several times for each request. */
  length = 0;
  #slots: Slot[] = [];

  add(slot: Slot): void {
    this.length = this.#slots.push(slot);
  }

  isFirst(slot: Slot): boolean {
    return this.#slots[0] === slot;
  }

  /**
   * Takes the first answers that are ready: about the given number of characters together, as no string holds them
   * all, or a single long one.
   * @returns null: none is ready
   */
  take(about: number): string | LongAnswer | null {
    const [first] = this.#slots;
    if (first === undefined || first.answer === null) return null;
    let ready = 0;
    let taken: string | LongAnswer = "";
    for (const { answer } of this.#slots) {
      if (typeof answer !== "string" || taken.length >= about) break;
      taken += answer;
      ready++;
    }
    if (ready === 0) {
      taken = first.answer;
      ready = 1;
    }
    this.#slots = ready === this.length ? [] : this.#slots.slice(ready);
    this.length -= ready;
    return taken;
  }

  clear(): void {
    this.#slots = [];
    this.length = 0;
  }
}
