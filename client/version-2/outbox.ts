/**
 * The calls that wait to be signed. Calls that arrive while a signature is being made form the next envelope, so the
 * cost of signatures per call falls as the load rises. Calls on which members decide share envelopes of their own, if
 * their commands may. If all envelopes are answered, the client signs immediately on this thread; otherwise it signs on
 * another thread. Batches are signed and sent in the order of their calls.
 */

import type { ByteString } from "../../protocol/byte-string.js";
import { CONDITIONAL_NAME, hasImplicitCondition } from "../../protocol/implicit-condition.js";
import { bodyOf, signedBytes } from "../../protocol/version-2/envelope.js";
import { writeBody } from "../../protocol/version-2/envelope-body.js";
import { commandFrame, type Wait } from "../../protocol/version-2/messages-v2.js";
import type { PendingCall } from "../calls/pending-call.js";
import type { Sending, SentBatch, SignedEnvelope } from "../calls/sending.js";
import type { Environment } from "../shared/client-environment.js";
import { argvOf, commandName } from "../shared/command-bytes.js";
import type { Argument, CommandInput } from "../shared/command-input.js";
import { callLabel, tooLong } from "../shared/command-labels.js";
import type { CommandKind } from "../shared/commands.js";
import type { DeadlineTimer } from "../shared/deadline-timer.js";
import { DbsyncError, type ErrorCode } from "../shared/errors.js";
import type { FrameTracer } from "../shared/frame-tracer.js";
import type { Seal, Sealer } from "../shared/sealer.js";
import type { LegacyLink } from "../version-1/legacy-link.js";
import { CallBatch, type SignedBatch } from "./call-batch.js";
import type { FleetSettings } from "./daemon-link.js";
import { Fleet } from "./fleet.js";
import { SharedOptions, withConditions } from "./shared-envelopes.js";
import { isSigning } from "./signing-terms.js";

/** The maximum number of calls, and the maximum number of their bytes, that may wait to be signed. */
const WAITING_MAX = 100_000;
const WAITING_BYTES_MAX = 64 * 1024 * 1024;

/**
 * If this number of envelopes has no answer from any daemon yet, the client signs the next one only after an answer or
 * after `PACE_MS`. With near daemons, more calls then share each envelope; with distant daemons, the delay stays short.
 */
const UNANSWERED_MAX = 2;
const PACE_MS = 2;

/** The owner of an outbox, which counts pending calls and sendings. */
export interface OutboxOwner {
  /** Counts settled calls. */
  settled(calls: number): void;
  /** Counts sendings that have begun. */
  started(sendings: number): void;
  /** Counts a sending that has ended. */
  ended(): void;
  /** Receives a batch when it is signed. */
  signed(batch: SentBatch): void;
  /** Receives a batch when all of its calls have settled. */
  done(batch: SentBatch): void;
}

/** Milliseconds for which the client relies on a report that no members decide. */
const GREETING_MS = 5000;

export class Outbox {
  readonly fleet: Fleet;
  readonly #owner: OutboxOwner;
  readonly #environment: Environment;
  readonly #timer: DeadlineTimer;
  readonly #sealer: Sealer;
  readonly #settings: FleetSettings;
  /** The unsigned batches in the order of their calls. Only the last one may still grow. */
  #waiting: CallBatch[] = [];
  #waitingCalls = 0;
  #waitingBytes = 0;
  #isSigning = false;
  #isFlushPlanned = false;
  #signedAt = Number.NEGATIVE_INFINITY;
  /** The batches with unsettled calls. */
  readonly #live = new Set<CallBatch>();
  /** The signed batches that no daemon has answered. */
  readonly #unanswered = new Set<SentBatch>();
  #isClosed = false;
  #batches = 0;
  readonly #shared = new SharedOptions();

  constructor(parts: {
    owner: OutboxOwner;
    environment: Environment;
    timer: DeadlineTimer;
    sealer: Sealer;
    settings: FleetSettings;
    legacyLinks: readonly LegacyLink[];
    trace: FrameTracer | null;
    warn: (warning: string) => void;
  }) {
    this.#owner = parts.owner;
    this.#environment = parts.environment;
    this.#timer = parts.timer;
    this.#sealer = parts.sealer;
    this.#settings = parts.settings;
    const [isSigned, live] = [isSigning(parts.sealer), this.#live];
    this.fleet = new Fleet({ ...parts, isSigned, live, changed: this.#changed, again: this.#again });
  }

  /**
   * Checks whether a call may be added.
   * @throws DbsyncError `bad-command`: the call is too long; `busy`, `clusters-differ`: no call may be added now
   */
  admit(call: PendingCall): void {
    this.fleet.votes.recheckConflict(call.startedAt);
    if (this.fleet.conflict !== null)
      throw new DbsyncError("clusters-differ", this.fleet.conflict, { command: callLabel(call) });
    if (call.size > WAITING_BYTES_MAX)
      throw new DbsyncError("bad-command", tooLong(call.size, WAITING_BYTES_MAX), {
        command: callLabel(call),
      });
    if (this.#waitingCalls >= WAITING_MAX || this.#waitingBytes + call.size > WAITING_BYTES_MAX)
      throw new DbsyncError(
        "busy",
        `${this.#waitingCalls} commands are not signed yet; send fewer at a time`,
        {
          command: callLabel(call),
        },
      );
  }

  /** Accepts a call that has been admitted. */
  add(call: PendingCall, commandKind: CommandKind, now: number): void {
    const bytes = call.size;
    const options = this.#optionsOf(call, commandKind, now);
    let batch = this.#waiting.at(-1);
    if (batch === undefined || !batch.takes(commandKind, bytes, options)) {
      batch = this.#begin(commandKind, options);
      this.#waiting.push(batch);
    }
    batch.add(call);
    this.#waitingCalls++;
    this.#waitingBytes += bytes;
    this.fleet.add(batch, call, now);

    if (!this.#maySign(batch)) {
      this.fleet.greet(now, this.#settings.isPatient ? false : undefined);
      this.#changed(now);
    } else this.#planFlush();
  }

  /** Rejects a call whose signal was aborted, and does not send it if no daemon has received it. */
  cancel(call: PendingCall, reason: unknown, now: number): void {
    for (const batch of this.#live) {
      if (!batch.calls.includes(call)) continue;
      const { units, bytes } = batch;
      batch.cancel(call, reason, now);
      this.#waitingCalls -= units - batch.units;
      this.#waitingBytes -= bytes - batch.bytes;
      if (batch.unsettled === 0 && batch.isUntouched) this.fleet.withdraw(batch, now);
      this.#planFlush();
      return;
    }
  }

  /**
   * Returns the options of a call's envelope. A call on which members may have to decide has its own envelope, unless
   * it is known that they do.
   */
  #optionsOf(call: PendingCall, commandKind: CommandKind, now: number): CallBatch["options"] {
    const { envelope } = call.settings;
    const { cluster, isDeciding, greetedAt } = this.fleet;
    const mayDecide = cluster === "" || isDeciding || now > greetedAt + GREETING_MS;
    if (!mayDecide || !requestsDecision(call, commandKind)) return envelope;
    // Members may have founded a list since a daemon reported that they do not decide.
    if (!isDeciding && greetedAt >= 0) this.fleet.greetAgain(now);
    return (isDeciding && this.#shared.of(call)) || { ...envelope, decide: true };
  }

  /** Resends, unchanged, an envelope that an earlier page or process has signed. */
  resume(
    calls: readonly PendingCall[],
    { commandKind, options, envelope }: SignedBatch,
    now: number,
  ): CallBatch {
    const batch = this.#begin(commandKind, options);
    for (const call of calls) {
      batch.add(call);
      this.#timer.wakeBy(call.deadline, now);
    }
    batch.envelope = envelope;
    batch.close(now);
    for (const sending of batch.sendings) sending.resume(now);
    this.fleet.offer(batch, now);
    return batch;
  }

  tick(now: number): void {
    for (const batch of this.#live) if (batch.dueAt <= now) batch.judgeDue(now);
    this.fleet.tick(now);
    if (this.#waitsForHello) this.fleet.greet(now, false);
    this.#flush();
  }

  nextTick(): number {
    let time = this.fleet.nextTick();
    if (this.#waitsForHello) time = Math.min(time, this.fleet.nextGreeting());
    for (const batch of this.#live) time = Math.min(time, batch.dueAt);
    return time;
  }

  /** Rejects all calls, and closes the connections. */
  close(code: ErrorCode, now: number): void {
    this.#isClosed = true;
    for (const batch of this.#live) batch.abort(code, "", now);
    this.fleet.close(now);
    for (const batch of this.#waiting.splice(0)) this.#discard(batch, now);
  }

  /** Handles settled calls of a batch. */
  readonly #settled = (batch: CallBatch, calls: number): void => {
    if (batch.unsettled === 0) {
      this.#live.delete(batch);
      this.#owner.done(batch);
    }
    this.#noteAnswer(batch);
    this.#owner.settled(calls);
  };

  readonly #ended = (sending: Sending): void => {
    this.#noteAnswer(sending.batch);
    this.fleet.ended(sending, this.#environment.now());
    this.#owner.ended();
  };

  /** Signs, aborts or abandons the waiting batches, because the cluster or the state of a daemon has changed. */
  readonly #changed = (now: number): void => {
    const { conflict, isUnreachable } = this.fleet;
    if (conflict !== null) {
      for (const batch of this.#waiting) batch.abort("clusters-differ", conflict, now);
    }
    if (isUnreachable && this.#settings.isPatient) this.#timer.wakeBy(this.nextTick());
    else if (isUnreachable) {
      for (const batch of [...this.#waiting]) if (!this.#maySign(batch)) this.fleet.abandon(batch, now);
    }
    this.#planFlush();
  };

  /**
   * Whether a batch may be signed: the cluster is known and, if members may have to decide on it, a daemon has reported
   * whether they do.
   */
  #maySign({ options }: CallBatch): boolean {
    const { cluster, greetedAt } = this.fleet;
    return cluster !== "" && (greetedAt >= 0 || options?.decide !== true);
  }

  /** Whether calls are waiting until a daemon is reachable, and answers the hello. */
  get #waitsForHello(): boolean {
    const [first] = this.#waiting;
    return this.#settings.isPatient && first !== undefined && !this.#maySign(first);
  }

  /** Signs a batch again, in its original position. */
  readonly #again = (sent: SentBatch): void => {
    this.#unanswered.delete(sent);
    for (const batch of this.#live) {
      if (batch !== sent) continue;
      const position = this.#waiting.findIndex(({ number }) => number > batch.number);
      this.#waiting.splice(position < 0 ? this.#waiting.length : position, 0, batch);
      this.#waitingCalls += batch.units;
      this.#waitingBytes += batch.bytes;
      const { conflict } = this.fleet;
      if (conflict !== null) batch.abort("clusters-differ", conflict, this.#environment.now());
    }
    this.#planFlush();
  };

  #planFlush(): void {
    if (this.#isFlushPlanned || this.#isClosed) return;
    this.#isFlushPlanned = true;
    this.#environment.soon(() => {
      this.#isFlushPlanned = false;
      this.#flush();
    });
  }

  #noteAnswer(batch: SentBatch): void {
    if (batch.isAnswered && this.#unanswered.delete(batch) && this.#waiting.length > 0) this.#planFlush();
  }

  /** Signs the batches that may be signed now. */
  #flush(): void {
    const now = this.#environment.now();
    for (let batch = this.#waiting[0]; batch !== undefined && !this.#isClosed; batch = this.#waiting[0]) {
      if (batch.unsettled === 0 || !batch.hasWaiting) {
        this.#shift();
        this.#discard(batch, now);
      } else {
        if (!this.#maySign(batch) || this.#isSigning || !this.#isInPace(now)) return;
        this.#shift();
        batch.close(now);
        this.#sign(batch, now);
      }
    }
  }

  #isInPace(now: number): boolean {
    if (this.#unanswered.size < UNANSWERED_MAX || now >= this.#signedAt + PACE_MS) return true;
    this.#timer.wakeBy(this.#signedAt + PACE_MS);
    return false;
  }

  #shift(): void {
    const batch = this.#waiting.shift() as CallBatch;
    this.#waitingCalls -= batch.units;
    this.#waitingBytes -= batch.bytes;
  }

  #sign(batch: CallBatch, now: number): void {
    const sealer = this.#sealer;
    const isIdle = this.#unanswered.size === 0;
    const { cluster } = this.fleet;
    const nonce = sealer.nonce();
    batch.prepare(this.fleet.isDeciding);
    const header = { key: sealer.keyId, cluster, nonce, ...this.fleet.date(batch, now) };
    const draft = draftOf(batch, header, this.fleet.after(batch, now));
    this.#signedAt = now;
    // An answer that waits for a condition, or for the members' decision, does not show how busy the daemons are.
    if (batch.wait === null && !batch.decides) this.#unanswered.add(batch);
    batch.signatures++;

    if (isIdle && sealer.seal !== null) {
      batch.envelope = sealed(draft, sealer.seal(draft.bytes), batch.wait);
      this.#offer(batch, now);
      return;
    }

    this.#isSigning = true;
    sealer.sealAsync(draft.bytes).then(
      (seal) => {
        this.#isSigning = false;
        batch.envelope = sealed(draft, seal, batch.wait);
        const signedAt = this.#environment.now();
        if (this.#isClosed || batch.unsettled === 0) this.#discard(batch, signedAt);
        else this.#offer(batch, signedAt);
        this.#flush();
      },
      (error: Error) => {
        this.#isSigning = false;
        const failedAt = this.#environment.now();
        batch.abort("bad-key", error.message, failedAt, error);
        this.#discard(batch, failedAt);
        this.#flush();
      },
    );
  }

  #offer(batch: CallBatch, now: number): void {
    this.#owner.signed(batch);
    this.fleet.offer(batch, now);
  }

  #begin(commandKind: CommandKind, options: CallBatch["options"]): CallBatch {
    const number = ++this.#batches;
    const parts = { settled: this.#settled, ended: this.#ended, timer: this.#timer };
    const { addresses } = this.#settings;
    const batch = new CallBatch({ ...parts, commandKind, options, addresses, number });
    this.#live.add(batch);
    this.#owner.started(batch.sendings.length);
    return batch;
  }

  /** Discards a batch whose calls have settled, or that no daemon receives as an envelope. */
  #discard(batch: CallBatch, now: number): void {
    this.#unanswered.delete(batch);
    batch.close(now);
    for (const sending of batch.sendings) {
      if (sending.state !== "waiting") continue;
      batch.failed(sending, {
        ok: false,
        stage: this.#isClosed ? "closed" : "timeout",
        detail: "never sent",
        written: false,
        at: now,
      });
    }
  }
}

/**
 * Whether the members decide on a call, if they decide at all. A caller that names another policy than `majority` has
 * chosen what an answer means. Source: docs/consistency.md "What the answer to a condition means".
 */
export function requestsDecision(
  { settings, inputs, bytes }: PendingCall,
  commandKind: CommandKind,
): boolean {
  const { policy, envelope } = settings;
  if (commandKind !== "writes" || (policy !== "usual" && policy !== "majority") || envelope?.only)
    return false;
  if (envelope?.if != null) return true;
  if (typeof bytes !== "string") return false;
  const command = inputs as CommandInput;
  const name = argvOf([commandName(command) as Argument])[0] as ByteString;
  return CONDITIONAL_NAME.test(name) && hasImplicitCondition(argvOf(command));
}

/** An unsigned envelope. */
interface Draft {
  readonly at: number;
  readonly seq: number;
  readonly cluster: ByteString;
  /** See SignedEnvelope. */
  readonly after: ByteString | null;
  /** The bytes to sign. */
  readonly bytes: Buffer;
}

/**
 * Builds the envelope of a batch.
 * @param session  the write to name in `after`, unless the caller has named one, or null if there is none
 */
function draftOf(
  batch: CallBatch,
  header: { key: ByteString; cluster: ByteString; at: number; seq: number; nonce: ByteString },
  session: ByteString | null,
): Draft {
  const commands: ByteString[] = [];
  for (const { bytes } of batch.calls) {
    if (typeof bytes === "string") commands.push(bytes);
    else for (const each of bytes) commands.push(each);
  }
  const { at, seq, cluster } = header;
  const { options: requested, decides } = batch;
  // Most envelopes request no decision: for V8, other fields after a spread take a microsecond.
  const options = requested?.decide === true && !decides ? { ...requested, decide: false } : requested;
  const after = options?.after ? null : session;
  const fields = after === null ? { ...header, ...options } : { ...header, ...options, after };
  return { at, seq, cluster, after, bytes: signedBytes(writeBody(withConditions(fields, batch), commands)) };
}

/** Adds the seal to an envelope. @param wait  the condition that the answer waits for */
function sealed({ at, seq, cluster, after, bytes }: Draft, seal: Seal, wait: Wait | null): SignedEnvelope {
  return {
    at,
    seq,
    cluster,
    after,
    message: commandFrame(bodyOf(bytes), seal.signature, wait),
    get id() {
      return seal.id;
    },
  };
}
