/** Envelopes that are written to one daemon and not answered, and how long it has owed an answer. */
import type { Sending, SignedEnvelope } from "./sending.js";

/** More than so many, or so many bytes, would only fill the buffers of a daemon that hangs. */
const MAX_ENVELOPES = 256;
const MAX_BYTES = 8 * 1024 * 1024;

export class OnTheWay {
  /** Since when the daemon has not been heard, though answers are due; infinity: it owes nothing. */
  owingSince = Number.POSITIVE_INFINITY;
  /** In the order they were written, which is mostly that of their answers. */
  readonly #sendings = new Set<Sending>();
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#sendings.size === 0;
  }

  get hasRoom(): boolean {
    return this.#sendings.size < MAX_ENVELOPES && this.#bytes < MAX_BYTES;
  }

  /** By the envelope's id. */
  find(id: string): Sending | undefined {
    for (const sending of this.#sendings) if (sending.batch.envelope?.id === id) return sending;
    return undefined;
  }

  all(): readonly Sending[] {
    return [...this.#sendings];
  }

  /** Notes that a sending is written. @returns what to write */
  add(sending: Sending, now: number): Buffer {
    const { message } = sending.batch.envelope as SignedEnvelope;
    sending.state = "written";
    sending.writtenAt = now;
    sending.writes++;
    this.#sendings.add(sending);
    this.#bytes += message.length;
    if (isDue(sending) && this.owingSince === Number.POSITIVE_INFINITY) this.owingSince = now;
    return message;
  }

  remove(sending: Sending): void {
    const { message } = sending.batch.envelope as SignedEnvelope;
    if (this.#sendings.delete(sending)) this.#bytes -= message.length;
  }

  /** The daemon has said something. */
  heard(now: number): void {
    this.owingSince = this.#owes() ? now : Number.POSITIVE_INFINITY;
  }

  #owes(): boolean {
    for (const sending of this.#sendings) if (isDue(sending)) return true;
    return false;
  }

  /** The connection is gone. @returns what was on it, in the order it was written */
  takeAll(): readonly Sending[] {
    const all = this.all();
    this.#sendings.clear();
    this.#bytes = 0;
    this.owingSince = Number.POSITIVE_INFINITY;
    return all;
  }
}

/** Whether silence means that something is wrong: an answer that waits comes when it may. */
const isDue = ({ batch }: Sending): boolean => batch.wait === null;
