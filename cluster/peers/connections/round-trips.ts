/**
 * Measures how long a message takes to a member and back: each status says which one of the other side was received
 * last, and when.
 */

/** Statuses whose echo is waited for. */
const KEPT = 16;

export class RoundTrips {
  /** Milliseconds; null: not known yet. */
  last: number | null = null;
  readonly #uptime: () => number;
  /** Number of the status that was sent last. */
  serial = 0;
  readonly #sent = new Map<number, number>();
  #heard = 0;
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
    this.#sent.delete(serial - KEPT);
    const echoAge = this.#heard === 0 ? 0 : Math.max(0, Math.round(now - this.#lastSeenAt));
    return { serial, echo: this.#heard, echoAge };
  }

  heard({ serial, echo, echoAge }: { serial: number; echo: number; echoAge: number }): void {
    const now = this.#uptime();
    this.#heard = serial;
    this.#lastSeenAt = now;
    const sentAt = this.#sent.get(echo);
    if (sentAt !== undefined) this.last = Math.max(0, now - sentAt - echoAge);
  }
}
