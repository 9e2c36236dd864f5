/**
 * The dates that this daemon has closed for its members: from then on it signs nothing that is dated at or before them.
 * This also holds after a restart. Source: docs/decisions/0075-streams-whose-followers-miss-nothing.md.
 */

import { dateMark, markedDate, type Storage } from "./entries/storage.js";

/**
 * Milliseconds by which the date on the disk is ahead of the closed dates, so that the disk has to be written only
 * about once in half of this time. After a restart, the first writes may be dated this far ahead.
 */
export const RESERVED_MS = 1000;

type OwnDatesStorage = Pick<Storage, "mark" | "put" | "synced">;

export class OwnDates {
  /** The date at or before which this daemon signs nothing more; milliseconds since 1970, or 0 if none is closed. */
  closedTo: number;
  readonly #storage: OwnDatesStorage;
  /** The closed date that a restart finds on the disk. It is never below `closedTo`. */
  #reservedTo: number;
  /** Closing a later date than this writes a new date to the disk. */
  #renewedAbove: number;

  constructor(storage: OwnDatesStorage) {
    this.#storage = storage;
    this.closedTo = markedDate(storage, "closed") ?? 0;
    this.#reservedTo = this.closedTo;
    this.#renewedAbove = this.closedTo;
  }

  /**
   * Closes the dates up to a date, immediately.
   * @param to  milliseconds since 1970, an integer
   * @param reservableTo  the date on the disk is not later than this, unless `to` is: after a restart, a later one
   * would make the daemon refuse writes
   * @returns a promise that resolves when this is on the disk, with everything that this daemon has signed before.
   * Rejects if the disk has failed
   */
  close(to: number, reservableTo: number): Promise<void> {
    if (to > this.closedTo) this.closedTo = to;
    if (to > this.#renewedAbove) this.#reserve(to, Math.max(to, Math.min(to + RESERVED_MS, reservableTo)));
    return this.#storage.synced();
  }

  #reserve(closed: number, to: number): void {
    this.#renewedAbove = Math.floor((closed + to) / 2);
    if (to <= this.#reservedTo) return;
    this.#reservedTo = to;
    this.#storage.put([], [dateMark("closed", to)]);
  }
}
