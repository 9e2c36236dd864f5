/**
 * Implements "read your own writes": it tracks which of a client's acknowledged writes each daemon may be missing.
 * Commands reach a daemon in order, so a link needs no proof while its connection lasts and its daemon accepts every
 * write. If a link was lost, if its daemon has refused a write that another daemon has answered, or if it has not
 * answered one on which the members of a list decide or which they place, the answer to an envelope with `after` proves
 * that the daemon has caught up. Source: docs/consistency.md "Your own writes".
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { EnvelopeDate } from "../../protocol/version-2/messages-v2.js";
import { unitOrderKey } from "../../protocol/version-2/unit-names.js";
import type { SentBatch, SignedEnvelope } from "../calls/sending.js";
import { hasConditions } from "./shared-envelopes.js";

/**
 * The time in milliseconds for which reads wait for a missed write. If no daemon has the write by then, it is lost, and
 * must not block reads permanently.
 */
const SESSION_MS = 30_000;

/** The newest write that a daemon has acknowledged. */
export interface LastWrite extends EnvelopeDate {
  readonly id: ByteString;
  readonly index: number;
  /** The time at which the answer arrived. */
  readonly answeredAt: number;
}

/** An acknowledged write that a daemon may be missing. */
export interface MissedWrite extends EnvelopeDate {
  /** Its order key, as in `after`. */
  readonly orderKey: ByteString;
  /** The time at which the answer arrived. */
  readonly answeredAt: number;
}

export class ConsistencySession {
  lastWrite: LastWrite | null = null;
  readonly #isOn: boolean;
  /** The newest acknowledged write of a batch whose command kind is `writes`. */
  #last: LastWrite | null = null;
  /** For each daemon, the newest acknowledged write that it may be missing, or null if there is none. */
  readonly #missed: (MissedWrite | null)[];
  /**
   * For each daemon, the newest write on which members decide, and which another daemon has answered but not this one;
   * null if there is none.
   */
  readonly #undecided: (MissedWrite | null)[];
  /** For each daemon, whether it has a timeline, so that it receives missed writes from its peers. */
  readonly #hasTimeline: boolean[];
  /** The index of the daemon whose missed write was last named in `after`. */
  #turn = 0;

  /**
   * Creates a session.
   * @param daemons  the number of daemons; a single daemon needs no session
   * @param isOn     whether reads must see the client's acknowledged writes
   */
  constructor(daemons: number, isOn: boolean) {
    this.#isOn = isOn && daemons > 1;
    this.#missed = Array(daemons).fill(null);
    this.#undecided = Array(daemons).fill(null);
    this.#hasTimeline = Array(daemons).fill(false);
  }

  /** Returns the write that the next envelope names in `after`, or null if no daemon is missing one. */
  after(batch: SentBatch, now: number): ByteString | null {
    // Any daemon may accept a plain write. Conditions must be checked against a state with all writes of this client.
    if (this.#last === null || !(batch.isRead || hasConditions(batch))) return null;
    const { length } = this.#missed;
    for (let checked = 0; checked < length; checked++) {
      this.#turn = (this.#turn + 1) % length;
      const write = newestOf(this.#missed, this.#turn, now) ?? newestOf(this.#undecided, this.#turn, now);
      if (write !== null) return write.orderKey;
    }
    return null;
  }

  /** Records that a daemon has answered a batch with results. @param units  the number of its units */
  answered(daemon: number, batch: SentBatch, units: number, now: number): void {
    const { envelope } = batch;
    if (envelope === null) return;
    clearNamed(this.#missed, daemon, envelope.after);
    clearNamed(this.#undecided, daemon, envelope.after);
    if (batch.isRead) return;

    const { at, seq, id } = envelope;
    const last = this.lastWrite;
    if (last === null || at > last.at || (at === last.at && seq > last.seq))
      this.lastWrite = { at, seq, id, index: units - 1, answeredAt: now };

    if (!this.#isOn || batch.commandKind !== "writes") return;
    clearAt(this.#missed, daemon, envelope);
    clearAt(this.#undecided, daemon, envelope);
    this.#last = this.lastWrite;

    for (const { isMissing, index } of batch.sendings)
      if (isMissing) this.#miss(this.#missed, index, batch, now);
    if (batch.decides) this.decided(daemon, batch, now);
  }

  /**
   * Records that a daemon has answered a batch on which the members decide. Another daemon that has received the batch
   * has it only when it knows the decision.
   */
  decided(daemon: number, batch: SentBatch, now: number): void {
    if (!this.#isOn || batch.commandKind !== "writes") return;
    for (const { isMissing, isTaken, index } of batch.sendings)
      if (index !== daemon && !isMissing && !isTaken) this.#miss(this.#undecided, index, batch, now);
  }

  /** Records that a daemon has refused a batch or will not answer it. */
  failed(daemon: number, batch: SentBatch, now: number): void {
    if (this.#isOn && batch.commandKind === "writes" && batch.sendings.some(({ isTaken }) => isTaken))
      this.#miss(this.#missed, daemon, batch, now);
  }

  /** Records a new connection. The daemon may have restarted or paused since the last connection. */
  connected(daemon: number, hasTimeline: boolean): void {
    this.#hasTimeline[daemon] = hasTimeline;
    if (!hasTimeline || this.#last === null) return;
    const { at, seq, id, index, answeredAt } = this.#last;
    this.#missed[daemon] = { at, seq, orderKey: unitOrderKey(at, seq, id, index), answeredAt };
  }

  /** Records that a daemon is not connected. It may restart or pause before the next connection. */
  disconnected(daemon: number): void {
    if (this.#hasTimeline[daemon]) this.connected(daemon, true);
  }

  /** Whether a daemon may have answered a batch without an acknowledged write of this client. */
  isCatchingUp(daemon: number, { envelope, options }: SentBatch, now: number): boolean {
    const missed = newestOf(this.#missed, daemon, now);
    const undecided = newestOf(this.#undecided, daemon, now);
    const after = envelope?.after ?? null;
    const isBehind =
      (missed !== null && after !== missed.orderKey) ||
      (undecided !== null && after !== undecided.orderKey && !isOf(undecided, envelope));
    return isBehind && !options?.after;
  }

  #miss(writes: (MissedWrite | null)[], daemon: number, { envelope, units }: SentBatch, now: number): void {
    if (!this.#hasTimeline[daemon] || envelope === null) return;
    const { at, seq, id } = envelope;
    const missed = writes[daemon];
    if (missed != null && (missed.at > at || (missed.at === at && missed.seq >= seq))) return;
    writes[daemon] = { at, seq, orderKey: unitOrderKey(at, seq, id, units - 1), answeredAt: now };
  }
}

/** Returns the write that a daemon may be missing, or null if there is none or it is older than `SESSION_MS`. */
function newestOf(writes: (MissedWrite | null)[], daemon: number, now: number): MissedWrite | null {
  const write = writes[daemon] ?? null;
  if (write === null || now - write.answeredAt <= SESSION_MS) return write;
  writes[daemon] = null;
  return null;
}

/** Forgets a daemon's write that the answered envelope has named in `after`. */
function clearNamed(writes: (MissedWrite | null)[], daemon: number, after: SignedEnvelope["after"]): void {
  if (writes[daemon] != null && after === writes[daemon].orderKey) writes[daemon] = null;
}

/** Forgets a daemon's write that is the answered envelope itself. */
function clearAt(writes: (MissedWrite | null)[], daemon: number, envelope: EnvelopeDate): void {
  if (isOf(writes[daemon] ?? null, envelope)) writes[daemon] = null;
}

const isOf = (write: EnvelopeDate | null, envelope: EnvelopeDate | null): boolean =>
  write !== null && write.at === envelope?.at && write.seq === envelope.seq;
