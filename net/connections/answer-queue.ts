/** The unsent answers of a connection: answers that are ready, and slots for pending ones. */
import type { LongAnswer } from "./dialect.js";

/** The slot of an answer. */
export interface Slot {
  /** The answer, or null if it is pending. */
  readonly answer: string | LongAnswer | null;
}

export class AnswerQueue {
  /** The number of slots. It is a field because it is read several times for each request; only this class sets it. */
  length = 0;
  #slots: Slot[] = [];

  add(slot: Slot): void {
    this.length = this.#slots.push(slot);
  }

  isFirst(slot: Slot): boolean {
    return this.#slots[0] === slot;
  }

  /**
   * Removes and returns the first answers that are ready: either short answers, joined to a string of at most about the
   * given number of characters, or one long answer.
   * @returns null if the first answer is not ready
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
