/**
 * Measures the round trip of a message to a member. For this purpose each status contains the number of the last status
 * that was received from the other side, and how long ago it was received.
 */

/** The number of statuses whose echo is still expected. */
const PENDING_MAX = 16;

export class RoundTrips {
  /** The last round trip in milliseconds, or null if unknown. */
  last: number | null = null;
  readonly #uptime: () => number;
  /** The number of the status that was sent last. */
  serial = 0;
  readonly #sent = new Map<number, number>();
  #received = 0;
  #lastSeenAt = 0;

  /** @param uptime  milliseconds; never jumps */
  constructor(uptime: () => number) {
    this.#uptime = uptime;
  }

  /** Returns the numbers for the next status. */
  next(): { readonly serial: number; readonly echo: number; readonly echoAge: number } {
    const now = this.#uptime();
    const serial = ++this.serial;
    this.#sent.set(serial, now);
    this.#sent.delete(serial - PENDING_MAX);
    const echoAge = this.#received === 0 ? 0 : Math.max(0, Math.round(now - this.#lastSeenAt));
    return { serial, echo: this.#received, echoAge };
  }

  receive({ serial, echo, echoAge }: { serial: number; echo: number; echoAge: number }): void {
    const now = this.#uptime();
    this.#received = serial;
    this.#lastSeenAt = now;
    const sentAt = this.#sent.get(echo);
    if (sentAt !== undefined) this.last = Math.max(0, now - sentAt - echoAge);
  }
}
