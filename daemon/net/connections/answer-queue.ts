/** The unsent answers of a connection: answers that are ready, and slots for pending ones. */
import type { LongAnswer, Unwritten } from "./dialect.js";

/** The slot of an answer. */
export interface Slot {
  /** The answer, or null if it is pending. */
  readonly answer: string | LongAnswer | null;
  /** Whether it contains pushed bytes, which answer no request. */
  readonly isPush?: boolean;
  /** Whether bytes that are pushed from now on must not overtake it. */
  readonly hasRun?: boolean;
  /** Notified if the answer cannot be written; null if it need not be. */
  readonly unwritten?: Unwritten | null;
}

export class AnswerQueue {
  /** The number of slots. It is a field because it is read several times for each request; only this class sets it. */
  length = 0;
  /** The number of pushed characters. Only this class sets it. */
  pushed = 0;
  #slots: Slot[] = [];

  add(slot: Slot): void {
    this.length = this.#slots.push(slot);
  }

  push(bytes: string): void {
    this.pushed += bytes.length;
    this.add({ answer: bytes, isPush: true, hasRun: true });
  }

  /** Whether there are slots that pushed bytes must not overtake. */
  get delaysPushes(): boolean {
    return this.length > 0 && this.#slots.some(({ hasRun }) => hasRun === true);
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
    for (const { answer, isPush } of this.#slots) {
      if (typeof answer !== "string" || taken.length >= about) break;
      taken += answer;
      if (isPush === true) this.pushed -= answer.length;
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

  /** Whether an answer must not be lost. */
  get mustBeWritten(): boolean {
    return this.#slots.some(({ unwritten }) => unwritten != null);
  }

  /** Discards all answers. Of those that are pending, the code that receives them notifies `unwritten`. */
  clear(): void {
    const slots = this.#slots;
    this.#slots = [];
    this.length = 0;
    this.pushed = 0;
    for (const { answer, unwritten } of slots) if (answer !== null) unwritten?.unwritten();
  }
}
