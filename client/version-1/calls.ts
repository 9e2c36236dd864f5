/**
 * One call: a signed frame for several daemons, and a promise that settles exactly once, by its deadline. A `Delivery`
 * sends the call to one of them. A delivery may outlive the promise, because every daemon should receive the command.
 */

import type { CallsOwner } from "../calls/calls-owner.js";
import { publishDelivery } from "../calls/diagnostics-channels.js";
import type { CallSettings } from "../settings/call-options.js";
import type { Environment } from "../shared/client-environment.js";
import type { CommandInput } from "../shared/command-input.js";
import { commandLabel } from "../shared/command-labels.js";
import { MISS_LINGER_MS } from "../shared/connection-timeouts.js";
import type { Alarm } from "../shared/deadline-timer.js";
import { DbsyncError, type Outcome, type Stage } from "../shared/errors.js";
import type { FrameTracer } from "../shared/frame-tracer.js";
import { outcomeOf, type Report } from "../shared/outcome.js";
import { judge, ruleFor } from "../shared/policy.js";
import { resultOf, type Waiter } from "../shared/reply-value.js";
import type { Address } from "../shared/server-list.js";
import { Pool } from "./connection-pool.js";
import type { Delivery, Sender } from "./delivery.js";

export class Call implements Sender {
  readonly deliveries: readonly Delivery[];
  readonly frame: Buffer;
  readonly startedAt: number;
  readonly deadline: number;
  /** The sequence numbers of the start and the end, from CallsOwner.nextSequence; infinity if the call has not settled. */
  readonly startSequence: number;
  settleSequence = Number.POSITIVE_INFINITY;
  /** The time at which `judgeNow` must be called: the deadline, or the end of the wait after a miss. */
  dueAt: number;

  readonly #calls: Version1Calls;
  readonly #alarm: Alarm;
  readonly #settings: CallSettings;
  readonly #waiter: Waiter;
  readonly #isRead: boolean;
  /** The command, for errors. */
  readonly #command: CommandInput;

  constructor(parts: {
    calls: Version1Calls;
    /** Rings when the call must be judged, which may be before its deadline. */
    alarm: Alarm;
    settings: CallSettings;
    waiter: Waiter;
    frame: Buffer;
    isRead: boolean;
    command: CommandInput;
    addresses: readonly Address[];
    now: number;
  }) {
    this.#calls = parts.calls;
    this.#alarm = parts.alarm;
    this.#settings = parts.settings;
    this.#waiter = parts.waiter;
    this.#isRead = parts.isRead;
    this.#command = parts.command;
    this.frame = parts.frame;
    this.startedAt = parts.now;
    this.deadline = this.dueAt = parts.now + parts.settings.timeout;
    this.startSequence = parts.calls.nextSequence();
    this.deliveries = parts.addresses.map((address) => ({
      call: this,
      address,
      bytes: parts.frame.length,
      writtenAt: -1,
      report: null,
    }));
  }

  get isSettled(): boolean {
    return this.settleSequence !== Number.POSITIVE_INFINITY;
  }

  end(delivery: Delivery, report: Report): void {
    delivery.report ??= report;
    publishDelivery(delivery);
    if (!this.isSettled) this.#judge(report.at, false);
    this.#calls.ended();
  }

  /**
   * Settles the call with the answers received so far. At the deadline, servers that have not answered count as timed
   * out.
   */
  judgeNow(now: number): void {
    if (this.isSettled) return;
    if (now >= this.deadline) this.#giveUp((delivery) => this.#calls.reasonOfSilence(delivery), now);
    this.#judge(now, true);
  }

  /** Ends the call because its client closes. The pools end its deliveries. */
  abort(code: "closed" | "reset", now: number): void {
    if (this.isSettled) return;
    this.#giveUp(() => ({ stage: "closed", detail: code === "reset" ? "reset" : "" }), now);
    this.#settle();
    this.#waiter.reject(new DbsyncError(code, "", this.#details));
  }

  /** The details for an error of this call. */
  get #details() {
    return { outcomes: this.#outcomes(), isRead: this.#isRead, command: commandLabel(this.#command) };
  }

  #giveUp(reasonOf: (delivery: Delivery) => { stage: Stage; detail: string }, now: number): void {
    for (const delivery of this.deliveries) {
      delivery.report ??= { ok: false, ...reasonOf(delivery), written: delivery.writtenAt >= 0, at: now };
    }
  }

  #judge(now: number, final: boolean): void {
    if (this.#waiter.shape === "outcomes") {
      if (!this.deliveries.every((delivery) => delivery.report !== null)) return;
      this.#settle();
      this.#waiter.resolve({ outcomes: this.#outcomes() });
      return;
    }
    const verdict = judge(ruleFor(this.#settings.policy, false), this.deliveries.map(reportOf), final);
    if (verdict.kind === "linger") {
      this.dueAt = Math.min(this.dueAt, now + MISS_LINGER_MS);
      this.#alarm.ringBy(this.dueAt);
    } else if (verdict.kind === "value") {
      this.#settle();
      this.#waiter.resolve(resultOf(verdict.answer, this.#waiter.shape, this.#settings.format, null));
    } else if (verdict.kind === "failed") {
      this.#settle();
      this.#waiter.reject(new DbsyncError(verdict.code, "", this.#details));
    }
  }

  #settle(): void {
    this.settleSequence = this.#calls.nextSequence();
    this.#calls.settled(this);
  }

  /** Returns the outcomes. Every delivery must have a report. */
  #outcomes(): Outcome[] {
    const { format } = this.#settings;
    const of = { startedAt: this.startedAt, format, shape: this.#waiter.shape, isRead: this.#isRead };
    return this.deliveries.map(({ report, address }) =>
      outcomeOf(report as Report, { ...of, address: address.text }),
    );
  }
}

function reportOf(delivery: Delivery): Report | null {
  return delivery.report;
}

/** A client's calls in version 1, and the pools of connections to its daemons. */
export class Version1Calls {
  /** The connection pools, one for each address. */
  readonly pools: readonly Pool[];
  readonly #owner: CallsOwner;
  readonly #alarm: Alarm;
  readonly #addresses: readonly Address[];
  /** The calls that have not settled. */
  readonly #calls = new Set<Call>();

  constructor(parts: {
    owner: CallsOwner;
    alarm: Alarm;
    environment: Environment;
    addresses: readonly Address[];
    keepalive: boolean;
    trace: FrameTracer | null;
  }) {
    this.#owner = parts.owner;
    this.#alarm = parts.alarm;
    this.#addresses = parts.addresses;
    const { environment, trace, keepalive } = parts;
    const pools: Pool[] = [];
    for (const address of parts.addresses)
      pools.push(new Pool({ address, environment, pools, trace, keepalive }));
    this.pools = pools;
  }

  /** Sends a signed frame to every daemon. */
  start(
    call: { settings: CallSettings; waiter: Waiter; frame: Buffer; isRead: boolean; command: CommandInput },
    now: number,
  ): void {
    const started = new Call({ ...call, calls: this, alarm: this.#alarm, addresses: this.#addresses, now });
    this.#calls.add(started);
    this.#owner.started(started.deliveries.length);
    // If no daemon is reachable, the client tries each of them, because the user may have just started one.
    const insist = this.pools.every((pool) => pool.isBackingOff(now));
    for (const [index, pool] of this.pools.entries())
      pool.offer(started.deliveries[index] as Delivery, now, insist);
  }

  tick(now: number): void {
    for (const call of this.#calls) if (call.dueAt <= now) call.judgeNow(now);
    for (const pool of this.pools) pool.tick(now);
  }

  /** Returns the time at which `tick` must be called next. Later events may make an earlier call necessary. */
  nextTick(): number {
    let time = Number.POSITIVE_INFINITY;
    for (const call of this.#calls) time = Math.min(time, call.dueAt);
    for (const pool of this.pools) time = Math.min(time, pool.nextTick());
    return time;
  }

  /** Closes connections that would keep an otherwise idle process alive. */
  releaseProcess(now: number): void {
    for (const pool of this.pools) pool.releaseProcess(now);
  }

  close(code: "closed" | "reset", now: number): void {
    for (const call of this.#calls) call.abort(code, now);
    for (const pool of this.pools) pool.close(now);
  }

  nextSequence(): number {
    return this.#owner.nextSequence();
  }

  settled(call: Call): void {
    this.#calls.delete(call);
    this.#owner.settled(1);
  }

  /** Counts the end of a delivery. */
  ended(): void {
    this.#owner.ended(1);
  }

  /** Returns the reason why a delivery has no answer. */
  reasonOfSilence(delivery: Delivery): { readonly stage: Stage; readonly detail: string } {
    const pool = this.pools[this.#addresses.indexOf(delivery.address)] as Pool;
    return pool.reasonOfSilence(delivery);
  }
}
