/** The envelopes in flight to one daemon, and the time since its last answer. */
import type { Sending, SignedEnvelope } from "../calls/sending.js";
import { SLACK_MS } from "../shared/connection-timeouts.js";

/** The maximum number of envelopes and bytes in flight. More would only fill the buffers of a hung daemon. */
const ENVELOPES_MAX = 256;
const BYTES_MAX = 8 * 1024 * 1024;
/**
 * The same limits for envelopes whose answers are delayed (`stable`, `replicated`), perhaps by half a minute. These
 * envelopes are counted separately, so that they leave room for all other envelopes. A daemon accepts this many on a
 * connection.
 */
const WAITING_ENVELOPES_MAX = 1024;
const WAITING_BYTES_MAX = 8 * 1024 * 1024;

export class InFlightEnvelopes {
  /** The time since which the daemon has been silent although answers are expected, or infinity if none is expected. */
  silentSince = Number.POSITIVE_INFINITY;
  /** The sendings in the order of writing, which is usually also the order of the answers. */
  readonly #sendings = new Set<Sending>();
  /** The sendings whose answers are expected immediately. */
  readonly #due = new Set<Sending>();
  #dueBytes = 0;
  #waitingBytes = 0;

  get isEmpty(): boolean {
    return this.#sendings.size === 0;
  }

  get hasRoom(): boolean {
    return this.#due.size < ENVELOPES_MAX && this.#dueBytes < BYTES_MAX;
  }

  /**
   * Whether there is room for a sending. If there is none, the caller rejects the sending, which must not block the
   * envelopes after it in the queue.
   */
  takes(sending: Sending): boolean {
    const waiting = this.#sendings.size - this.#due.size;
    const hasRoomToWait = waiting < WAITING_ENVELOPES_MAX && this.#waitingBytes < WAITING_BYTES_MAX;
    return hasRoomToWait || !doesWait(sending);
  }

  /** Finds a sending by the id of its envelope. */
  find(id: string): Sending | undefined {
    for (const sending of this.#due) if (sending.envelope?.id === id) return sending;
    for (const sending of this.#sendings) if (sending.envelope?.id === id) return sending;
    return undefined;
  }

  /** Records that a sending is being written. @returns the bytes to write */
  add(sending: Sending, now: number): Buffer {
    const { message } = sending.envelope as SignedEnvelope;
    sending.state = "written";
    sending.writtenAt = now;
    sending.writes++;
    this.#sendings.add(sending);
    if (doesWait(sending)) this.#waitingBytes += message.length;
    else {
      this.#due.add(sending);
      this.#dueBytes += message.length;
      if (this.silentSince === Number.POSITIVE_INFINITY) this.silentSince = now;
    }
    return message;
  }

  remove(sending: Sending): void {
    const { message } = sending.envelope as SignedEnvelope;
    if (!this.#sendings.delete(sending)) return;
    if (this.#due.delete(sending)) this.#dueBytes -= message.length;
    else this.#waitingBytes -= message.length;
  }

  /** The time at which `takeExpired` must be called next. It removes many sendings at a time. */
  get dueAt(): number {
    let time = Number.POSITIVE_INFINITY;
    for (const { batch } of this.#sendings) time = Math.min(time, batch.deadline + SLACK_MS);
    return time;
  }

  takeExpired(now: number): readonly Sending[] {
    const expired = [...this.#sendings].filter(({ batch }) => batch.deadline <= now);
    for (const sending of expired) this.remove(sending);
    return expired;
  }

  /** Records that the daemon has sent something. */
  received(now: number): void {
    this.silentSince = this.#due.size > 0 ? now : Number.POSITIVE_INFINITY;
  }

  /** Removes all sendings, because the connection is lost. @returns the sendings in the order of writing */
  takeAll(): readonly Sending[] {
    const all = [...this.#sendings];
    this.#sendings.clear();
    this.#due.clear();
    this.#dueBytes = 0;
    this.#waitingBytes = 0;
    this.silentSince = Number.POSITIVE_INFINITY;
    return all;
  }
}

/** Whether the answer is delayed, so that the daemon's silence is no problem. */
const doesWait = ({ batch }: Sending): boolean => batch.wait !== null;
