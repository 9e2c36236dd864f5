/**
 * One call: a signed frame on its way to several daemons, and the promise that is kept exactly once, by its
 * deadline. A `Delivery` is its way to one of them; it outlives the promise, because every daemon is to get
 * the command.
 */

import type { CallSettings } from "../settings/call-options.js";
import type { Alarm } from "../shared/alarm.js";
import type { CommandInput } from "../shared/command.js";
import { DbsyncError, type Outcome, type Stage } from "../shared/errors.js";
import { MISS_LINGER_MS } from "../shared/link-times.js";
import { outcomeOf, type Report } from "../shared/outcome.js";
import { judge, ruleFor } from "../shared/policy.js";
import { resultOf, type Waiter } from "../shared/reply-value.js";
import type { Address } from "../shared/servers.js";
import { toldCommand } from "../shared/told-command.js";
import { publishDelivery } from "./channels.js";

/** Whose delivery it is, and what the way to a daemon needs to know of it. Moments: see CallOwner. */
export interface Sender {
  readonly frame: Buffer;
  readonly deadline: number;
  readonly startedMoment: number;
  readonly settledMoment: number;
  /** Takes one daemon's report. The end of a delivery: called exactly once for each. */
  end(delivery: Delivery, report: Report): void;
}

/**
 * The way of a call to one daemon. `report` is set once, by whoever knows first: the connection, the queue,
 * the clock.
 */
export interface Delivery {
  readonly call: Sender;
  readonly address: Address;
  /** Of the frame. */
  readonly bytes: number;
  /** Clock time, or -1 until its bytes are handed to a socket. From then on they are never sent again. */
  writtenAt: number;
  report: Report | null;
}

/** Whom a call tells. */
export interface CallOwner {
  /** A number greater than any it gave before: the order in which calls begin and settle. */
  nextMoment(): number;
  settledCall(call: Call): void;
  /** Nothing is left to do for so many of its deliveries. */
  ended(deliveries: number): void;
  /** What kept a delivery from its answer until the deadline. */
  reasonOfSilence(delivery: Delivery): { readonly stage: Stage; readonly detail: string };
}

export class Call implements Sender {
  readonly deliveries: readonly Delivery[];
  readonly frame: Buffer;
  readonly startedAt: number;
  readonly deadline: number;
  /** Moments, not times: see CallOwner. A call that has not settled is settled later than everything. */
  readonly startedMoment: number;
  settledMoment = Number.POSITIVE_INFINITY;
  /** When `judgeNow` is due: the deadline, or the end of the linger after a miss. */
  dueAt: number;

  readonly #owner: CallOwner;
  readonly #alarm: Alarm;
  readonly #settings: CallSettings;
  readonly #waiter: Waiter;
  readonly #isRead: boolean;
  /** For errors. */
  readonly #command: CommandInput;

  constructor(parts: {
    owner: CallOwner;
    /** Rung where a call has to be judged before its deadline. */
    alarm: Alarm;
    settings: CallSettings;
    waiter: Waiter;
    frame: Buffer;
    isRead: boolean;
    command: CommandInput;
    addresses: readonly Address[];
    now: number;
  }) {
    this.#owner = parts.owner;
    this.#alarm = parts.alarm;
    this.#settings = parts.settings;
    this.#waiter = parts.waiter;
    this.#isRead = parts.isRead;
    this.#command = parts.command;
    this.frame = parts.frame;
    this.startedAt = parts.now;
    this.deadline = this.dueAt = parts.now + parts.settings.timeout;
    this.startedMoment = parts.owner.nextMoment();
    this.deliveries = parts.addresses.map((address) => ({
      call: this,
      address,
      bytes: parts.frame.length,
      writtenAt: -1,
      report: null,
    }));
  }

  get isSettled(): boolean {
    return this.settledMoment !== Number.POSITIVE_INFINITY;
  }

  end(delivery: Delivery, report: Report): void {
    delivery.report ??= report;
    publishDelivery(delivery);
    if (!this.isSettled) this.#judge(report.at, false);
    this.#owner.ended(1);
  }

  /** Decides on what has come so far; at the deadline those that are silent have timed out. */
  judgeNow(now: number): void {
    if (this.isSettled) return;
    if (now >= this.deadline) this.#giveUp((delivery) => this.#owner.reasonOfSilence(delivery), now);
    this.#judge(now, true);
  }

  /** Ends the call because its client ends; deliveries are ended by their pools. */
  cutOff(code: "closed" | "reset", now: number): void {
    if (this.isSettled) return;
    this.#giveUp(() => ({ stage: "closed", detail: code === "reset" ? "reset" : "" }), now);
    this.#settle();
    this.#waiter.reject(new DbsyncError(code, "", this.#told));
  }

  /** For an error. */
  get #told() {
    return { outcomes: this.#outcomes(), isRead: this.#isRead, command: toldCommand(this.#command) };
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
      this.#waiter.reject(new DbsyncError(verdict.code, "", this.#told));
    }
  }

  #settle(): void {
    this.settledMoment = this.#owner.nextMoment();
    this.#owner.settledCall(this);
  }

  /** Only when every report is there. */
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
