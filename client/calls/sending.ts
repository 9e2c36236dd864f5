/** The delivery of a batch to one daemon and its outcome, and the deliveries that wait for a daemon's answers. */
import { type ByteString, textOfBytes } from "../../protocol/byte-string.js";
import type { PlainReply, PlainValue } from "../../protocol/reply.js";
import type { ResultMessage, Wait } from "../../protocol/version-2/messages-v2.js";
import type { EnvelopeOptions } from "../settings/header-options.js";
import type { CommandKind } from "../shared/commands.js";
import { SLACK_MS } from "../shared/connections.js";
import {
  type Answer,
  type Failure,
  hasFailedCondition,
  isCatchingUp,
  isPlaced,
  type Report,
} from "../shared/outcome.js";
import { isNil, replyValues } from "../shared/reply-conversion.js";
import type { Address } from "../shared/server-list.js";
import type { PendingCall } from "./pending-call.js";

/** The signed form of a batch. */
export interface SignedEnvelope {
  readonly at: number;
  readonly seq: number;
  readonly cluster: ByteString;
  /** The write that the client's session names in `after`, or null if there is none. */
  readonly after?: ByteString | null;
  readonly id: ByteString;
  /** The complete frame. */
  readonly message: Buffer;
}

/** The part of a batch that sendings and links use; see call-batch.ts. */
export interface SentBatch {
  readonly commandKind: CommandKind;
  readonly isRead: boolean;
  /** Whether the members of a list decide on its envelope. */
  readonly decides: boolean;
  readonly options: EnvelopeOptions | null;
  readonly isClosed: boolean;
  readonly isUntouched: boolean;
  readonly isAnswered: boolean;
  readonly deadline: number;
  readonly units: number;
  /** The total length of the batch's commands. */
  readonly bytes: number;
  readonly unsettled: number;
  readonly signatures: number;
  readonly wait: Wait | null;
  readonly traceparent: string | null;
  readonly envelope: SignedEnvelope | null;
  readonly calls: readonly PendingCall[];
  readonly sendings: readonly Sending[];
  answered(sending: Sending, message: ResultMessage, now: number): void;
  failed(sending: Sending, failure: Failure): void;
  reported(sending: Sending, call: PendingCall, now: number): void;
  reset(): void;
  close(now: number): void;
}

/**
 * The state of a sending:
 * - `waiting`: its batch is not signed yet, or must be signed again
 * - `queued`: it is signed and must be written, possibly again
 * - `written`: it is waiting for an answer
 * - `separate`: its calls are sent individually, as deliveries
 * - `ended`: the daemon has answered or failed
 */
export type SendingState = "waiting" | "queued" | "written" | "separate" | "ended";

/** The stages of a daemon that was silent until the deadline, until the call failed, or until the client was closed. */
export type SilentStage = "timeout" | "not-awaited" | "closed";

export class Sending {
  readonly batch: SentBatch;
  readonly address: Address;
  /** The index of the daemon in the client's list. */
  readonly index: number;
  state: SendingState = "waiting";
  /** The time at which the sending was last written, or -1 if it was never written. */
  writtenAt = -1;
  /** The number of times the sending was written. */
  writes = 0;
  /** The time at which the sending ended. */
  endedAt = 0;
  failure: Failure | null = null;
  /** A refusal that is final unless the batch can be signed again. */
  refusal: Failure | null = null;
  /** Whether the daemon has refused the batch because of its date and has not answered since. */
  hasRefusedDate = false;
  /** The envelope that was or will be written; its batch may have been signed again since. */
  envelope: SignedEnvelope | null = null;
  /** One delivery for each call, in the state `separate`. */
  deliveries: { readonly report: Report | null; readonly writtenAt: number }[] | null = null;
  /** Whether the daemon may still need the calls individually, so that their batch must not free them. */
  needsCalls = false;
  /** Whether the daemon has peers. If the daemon is also live, a nil that it answers is valid for all its peers. */
  hasPeers = false;
  /**
   * Whether the daemon may not have the client's last writes. Its answer then counts like one from a daemon that is
   * catching up.
   */
  isCatchingUp = false;
  /** Whether the daemon has answered that the members have placed the batch, which requests no decision. */
  isPlaced = false;
  /** The number of deliveries that have not ended. */
  openDeliveries = 0;
  #replies: readonly PlainReply[] | null = null;
  #flags: readonly ByteString[] = [];

  constructor(batch: SentBatch, address: Address, index: number) {
    this.batch = batch;
    this.address = address;
    this.index = index;
  }

  /**
   * The size that counts in a daemon's queue. It includes the frame; the signed bytes, which are equally long and are
   * stored until the id is known; and the calls, if they may still be needed, both as the caller passed them and in
   * RESP.
   */
  get bytes(): number {
    return 2 * (this.envelope?.message.length ?? 0) + (this.needsCalls ? 2 * this.batch.bytes : 0);
  }

  get deadline(): number {
    return this.batch.deadline;
  }

  /** Marks the sending as written by an earlier page, so its outcome is unknown. */
  resume(now: number): void {
    this.writes = 1;
    this.writtenAt = now;
  }

  storeReplies(replies: readonly PlainReply[], flags: readonly ByteString[]): void {
    this.#replies = replies;
    this.#flags = flags;
    this.isPlaced = flags.some(isPlaced);
    this.hasRefusedDate = false;
  }

  /** Frees the replies, which are no longer needed. `isTaken` remains true. */
  forgetReplies(): void {
    if (this.#replies === null) return;
    this.#replies = [];
    this.#flags = [];
  }

  /** Whether the daemon has replied with results. */
  get isTaken(): boolean {
    return this.#replies !== null;
  }

  /** Whether the daemon has refused the batch or will not answer it. */
  get isMissing(): boolean {
    return this.failure !== null || this.refusal !== null;
  }

  /** Whether an answer from a more up-to-date daemon is preferable to one with these flags. */
  isOld(flags: ByteString): boolean {
    return this.isCatchingUp || isCatchingUp(flags);
  }

  /** Returns this daemon's report on a call, or null if there is none yet. */
  report(index: number): Report | null {
    if (this.failure !== null) return this.failure;
    if (this.deliveries !== null) return this.deliveries[index]?.report ?? null;
    const reply = this.#replies?.[index];
    return reply === undefined ? null : this.#reportOf(index, reply, this.#flags[index] ?? "");
  }

  /** Returns the failure to report for this daemon if a call ends before the daemon has answered. */
  givenUp(index: number, stage: SilentStage, now: number): Failure {
    if (this.refusal !== null) return this.refusal;
    const writtenAt = this.deliveries === null ? this.writtenAt : (this.deliveries[index]?.writtenAt ?? -1);
    return { ok: false, stage, detail: "", written: writtenAt >= 0, at: now };
  }

  /** Whether the daemon may still receive a call that it has not received yet. */
  mayReceive(call: PendingCall, now: number): boolean {
    return this.state === "separate" ? call.deadline > now : this.isUnsent && this.deadline > now;
  }

  /** Whether the envelope is not written, but may still be. */
  get isUnsent(): boolean {
    return this.state === "waiting" || this.state === "queued";
  }

  /** Whether all deliveries have ended. */
  get isDelivered(): boolean {
    return this.state === "separate" && this.openDeliveries === 0;
  }

  /** Whether this daemon may have applied a part of the batch, or may still do so. */
  get mayBeApplied(): boolean {
    if (this.deliveries !== null || this.#replies !== null) return true;
    return this.failure === null ? this.writtenAt >= 0 && this.refusal === null : this.failure.written;
  }

  #reportOf(index: number, reply: PlainReply, own: ByteString): Answer | Failure {
    const at = this.endedAt;
    const flags = this.isCatchingUp ? `${own} catching-up`.trimStart() : own;
    if (reply.kind === "error") {
      const written = reply.text.startsWith(EXECUTED) || PROVISIONAL.test(flags);
      return { ok: false, stage: "reply", detail: textOfBytes(reply.text), written, at, flags };
    }
    if (this.#isContradiction(index, reply, flags))
      return { ok: false, stage: "garbage", detail: CONTRADICTION, written: true, at };
    const isForAll = this.hasPeers && !NOT_LIVE.test(flags);
    return { ok: true, values: replyValues(reply), reply, flags, isForAll, at };
  }

  /**
   * Whether a reply contradicts its flags or the number of its commands, so that the daemon lies. It could otherwise
   * add a lock's OK to `unmet`, or nil to a unit that was applied, which are outcomes on which a majority agrees.
   */
  #isContradiction(index: number, reply: PlainValue, flags: ByteString): boolean {
    if (hasFailedCondition(flags)) return !isNil(reply);
    if (this.batch.options?.multi !== true) return false;
    return reply.kind !== "array" || reply.items.length !== this.batch.calls[index]?.bytes.length;
  }

  /** Restores the state before the batch was signed. The daemon has applied no part of it. */
  reset(): void {
    this.state = "waiting";
    this.writtenAt = -1;
    this.writes = 0;
    this.refusal = null;
    this.envelope = null;
  }
}

/** The prefix of the error that replaces an answer that was too long. */
const EXECUTED = "TOOLONG ";
/** The detail of a report whose reply contradicts its flags or its unit. */
const CONTRADICTION = "its reply contradicts its flags or commands";
/** The flag of a command that is recorded but has changed nothing so far. */
const PROVISIONAL = /\bprovisional\b/;
/** The flags of a daemon that is missing data from its peers, or cannot know whether it is. */
const NOT_LIVE = /\b(isolated|catching-up)\b/;

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

/** The envelopes in flight to one daemon, and the time since its last answer. */
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
