/**
 * Calls that are signed together: one envelope, its sendings to the daemons, and the promises of its calls. The state
 * of the envelope is in the batch; each call has its own deadline and result.
 */

import type { ByteString } from "../../protocol/byte-string.js";
import { MalformedFrame, unreadable } from "../../protocol/errors.js";
import type { PlainReply } from "../../protocol/reply.js";
import type { ResultMessage, Wait } from "../../protocol/version-2/messages-v2.js";
import type { PendingCall } from "../calls/pending-call.js";
import { Sending, type SentBatch, type SignedEnvelope, type SilentStage } from "../calls/sending.js";
import type { CallSettings } from "../settings/call-options.js";
import type { EnvelopeOptions } from "../settings/header-options.js";
import { callLabel, failureText } from "../shared/command-labels.js";
import type { CommandKind } from "../shared/commands.js";
import { MISS_LINGER_MS } from "../shared/connections.js";
import type { DeadlineTimer } from "../shared/deadline-timer.js";
import { abortDetail, DbsyncError, type ErrorCode, type Outcome } from "../shared/errors.js";
import { type Failure, outcomeOf, type Report, replyError, valueText } from "../shared/outcome.js";
import { judge, type Rule, ruleFor } from "../shared/policy.js";
import { isHit, replyValue, replyValues, resultOf } from "../shared/reply-conversion.js";
import { waitingReasons } from "../shared/sentences.js";
import type { Address } from "../shared/server-list.js";
import { mustDecide, unitsMax } from "./shared-envelopes.js";

/** The size at which a batch is closed. Larger batches save no more, and daemons may limit the size they accept. */
const BATCH_BYTES_MAX = 256 * 1024;

/** The fields of a batch that a client stores to send its envelope again. */
export interface SignedBatch {
  readonly commandKind: CommandKind;
  readonly options: EnvelopeOptions | null;
  readonly envelope: SignedEnvelope;
}

export class CallBatch implements SentBatch {
  /** The kind of its commands; for a call with a separate envelope, whether it only reads. */
  readonly commandKind: CommandKind;
  readonly isRead: boolean;
  /** The options of a call with a separate envelope, or those common to all calls, or null if the calls have none. */
  readonly options: EnvelopeOptions | null;
  readonly sendings: readonly Sending[];
  calls: PendingCall[] = [];
  unsettled = 0;
  /** The latest deadline of its calls. */
  deadline = 0;
  /** The time at which `judgeDue` must be called. */
  dueAt = Number.POSITIVE_INFINITY;
  envelope: SignedEnvelope | null = null;
  /** The number of times the batch was signed. */
  signatures = 0;
  /** Whether the batch is closed to further calls. */
  isClosed = false;
  /** Whether a daemon has answered, or all calls have settled. */
  isAnswered = false;
  /** The total length of its commands. */
  bytes = 0;
  /** Whether the members of a list decide on its envelope. */
  decides = false;
  /** Its position among the client's batches. */
  readonly number: number;
  /** The number of calls in its envelope. */
  units = 0;
  /** The trace context of the first call that has one, or null if none has one. */
  traceparent: string | null = null;
  readonly #settled: (batch: CallBatch, calls: number) => void;
  readonly #ended: (sending: Sending) => void;
  readonly #timer: DeadlineTimer;

  constructor(parts: {
    /** Called when calls of the batch have settled. */
    settled: (batch: CallBatch, calls: number) => void;
    /** Called when a sending of the batch has ended. */
    ended: (sending: Sending) => void;
    timer: DeadlineTimer;
    commandKind: CommandKind;
    options: EnvelopeOptions | null;
    addresses: readonly Address[];
    number: number;
  }) {
    this.#settled = parts.settled;
    this.#ended = parts.ended;
    this.#timer = parts.timer;
    this.number = parts.number;
    this.commandKind = parts.commandKind;
    this.isRead = parts.commandKind === "reads";
    this.options = parts.options;
    this.sendings = parts.addresses.map((address, index) => new Sending(this, address, index));
  }

  /**
   * Whether a call may join the batch: it must have no options, or only the batch's database and, if the members decide
   * on it, conditions.
   */
  takes(commandKind: CommandKind, bytes: number, options: EnvelopeOptions | null): boolean {
    return (
      commandKind === this.commandKind &&
      options === this.options &&
      !this.isClosed &&
      this.unsettled > 0 &&
      this.calls.length < unitsMax(options) &&
      this.bytes + bytes <= BATCH_BYTES_MAX
    );
  }

  add(call: PendingCall): void {
    this.calls.push(call);
    this.unsettled++;
    this.units++;
    this.traceparent ??= call.settings.traceparent;
    // A list of commands is alone in its batch, so its length has no limit here.
    this.bytes += call.size;
    if (call.deadline > this.deadline) this.deadline = call.deadline;
    if (call.deadline < this.dueAt) this.dueAt = call.deadline;
  }

  /** Called before it is signed. @param areDeciding  whether the servers are members of a list */
  prepare(areDeciding: boolean): void {
    this.decides = this.options?.decide === true && (areDeciding || mustDecide(this));
  }

  /** The condition that its answers wait for, or null if there is none. */
  get wait(): Wait | null {
    return this.options?.wait ?? null;
  }

  /** Whether the envelope must still be sent to at least one daemon. */
  get hasWaiting(): boolean {
    return this.sendings.some(({ state }) => state === "waiting");
  }

  /** Whether the batch may be signed again, because no daemon has applied or can apply a part of it. */
  get isUntouched(): boolean {
    return this.sendings.every((sending) => !sending.mayBeApplied);
  }

  /**
   * Handles a daemon's answer.
   * @throws MalformedFrame  no part of the answer was used
   */
  answered(sending: Sending, message: ResultMessage, now: number): void {
    const { replies: reader, units } = message;
    if (this.unsettled === 0) {
      this.#end(sending, now);
      return;
    }
    if (units !== this.units) throw reader.malformed("expected one reply for each unit of the envelope");

    const replies: PlainReply[] = [];
    const flags: ByteString[] = [];
    try {
      for (let unit = 0; unit < units; unit++) {
        replies.push(reader.readReply());
        flags.push(reader.readBulk());
      }
      reader.expectEnd();
    } catch (problem) {
      throw problem instanceof MalformedFrame ? problem : reader.malformed(unreadable(problem));
    }

    sending.storeReplies(replies, flags);
    this.isAnswered = true;
    sending.endedAt = now;
    const before = this.unsettled;
    for (let index = 0; index < units; index++)
      this.#take(index, replies[index] as PlainReply, sending, flags[index] as ByteString, now);
    this.#reportSettled(before);
    this.#end(sending, now);
  }

  /** Records that a daemon will not answer. */
  failed(sending: Sending, failure: Failure): void {
    if (sending.state === "ended") return;
    sending.failure = failure;
    const before = this.unsettled;
    this.#judgeAll(failure.at, false);
    this.#reportSettled(before);
    this.#end(sending, failure.at);
  }

  /** Handles a daemon's report on a call that was sent to it individually. */
  reported(sending: Sending, call: PendingCall, now: number): void {
    const before = this.unsettled;
    this.#judge(this.calls.indexOf(call), now, false);
    this.#reportSettled(before);
    if (this.isClosed && sending.isDelivered) this.#end(sending, now);
  }

  /** Restores the batch's state before it was signed, except for daemons that have answered or must still answer. */
  reset(): void {
    this.envelope = null;
    for (const call of this.calls) call.lingerUntil = Number.POSITIVE_INFINITY;
    if (this.isUntouched) this.#dropSettled();
    for (const sending of this.sendings) if (sending.isUnsent) sending.reset();
  }

  /** Closes the batch to further calls. */
  close(now: number): void {
    this.isClosed = true;
    for (const sending of this.sendings) if (sending.isDelivered) this.#end(sending, now);
  }

  /** Settles the calls whose deadline, or whose wait after a miss, is over. */
  judgeDue(now: number): void {
    const before = this.unsettled;
    this.#judgeAll(now, true);
    this.#reportSettled(before);
    this.dueAt = Number.POSITIVE_INFINITY;
    for (const call of this.calls) {
      if (isOpen(call)) this.dueAt = Math.min(this.dueAt, call.deadline, call.lingerUntil);
    }
  }

  /** Rejects all calls with an error. The sendings continue. */
  abort(code: ErrorCode, detail: string, now: number, cause?: unknown): void {
    const before = this.unsettled;
    for (const [index, call] of this.calls.entries()) {
      if (!isOpen(call)) continue;
      const isEnd = code === "closed" || code === "reset";
      const reports = this.#reports(index, now, isEnd ? "closed" : "not-awaited");
      this.#fail(call, code, detail, isEnd ? reports : this.#withoutUnsent(reports, call, now), cause);
    }
    this.#reportSettled(before);
  }

  /**
   * Rejects a call whose signal was aborted. If no daemon has received the call, it is never sent, unless other calls
   * of the signed envelope need it.
   */
  cancel(call: PendingCall, reason: unknown, now: number): void {
    const index = this.calls.indexOf(call);
    const before = this.unsettled;
    const isUnsigned = this.signatures === 0 && !this.isClosed;
    const isWithdrawn = this.isUntouched && (isUnsigned || before === 1);
    const reports = this.#reports(index, now, "not-awaited");
    const end = isWithdrawn ? reports : reports.map((report, at) => this.#afterEnd(report, at, call, now));
    this.#fail(call, "aborted", abortDetail(reason), end, reason);
    if (isWithdrawn && before > 1) this.#dropSettled();
    this.#reportSettled(before);
  }

  #ruleOf({ policy, envelope }: CallSettings): Rule {
    if (policy !== "usual") return policy;
    return ruleFor(policy, (this.options?.if ?? envelope?.if) != null, this.decides);
  }

  /**
   * Settles a call with a daemon's reply, or judges it. If the rule is `first`, a reply that is not nil settles the
   * call without the other daemons' reports. This is the usual case.
   */
  #take(index: number, reply: PlainReply, sending: Sending, flags: ByteString, now: number): void {
    const call = this.calls[index] as PendingCall;
    if (!isOpen(call)) return;
    const { shape, settings } = call;
    const isFirst = this.#ruleOf(settings) === "first" && shape !== "outcomes";
    if (!isFirst || !isHit(reply) || sending.isOld(flags)) {
      this.#judge(index, now, false);
      return;
    }
    this.#settle(call);
    if (shape === "reply") call.resolve(reply);
    else if (shape !== "text") call.resolve(replyValue(reply, shape === "buffers", call));
    else call.resolve(valueText(replyValues(reply), settings.format));
  }

  #judgeAll(now: number, isDue: boolean): void {
    for (let index = 0; index < this.calls.length; index++) this.#judge(index, now, isDue);
  }

  #judge(index: number, now: number, isDue: boolean): void {
    const call = this.calls[index];
    if (call === undefined || !isOpen(call)) return;
    const isOver = now >= call.deadline;
    const reports = isOver ? this.#reports(index, now, "timeout") : this.#reports(index, now, null);

    const { shape, settings } = call;
    if (shape === "outcomes") {
      if (reports.includes(null)) return;
      this.#settle(call);
      const end = reports.map((report, at) => this.#afterEnd(report, at, call, now));
      call.resolve({ outcomes: this.#outcomes(call, end) });
      return;
    }

    const final = isOver || (isDue && now >= call.lingerUntil);
    const refusers = this.sendings.filter(({ hasRefusedDate }) => hasRefusedDate).length;
    const verdict = judge(this.#ruleOf(settings), reports, final, refusers);
    // A failure before the deadline counts only once every daemon was tried, or if a majority agrees on it.
    const mayChange = verdict.kind === "failed" && !final && this.#hasUntried && verdict.code !== "reply";
    if (verdict.kind === "wait" || mayChange) call.lingerUntil = Number.POSITIVE_INFINITY;
    else if (verdict.kind === "linger") {
      call.lingerUntil = Math.min(call.lingerUntil, now + MISS_LINGER_MS);
      if (call.lingerUntil < this.dueAt) this.dueAt = call.lingerUntil;
      this.#timer.wakeBy(call.lingerUntil);
    } else if (verdict.kind === "value") {
      this.#settle(call);
      call.resolve(resultOf(verdict.answer, shape, settings.format, call));
    } else if (verdict.kind === "failed") {
      const detail = verdict.code === "reply" ? failureText(replyError(reports), call, 0) : "";
      const end = this.#reports(index, now, isOver ? "timeout" : "not-awaited");
      this.#fail(
        call,
        verdict.code,
        detail,
        end.map((report, at) => this.#afterEnd(report, at, call, now)),
      );
    }
  }

  #fail(
    call: PendingCall,
    code: ErrorCode,
    detail: string,
    reports: readonly (Report | null)[],
    cause?: unknown,
  ): void {
    const outcomes = this.#outcomes(call, reports);
    this.#settle(call);
    const extra = { outcomes, isRead: this.isRead, command: callLabel(call), cause };
    call.reject(new DbsyncError(code, detail, extra));
  }

  /**
   * Returns the reports of all daemons on a call.
   * @param silent  the stage for daemons that have not answered, or null to return null for them
   */
  #reports(index: number, now: number, silent: SilentStage | null): (Report | null)[] {
    return this.sendings.map((sending) => {
      const report = sending.report(index);
      if (report !== null || silent === null) return report;
      const failure = sending.givenUp(index, silent, now);
      const detail = failure.stage === "timeout" && failure.written ? waitingReasons(this.options) : null;
      return detail === null ? failure : { ...failure, detail };
    });
  }

  /** Whether the envelope was not yet written to a daemon that may still receive it. */
  get #hasUntried(): boolean {
    // A sending that has just failed is still in its last state.
    return this.sendings.some(
      ({ isUnsent, writes, failure }) => failure === null && isUnsent && writes === 0,
    );
  }

  /**
   * Returns the reports of an aborted call, with null for the daemons that have not received it and will not. They
   * never receive an envelope that is not signed.
   */
  #withoutUnsent(reports: readonly (Report | null)[], call: PendingCall, now: number): (Report | null)[] {
    return reports.map((report, index) => {
      const isUnsigned = this.sendings[index]?.state === "waiting";
      const end = isUnsigned ? report : this.#afterEnd(report, index, call, now);
      return end?.ok || end?.written ? end : null;
    });
  }

  /**
   * Returns a daemon's report on a call that ends now. If the daemon may still receive the call, because the envelope
   * is sent for later calls or the deadline is not over, the call may still be applied.
   */
  #afterEnd(report: Report | null, index: number, call: PendingCall, now: number): Report | null {
    const sending = this.sendings[index] as Sending;
    if (report === null || report.ok || report.written || sending.isMissing) return report;
    if (report.stage !== "timeout" && report.stage !== "not-awaited") return report;
    return sending.mayReceive(call, now) ? { ...report, written: true } : report;
  }

  #outcomes(call: PendingCall, reports: readonly (Report | null)[]): Outcome[] {
    return reports.flatMap((report, index) => {
      if (report === null) return [];
      const { startedAt, shape, settings } = call;
      const address = (this.sendings[index] as Sending).address.text;
      return [outcomeOf(report, { address, startedAt, format: settings.format, shape, isRead: this.isRead })];
    });
  }

  #settle(call: PendingCall): void {
    call.isSettled = true;
    this.unsettled--;
  }

  /** Reports settled calls to the outbox, in one step. @param before  the number of unsettled calls before */
  #reportSettled(before: number): void {
    if (this.unsettled === 0 && before > 0) {
      this.isAnswered = true;
      this.#release();
    }
    if (this.unsettled < before) this.#settled(this, before - this.unsettled);
  }

  #end(sending: Sending, now: number): void {
    if (sending.state === "ended") return;
    sending.state = "ended";
    sending.endedAt = now;
    if (this.unsettled === 0) this.#release();
    this.#ended(sending);
  }

  /** Removes the calls that have settled. */
  #dropSettled(): void {
    this.calls = this.calls.filter(isOpen);
    this.units = this.calls.length;
    this.bytes = this.calls.reduce((bytes, { size }) => bytes + size, 0);
  }

  /** Frees the data that only the calls needed, so that a hung daemon does not keep it in memory. */
  #release(): void {
    for (const sending of this.sendings) sending.forgetReplies();
    const isNeeded = this.sendings.some(({ state, needsCalls }) => state !== "ended" && needsCalls);
    if (!isNeeded) this.calls = [];
  }
}

function isOpen(call: PendingCall): boolean {
  return !call.isSettled;
}
