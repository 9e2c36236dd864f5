/**
 * The connections to one daemon, and the queue before them.
 *
 * Order: a command whose call began after another call had settled is written only when that other one's
 * delivery here is over. So what a caller sends one after the other arrives one after the other at every
 * daemon, also at those whose answers it did not wait for; only what is sent at the same time travels on
 * several connections.
 *
 * Trouble: a daemon that is silent while others answer gets no further connections; what is sent to it waits
 * in the queue and is delivered when it wakes. One that cannot be reached is left alone for a while
 * (back-off.ts).
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Delivery } from "../calls/call.js";
import { BackOff } from "../shared/back-off.js";
import { BoundedQueue } from "../shared/bounded-queue.js";
import type { FrameTracer } from "../shared/debug.js";
import type { Environment } from "../shared/environment.js";
import type { Stage } from "../shared/errors.js";
import { CONNECT_MS, OVERDUE_MS, SLACK_MS, STALL_MS } from "../shared/link-times.js";
import type { Address } from "../shared/servers.js";
import { CloseHabit } from "./close-habit.js";
import { Connection, type ConnectionOwner, MAX_IDLE_MS } from "./connection.js";

/**
 * Commands in flight at once to one daemon; more callers wait their turn. The original daemon has 1,023 slots
 * in all.
 */
const MAX_CONNECTIONS = 16;

/** A daemon that closes after each answer does so at once; one that has not after this does not. */
const TRIAL_MS = 250;

const NOT_CONNECTED = "no answer to the attempt to connect";

/** What a pool asks of its client. */
export interface PoolOwner {
  /** Whether a daemon other than this pool's has answered anything after `time`. */
  othersAnsweredSince(pool: Pool, time: number): boolean;
}

export class Pool implements ConnectionOwner {
  readonly address: Address;
  lastAnswerAt = Number.NEGATIVE_INFINITY;

  readonly #environment: Environment;
  readonly #owner: PoolOwner;
  readonly #trace: FrameTracer | null;
  readonly #keepalive: boolean;
  readonly #closeHabit = new CloseHabit();
  readonly #queue = new BoundedQueue<Delivery>();
  readonly #backOff = new BackOff();
  readonly #connecting = new Set<Connection>();
  readonly #waiting = new Set<Connection>();
  readonly #overdue = new Set<Connection>();
  /** The one used last stands last and is used next, so that those not needed age at the front. */
  readonly #idle: Connection[] = [];
  /** Left open to see whether the daemon closes it, and not used meanwhile. */
  #onTrial: Connection | null = null;

  constructor(parts: {
    address: Address;
    environment: Environment;
    owner: PoolOwner;
    trace: FrameTracer | null;
    keepalive: boolean;
  }) {
    this.address = parts.address;
    this.#environment = parts.environment;
    this.#owner = parts.owner;
    this.#trace = parts.trace;
    this.#keepalive = parts.keepalive;
  }

  /** Whether nothing is on its way or waits. */
  get isEmpty(): boolean {
    return this.#waiting.size + this.#overdue.size + this.#queue.length === 0;
  }

  /** Whether a call would be refused without an attempt to connect. */
  isBackingOff(now: number): boolean {
    return this.#connected === 0 && this.#connecting.size === 0 && this.#backOff.refusal(now) !== null;
  }

  /**
   * Takes a delivery, which ends with a report now or later.
   * @param insist  try to connect even if the daemon is being left alone
   */
  offer(delivery: Delivery, now: number, insist: boolean): void {
    if (!insist && this.isBackingOff(now)) {
      const { stage, detail } = this.#backOff.failure ?? { stage: "connect", detail: "" };
      this.#fail(delivery, stage, detail, now);
      return;
    }
    this.#dropExpired(now);
    if (!this.#queue.hasRoomFor(delivery)) {
      this.#fail(delivery, "busy", "", now);
      return;
    }
    this.#queue.push(delivery);
    this.#pump(now);
  }

  /** What keeps a delivery from its answer. */
  reasonOfSilence({ writtenAt }: Delivery): { stage: Stage; detail: string } {
    if (writtenAt >= 0) return { stage: "timeout", detail: "" };
    if (this.#connected === 0) return { stage: "connect", detail: NOT_CONNECTED };
    return { stage: "timeout", detail: "never sent: it waited behind others" };
  }

  /** Does what has become due. */
  tick(now: number): void {
    for (const connection of this.#waiting) {
      if ((connection.delivery as Delivery).call.deadline > now) continue;
      this.#waiting.delete(connection);
      // With nobody else to answer, the next call deserves a fresh connection.
      const stays = this.#owner.othersAnsweredSince(this, connection.since - STALL_MS);
      if (stays) this.#overdue.add(connection);
      this.#fail((stays ? connection.letPass() : connection.close()) as Delivery, "timeout", "", now);
    }
    for (const connection of this.#overdue) {
      if (connection.since + OVERDUE_MS > now) continue;
      this.#overdue.delete(connection);
      connection.close();
    }
    for (const connection of this.#connecting) {
      if (connection.connectBy > now) continue;
      connection.close();
      this.lost(connection, null, "connect", NOT_CONNECTED);
    }
    while (this.#idle.length > 0 && (this.#idle[0] as Connection).since + MAX_IDLE_MS <= now) {
      (this.#idle.shift() as Connection).close();
    }
    if (this.#onTrial !== null && this.#onTrial.since + TRIAL_MS <= now) {
      this.#closeHabit.leftOpen();
      this.#idle.push(this.#onTrial);
      this.#onTrial = null;
    }
    this.#dropExpired(now);
    this.#pump(now);
  }

  /** When `tick` has something to do next, as far as is known now. */
  nextTick(): number {
    let time = (this.#queue.first?.call.deadline ?? Number.POSITIVE_INFINITY) + SLACK_MS;
    for (const connection of this.#waiting)
      time = Math.min(time, (connection.delivery as Delivery).call.deadline);
    for (const connection of this.#overdue) time = Math.min(time, connection.since + OVERDUE_MS);
    for (const connection of this.#connecting) time = Math.min(time, connection.connectBy);
    if (this.#idle.length > 0) time = Math.min(time, (this.#idle[0] as Connection).since + MAX_IDLE_MS);
    if (this.#onTrial !== null) time = Math.min(time, this.#onTrial.since + TRIAL_MS);
    return time;
  }

  /** Closes what would keep an otherwise idle process alive. Answers may still come on the rest. */
  letGo(now: number): void {
    for (const connection of [...this.#connecting, ...this.#waiting, ...this.#overdue]) {
      if (!connection.holdsProcess()) continue;
      this.#forget(connection);
      const delivery = connection.close();
      if (delivery !== null) this.#fail(delivery, "closed", "", now);
    }
    if (this.#connected === 0)
      for (const delivery of this.#queue.takeAll()) this.#fail(delivery, "closed", "", now);
  }

  close(now: number): void {
    const connections = [...this.#connecting, ...this.#waiting, ...this.#overdue, ...this.#idle];
    if (this.#onTrial !== null) connections.push(this.#onTrial);
    const deliveries = connections.flatMap((connection) => connection.close() ?? []);
    this.#connecting.clear();
    this.#waiting.clear();
    this.#overdue.clear();
    this.#idle.length = 0;
    this.#onTrial = null;
    for (const delivery of [...deliveries, ...this.#queue.takeAll()]) this.#fail(delivery, "closed", "", now);
  }

  opened(connection: Connection): void {
    this.#connecting.delete(connection);
    this.#idle.push(connection);
    this.#backOff.succeeded();
    this.#pump(connection.since);
  }

  answered(connection: Connection, delivery: Delivery | null, values: readonly ByteString[]): void {
    const now = this.#environment.now();
    this.#waiting.delete(connection);
    this.#overdue.delete(connection);
    this.#closeHabit.answered(connection.answers);
    if (!this.#keepalive || (this.#closeHabit.isKnown && this.#onTrial !== null)) connection.close();
    if (connection.state === "idle" && this.#closeHabit.isKnown) this.#onTrial = connection;
    else if (connection.state === "idle") this.#idle.push(connection);
    this.lastAnswerAt = now;
    delivery?.call.end(delivery, { ok: true, values, reply: null, flags: "", isForAll: false, at: now });
    this.#pump(now);
  }

  lost(connection: Connection, delivery: Delivery | null, stage: Stage, detail: string): void {
    const now = this.#environment.now();
    const wasConnecting = this.#connecting.has(connection);
    if (stage === "no-reason") this.#closeHabit.closed(connection.answers);
    this.#forget(connection);
    if (delivery !== null) this.#fail(delivery, stage, detail, now);
    if (wasConnecting) {
      const failedAt = stage === "dns" || stage === "tls" ? stage : "connect";
      this.#backOff.failed({ stage: failedAt, detail }, now, this.#environment.random());
      // With other connections at work the queue has a way out; without one it has none.
      if (this.#connected + this.#connecting.size === 0) {
        for (const waiting of this.#queue.takeAll()) this.#fail(waiting, failedAt, detail, now);
      }
    }
    this.#pump(now);
  }

  get #connected(): number {
    return this.#waiting.size + this.#overdue.size + this.#idle.length;
  }

  /** Writes what may be written, and connects for what has no connection. */
  #pump(now: number): void {
    for (;;) {
      this.#dropExpired(now);
      const delivery = this.#queue.first;
      if (delivery === undefined) return;
      if (!this.#mayWrite(delivery, now)) return;
      const connection = this.#takeIdle(now);
      if (connection === undefined) {
        this.#connect(delivery, now);
        return;
      }
      this.#queue.shift();
      this.#waiting.add(connection);
      connection.send(delivery, now);
    }
  }

  #mayWrite(delivery: Delivery, now: number): boolean {
    if (this.#overdue.size > 0) return false;
    if (this.#waiting.size === 0) return true;
    let oldest = now;
    for (const connection of this.#waiting) {
      if ((connection.delivery as Delivery).call.settledMoment < delivery.call.startedMoment) return false;
      oldest = Math.min(oldest, connection.since);
    }
    return now - oldest <= STALL_MS || !this.#owner.othersAnsweredSince(this, oldest);
  }

  #takeIdle(now: number): Connection | undefined {
    const connection = this.#idle.pop();
    if (connection === undefined || connection.since + MAX_IDLE_MS > now) return connection;
    // The one used last is too old, so all are.
    connection.close();
    for (const older of this.#idle.splice(0)) older.close();
    return undefined;
  }

  /** One attempt at a time until one has succeeded; then as many as the queue has use for. */
  #connect(delivery: Delivery, now: number): void {
    const attempts = this.#connecting.size;
    if (attempts > 0 && (this.#connected === 0 || attempts >= this.#queue.length)) return;
    if (attempts + this.#connected >= MAX_CONNECTIONS) return;
    if (this.#connected > 0 && this.#backOff.refusal(now) !== null) return;
    this.#connecting.add(
      new Connection({
        address: this.address,
        environment: this.#environment,
        owner: this,
        trace: this.#trace,
        now,
        connectBy: Math.max(delivery.call.deadline, now + CONNECT_MS),
      }),
    );
  }

  #forget(connection: Connection): void {
    this.#connecting.delete(connection);
    this.#waiting.delete(connection);
    this.#overdue.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (this.#onTrial === connection) this.#onTrial = null;
  }

  /** From the queue's head; what has expired further back is found when it gets there. */
  #dropExpired(now: number): void {
    for (
      let first = this.#queue.first;
      first !== undefined && first.call.deadline <= now;
      first = this.#queue.first
    ) {
      this.#queue.shift();
      const { stage, detail } = this.reasonOfSilence(first);
      this.#fail(first, stage, detail, now);
    }
  }

  #fail(delivery: Delivery, stage: Stage, detail: string, now: number): void {
    delivery.call.end(delivery, { ok: false, stage, detail, written: delivery.writtenAt >= 0, at: now });
  }
}
