/**
 * The connections to one daemon, and the queue for them.
 *
 * Order: if a call begins after another call has settled, its command is written only once the delivery of the earlier
 * call to this daemon has ended. Every daemon therefore receives a caller's sequential commands in order, even if the
 * caller did not wait for that daemon's answers. Only concurrent commands use several connections.
 *
 * Failures: the pool opens no further connections to a daemon that is silent while other daemons answer. Commands for
 * that daemon wait in the queue until it recovers. After a failed connection the pool waits before the next attempt
 * (back-off.ts).
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { unreadable } from "../../protocol/errors.js";
import { FrameParser } from "../../protocol/frame.js";
import { readResponsePayload } from "../../protocol/version-1/response-v1.js";
import { BackOff } from "../shared/back-off.js";
import { BoundedQueue } from "../shared/bounded-queue.js";
import type { ClientSocket, Environment, SocketError, SocketEvents } from "../shared/client-environment.js";
import { closeReason } from "../shared/close-reason.js";
import { CONNECT_MS, OVERDUE_MS, SLACK_MS, STALL_MS } from "../shared/connection-timeouts.js";
import type { Stage } from "../shared/errors.js";
import type { FrameTracer } from "../shared/frame-tracer.js";
import type { Address } from "../shared/server-list.js";
import { CloseDetection } from "./close-detection.js";
import type { Delivery } from "./delivery.js";

/**
 * The maximum number of commands in flight to one daemon; further calls wait. The original daemon has 1,023 slots in
 * total.
 */
const CONNECTIONS_MAX = 16;

/** A daemon that closes the connection after each answer closes it within this time. */
const TRIAL_MS = 250;

/**
 * The maximum idle time of a connection. The original daemon closes a connection after 3 s without a byte, and a
 * command written at that moment would be lost without an answer.
 */
const IDLE_MS_MAX = 2_500;

/**
 * The maximum length of a reply. A longer one is refused before any of it is stored, so that a hostile server cannot
 * exhaust the memory.
 */
const REPLY_BYTES_MAX = 64 * 1024 * 1024;

const NOT_CONNECTED = "the connection attempt was not answered";

export class Pool {
  readonly address: Address;
  lastAnswerAt = Number.NEGATIVE_INFINITY;

  readonly #environment: Environment;
  /** All pools of the client, including this one. */
  readonly #pools: readonly Pool[];
  readonly #trace: FrameTracer | null;
  readonly #keepalive: boolean;
  readonly #closeDetection = new CloseDetection();
  readonly #queue = new BoundedQueue<Delivery>();
  readonly #backOff = new BackOff();
  readonly #connecting = new Set<Connection>();
  readonly #waiting = new Set<Connection>();
  readonly #overdue = new Set<Connection>();
  /**
   * The idle connections. The most recently used one is last and is used next, so that unneeded ones expire at the
   * front.
   */
  readonly #idle: Connection[] = [];
  /** The connection that stays open and unused to detect whether the daemon closes it. */
  #observed: Connection | null = null;

  constructor(parts: {
    address: Address;
    environment: Environment;
    /** All pools of the client, including this one. */
    pools: readonly Pool[];
    trace: FrameTracer | null;
    keepalive: boolean;
  }) {
    this.address = parts.address;
    this.#environment = parts.environment;
    this.#pools = parts.pools;
    this.#trace = parts.trace;
    this.#keepalive = parts.keepalive;
  }

  /** Whether no delivery is in flight or queued. */
  get isEmpty(): boolean {
    return this.#waiting.size + this.#overdue.size + this.#queue.length === 0;
  }

  /** Whether a call would be refused without an attempt to connect. */
  isBackingOff(now: number): boolean {
    return this.#connected === 0 && this.#connecting.size === 0 && this.#backOff.refusal(now) !== null;
  }

  /**
   * Accepts a delivery. It ends with a report, now or later.
   * @param insist  try to connect even during the back-off
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

  /** Returns the reason why a delivery has no answer. */
  reasonOfSilence({ writtenAt }: Delivery): { stage: Stage; detail: string } {
    if (writtenAt >= 0) return { stage: "timeout", detail: "" };
    if (this.#connected === 0) return { stage: "connect", detail: NOT_CONNECTED };
    return { stage: "timeout", detail: "never sent: other calls were ahead of it" };
  }

  /** Handles all timeouts that have expired. */
  tick(now: number): void {
    for (const connection of this.#waiting) {
      if ((connection.delivery as Delivery).call.deadline > now) continue;
      this.#waiting.delete(connection);
      // If no other daemon has answered either, this machine's network may have failed: close the connection, so that
      // the next call opens a new one.
      const stays = this.#othersAnsweredSince(connection.since - STALL_MS);
      if (stays) this.#overdue.add(connection);
      this.#fail((stays ? connection.markOverdue() : connection.close()) as Delivery, "timeout", "", now);
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
    while (this.#idle.length > 0 && (this.#idle[0] as Connection).since + IDLE_MS_MAX <= now) {
      (this.#idle.shift() as Connection).close();
    }
    if (this.#observed !== null && this.#observed.since + TRIAL_MS <= now) {
      this.#closeDetection.stayedOpen();
      this.#idle.push(this.#observed);
      this.#observed = null;
    }
    this.#dropExpired(now);
    this.#pump(now);
  }

  /** Returns the time at which `tick` must be called next. Later events may make an earlier call necessary. */
  nextTick(): number {
    let time = (this.#queue.first?.call.deadline ?? Number.POSITIVE_INFINITY) + SLACK_MS;
    for (const connection of this.#waiting)
      time = Math.min(time, (connection.delivery as Delivery).call.deadline);
    for (const connection of this.#overdue) time = Math.min(time, connection.since + OVERDUE_MS);
    for (const connection of this.#connecting) time = Math.min(time, connection.connectBy);
    if (this.#idle.length > 0) time = Math.min(time, (this.#idle[0] as Connection).since + IDLE_MS_MAX);
    if (this.#observed !== null) time = Math.min(time, this.#observed.since + TRIAL_MS);
    return time;
  }

  /**
   * Closes connections that would keep an otherwise idle process alive. All other connections may still receive
   * answers.
   */
  releaseProcess(now: number): void {
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
    if (this.#observed !== null) connections.push(this.#observed);
    const deliveries = connections.flatMap((connection) => connection.close() ?? []);
    this.#connecting.clear();
    this.#waiting.clear();
    this.#overdue.clear();
    this.#idle.length = 0;
    this.#observed = null;
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
    this.#closeDetection.answered(connection.answers);
    if (!this.#keepalive || (this.#closeDetection.isKnown && this.#observed !== null)) connection.close();
    if (connection.state === "idle" && this.#closeDetection.isKnown) this.#observed = connection;
    else if (connection.state === "idle") this.#idle.push(connection);
    this.lastAnswerAt = now;
    delivery?.call.end(delivery, { ok: true, values, reply: null, flags: "", isForAll: false, at: now });
    this.#pump(now);
  }

  lost(connection: Connection, delivery: Delivery | null, stage: Stage, detail: string): void {
    const now = this.#environment.now();
    const wasConnecting = this.#connecting.has(connection);
    if (stage === "no-reason") this.#closeDetection.closed(connection.answers);
    this.#forget(connection);
    if (delivery !== null) this.#fail(delivery, stage, detail, now);
    if (wasConnecting) {
      const failedAt = stage === "dns" || stage === "tls" ? stage : "connect";
      this.#backOff.failed({ stage: failedAt, detail }, now, this.#environment.random());
      // If another connection is open or being opened, it can still write the queued deliveries; otherwise they fail.
      if (this.#connected + this.#connecting.size === 0) {
        for (const waiting of this.#queue.takeAll()) this.#fail(waiting, failedAt, detail, now);
      }
    }
    this.#pump(now);
  }

  get #connected(): number {
    return this.#waiting.size + this.#overdue.size + this.#idle.length;
  }

  /** Writes the deliveries that may be written now, and connects if there is no idle connection. */
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

  /** Whether another daemon has answered since `time`. */
  #othersAnsweredSince(time: number): boolean {
    return this.#pools.some((other) => other !== this && other.lastAnswerAt > time);
  }

  #mayWrite(delivery: Delivery, now: number): boolean {
    if (this.#overdue.size > 0) return false;
    if (this.#waiting.size === 0) return true;
    let oldest = now;
    for (const connection of this.#waiting) {
      if ((connection.delivery as Delivery).call.settleSequence < delivery.call.startSequence) return false;
      oldest = Math.min(oldest, connection.since);
    }
    return now - oldest <= STALL_MS || !this.#othersAnsweredSince(oldest);
  }

  #takeIdle(now: number): Connection | undefined {
    const connection = this.#idle.pop();
    if (connection === undefined || connection.since + IDLE_MS_MAX > now) return connection;
    // If the most recently used connection is too old, all idle connections are too old.
    connection.close();
    for (const older of this.#idle.splice(0)) older.close();
    return undefined;
  }

  /** Begins to connect: one attempt at a time until one has succeeded, then as many as the queue needs. */
  #connect(delivery: Delivery, now: number): void {
    const attempts = this.#connecting.size;
    if (attempts > 0 && (this.#connected === 0 || attempts >= this.#queue.length)) return;
    if (attempts + this.#connected >= CONNECTIONS_MAX) return;
    if (this.#connected > 0 && this.#backOff.refusal(now) !== null) return;
    this.#connecting.add(
      new Connection({
        address: this.address,
        environment: this.#environment,
        pool: this,
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
    if (this.#observed === connection) this.#observed = null;
  }

  /** Removes expired deliveries from the head of the queue. Later ones are removed when they reach the head. */
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

/**
 * One version 1 connection. It implements that version's rules: one request is in flight at a time, the next frame is
 * its answer, and bytes are never sent twice.
 *
 *   connecting ──opened──► idle ──send──► waiting ──answer──► idle
 *        │                   │               └──timeout──► overdue ──answer──► idle
 *        └───────────────────┴───────────────┴───────────────┴──closed, garbage, close()──► closed
 *
 * Source: test/vectors/php-dbsync/README.md "Connections, timeouts, limits".
 */
class Connection implements SocketEvents {
  state: "connecting" | "idle" | "waiting" | "overdue" | "closed" = "connecting";
  /** The delivery that is waiting for its answer; null unless the state is `waiting`. */
  delivery: Delivery | null = null;
  /** The number of answers that have arrived on this connection. */
  answers = 0;
  /** The time of the last change of `state`. */
  since: number;
  /** The deadline of the attempt to connect. */
  readonly connectBy: number;

  readonly #address: Address;
  readonly #environment: Environment;
  readonly #pool: Pool;
  readonly #trace: FrameTracer | null;
  readonly #socket: ClientSocket;
  readonly #parser = new FrameParser(REPLY_BYTES_MAX);

  constructor(parts: {
    address: Address;
    environment: Environment;
    pool: Pool;
    trace: FrameTracer | null;
    now: number;
    connectBy: number;
  }) {
    this.#address = parts.address;
    this.#environment = parts.environment;
    this.#pool = parts.pool;
    this.#trace = parts.trace;
    this.since = parts.now;
    this.connectBy = parts.connectBy;
    this.#socket = this.#environment.openSocket(parts.address, this);
  }

  /** Writes a delivery's frame. The connection must be idle. */
  send(delivery: Delivery, now: number): void {
    this.state = "waiting";
    this.since = delivery.writtenAt = now;
    this.delivery = delivery;
    this.#trace?.(this.#address.text, "sent", delivery.call.frame);
    this.#socket.write(delivery.call.frame);
  }

  /**
   * Stops waiting for an answer after its timeout. If the answer arrives later, it still shows that the daemon is
   * alive. The caller ends the delivery.
   */
  markOverdue(): Delivery {
    const delivery = this.delivery as Delivery;
    this.delivery = null;
    this.state = "overdue";
    return delivery;
  }

  /** Closes immediately, without notifying the pool. The caller ends the delivery that was waiting, if any. */
  close(): Delivery | null {
    const delivery = this.delivery;
    this.delivery = null;
    if (this.state !== "closed") {
      this.state = "closed";
      this.#socket.destroy();
    }
    return delivery;
  }

  /** Whether the connection would keep the process alive, because it is not established yet or has unsent bytes. */
  holdsProcess(): boolean {
    return this.state === "connecting" || (this.state !== "closed" && this.#socket.unsentBytes() > 0);
  }

  opened(): void {
    this.state = "idle";
    this.since = this.#environment.now();
    this.#pool.opened(this);
  }

  received(chunk: Buffer): void {
    this.#trace?.(this.#address.text, "received", chunk);
    let payloads: Buffer[];
    let values: ByteString[] | null;
    try {
      payloads = this.#parser.split(chunk);
      values = payloads[0] === undefined || this.state === "idle" ? null : readResponsePayload(payloads[0]);
    } catch (error) {
      this.#lose("garbage", unreadable(error));
      return;
    }
    const delivery = this.delivery;
    if (this.state === "idle") {
      this.#lose("garbage", "bytes without a request");
      return;
    }
    if (values === null) {
      if (this.#parser.malformed !== null) this.#lose("garbage", this.#parser.malformed.message);
      return;
    }
    this.answers++;
    this.delivery = null;
    this.state = "idle";
    this.since = this.#environment.now();
    // Bytes after an answer belong to no request, so the stream cannot be trusted with another one.
    if (payloads.length > 1 || this.#parser.isMidRequest || this.#parser.malformed !== null) this.close();
    this.#pool.answered(this, delivery, values);
  }

  closed(error: SocketError | null): void {
    const isConnecting = this.state === "connecting";
    const open = error?.syscall === "write" ? "send" : "no-reason";
    const { stage, detail } = closeReason(error, isConnecting ? null : open);
    if (!isConnecting && error?.stage === undefined && this.#parser.isMidRequest)
      this.#lose("garbage", "closed in the middle of an answer");
    else this.#lose(stage, detail);
  }

  #lose(stage: Stage, detail: string): void {
    this.#pool.lost(this, this.close(), stage, detail);
  }
}
