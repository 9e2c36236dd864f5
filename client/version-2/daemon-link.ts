/**
 * The link to one daemon in version 2: a connection, the envelopes that wait for its answer, and a queue. After the
 * loss of a connection, its unanswered envelopes are written again with the same bytes, and the daemon applies them
 * once. If the daemon closes the connection after the hello, its legacy link takes over. Source: docs/protocol-v2.md
 * "hello", "Retrying".
 */

import type { ByteString } from "../../protocol/byte-string.js";
import {
  type DaemonMessage,
  type Hello,
  KNOWS_DECISIONS,
  KNOWS_TRACE,
  type RefusedMessage,
  type ResultMessage,
  readDaemonMessage,
  tracedFrame,
} from "../../protocol/version-2/messages-v2.js";
import { publishVersion } from "../calls/diagnostics-channels.js";
import { InFlightEnvelopes, type Sending } from "../calls/sending.js";
import { BoundedQueue } from "../shared/bounded-queue.js";
import type { Environment } from "../shared/client-environment.js";
import {
  Backoff,
  CONNECT_MS,
  DRAIN_MS,
  FOREIGN_RETRY_MS,
  IDLE_MS,
  OVERDUE_MS,
  STALL_MS,
  WRITES_MAX,
} from "../shared/connections.js";
import type { DeadlineTimer } from "../shared/deadline-timer.js";
import type { Stage } from "../shared/errors.js";
import type { FrameTracer } from "../shared/frame-tracer.js";
import type { Failure } from "../shared/outcome.js";
import type { Address, Versions } from "../shared/server-list.js";
import type { LegacyLink } from "../version-1/legacy-link.js";
import type { ClientClock } from "./client-clock.js";
import { ConnectionV2, type ConnectionV2Owner } from "./connection-v2.js";
import type { ConsistencySession } from "./consistency-session.js";
import { clusterOrNoKey, disagreement, isSigningMismatch } from "./signing-terms.js";

/**
 * The callbacks for events that concern all daemons. The fleet handles them; it imports this file, so a reference to
 * its class would be a cycle.
 */
export interface LinkHandlers {
  /** Returns the cluster that commands are for, or "" if it is not known yet. */
  cluster(): ByteString;
  /** Called for each answer to a hello. */
  greeted(link: DaemonLink, cluster: ByteString, now: number): void;
  /** Called with the queued sendings when the legacy link has been turned on. */
  turnedLegacy(legacy: LegacyLink, sendings: readonly Sending[], now: number): void;
  /** Called when a daemon has refused an envelope, which may be signed again. */
  refused(link: DaemonLink, sending: Sending, message: RefusedMessage, now: number): void;
  /** Called for an answer to a read by a daemon that may not have the client's writes. */
  notProven(sending: Sending, now: number): void;
  /** Called when an attempt to connect has failed. */
  connectionFailed(now: number): void;
}

export class DaemonLink implements ConnectionV2Owner {
  readonly address: Address;
  /** The link to the same daemon in version 1, or null if the client may not speak it. */
  readonly legacy: LegacyLink | null;
  /** Whether the daemon belongs to another cluster, and therefore receives no commands. */
  isForeign = false;
  lastAnswerAt = Number.NEGATIVE_INFINITY;
  /** Whether the daemon has ever announced that members decide on units with conditions. */
  isDeciding = false;
  readonly #handlers: LinkHandlers;
  /** The links of the client. */
  readonly #all: readonly DaemonLink[];
  readonly #clock: ClientClock;
  readonly #session: ConsistencySession;
  readonly #environment: Environment;
  readonly #timer: DeadlineTimer;
  readonly #settings: FleetSettings;
  /** Whether the user has stated that the daemon speaks version 2. */
  readonly #isOnly2: boolean;
  readonly isSigned: boolean;
  readonly #trace: FrameTracer | null;
  readonly #backoff = new Backoff();
  readonly #queue = new BoundedQueue<Sending>();
  readonly #inFlight = new InFlightEnvelopes();
  #connection: ConnectionV2 | null = null;
  /** Whether the daemon has answered a hello. */
  #hasSpoken = false;
  /** Whether the daemon has peers, according to its hello. */
  #hasPeers = false;
  /** Whether the daemon has closed the connection after the last hello. It may just have stopped. */
  #isUncertain = false;
  /** The time of the last read or write. */
  #activeAt = 0;
  /** The time of a further hello that the daemon has not answered yet, or -1. */
  #greetedAgainAt = -1;
  #greetedAt = Number.NEGATIVE_INFINITY;
  /** A refusal that applies to the entire connection. */
  #connectionRefusal = "";
  /** Whether the daemon has announced on this connection that it accepts trace contexts. */
  #takesTrace = false;

  constructor(parts: {
    handlers: LinkHandlers;
    all: readonly DaemonLink[];
    clock: ClientClock;
    session: ConsistencySession;
    environment: Environment;
    timer: DeadlineTimer;
    settings: FleetSettings;
    address: Address;
    legacy: LegacyLink | null;
    isSigned: boolean;
    trace: FrameTracer | null;
  }) {
    this.#handlers = parts.handlers;
    this.#all = parts.all;
    this.#clock = parts.clock;
    this.#session = parts.session;
    this.#environment = parts.environment;
    this.#timer = parts.timer;
    this.#settings = parts.settings;
    this.address = parts.address;
    this.legacy = parts.legacy;
    this.isSigned = parts.isSigned;
    this.#trace = parts.trace;
    this.#isOnly2 = (parts.address.versions ?? parts.settings.versions) === "2";
  }

  get state(): ConnectionV2["state"] {
    return this.#connection?.state ?? "closed";
  }

  /** Whether the daemon receives its calls on the legacy link. */
  get isLegacy(): boolean {
    return this.legacy?.isOn === true;
  }

  get cluster(): string {
    return this.isSigned ? this.#handlers.cluster() : "";
  }

  get others(): number {
    return this.#settings.addresses.length - 1;
  }

  /** Whether a sending would be refused without an attempt to connect. */
  isBackingOff(now: number): boolean {
    return this.state === "closed" && this.#backoff.refusal(now) !== null;
  }

  /** The time of the next attempt to connect. */
  get nextAttempt(): number {
    return this.#backoff.until;
  }

  /** Returns the last failure to connect, as the failure of a sending. */
  failure(now: number): Failure {
    const { stage, detail } = this.#backoff.failure ?? { stage: "connect", detail: "" };
    return { ok: false, stage, detail, written: false, at: now };
  }

  /** Connects, unless the link is already connected. @param insist  connect even during the backoff */
  ensureConnected(now: number, insist: boolean): void {
    if (this.state !== "closed") return;
    if (insist || this.#backoff.refusal(now) === null) this.#connect(now);
  }

  /** Whether another hello has not been answered yet. */
  get isGreetingAgain(): boolean {
    return this.#greetedAgainAt >= 0;
  }

  /** Queries the daemon's cluster again. If the daemon is not connected, the next hello queries the cluster. */
  greetAgain(now: number): void {
    if (this.state !== "speaking" || this.isGreetingAgain) return;
    this.#greetedAgainAt = now;
    this.#activeAt = now;
    this.#connection?.greet();
    this.#timer.wakeBy(now + CONNECT_MS);
  }

  /** Accepts a sending, which ends now or later. */
  offer(sending: Sending, now: number, insist: boolean): void {
    const isSettled = (this.state === "speaking" || this.state === "closed") && !this.isGreetingAgain;
    if (this.isForeign && isSettled && now < this.#greetedAt + FOREIGN_RETRY_MS)
      this.#fail(sending, "wrong-cluster", "", now);
    else if (!insist && !this.#settings.isPatient && this.isBackingOff(now))
      this.#end(sending, { ...this.failure(now), written: sending.writes > 0 });
    else if (!this.#queue.hasRoomFor(sending)) this.#fail(sending, "busy", "", now);
    else {
      sending.state = "queued";
      this.#queue.push(sending);
      if (this.state === "closed") this.ensureConnected(now, insist);
      else {
        if (this.isForeign) this.greetAgain(now);
        this.#pump(now);
      }
    }
  }

  /** Removes a sending from the queue. */
  withdraw(sending: Sending): void {
    this.#queue.takeWhere((other) => other === sending);
  }

  tick(now: number): void {
    const { state } = this;
    const since = this.#connection?.since ?? now;
    if (state === "connecting" && now >= since + CONNECT_MS)
      this.disconnected("connect", "the connection attempt was not answered", now);
    else if (state === "greeting" && now >= since + CONNECT_MS)
      this.#lose("timeout", "connected, but the hello was not answered", now);
    else if (this.isGreetingAgain && now >= this.#greetedAgainAt + CONNECT_MS)
      this.#lose("lost", "another hello was not answered", now);
    else if (this.#isIdle && now >= this.#activeAt + IDLE_MS) this.#drop();

    this.#expire(now);
    if (this.#queue.length > 0) this.ensureConnected(now, false);
    this.#pump(now);
  }

  /** Returns the time at which `tick` must be called next. Later events may make an earlier call necessary. */
  nextTick(): number {
    let time = Number.POSITIVE_INFINITY;
    if (this.#connection !== null && this.state !== "speaking") time = this.#connection.since + CONNECT_MS;
    else if (this.isGreetingAgain) time = this.#greetedAgainAt + CONNECT_MS;
    else if (this.#isIdle) time = this.#activeAt + IDLE_MS;
    if (this.state === "closed" && this.#queue.length > 0) time = Math.min(time, this.nextAttempt);
    return Math.min(time, this.#queue.dueAt, this.#inFlight.dueAt, this.#inFlight.silentSince + OVERDUE_MS);
  }

  /**
   * Closes a connection that would keep an otherwise idle process alive. Any other connection may still receive
   * answers.
   */
  releaseProcess(now: number): void {
    if (this.#connection?.holdsProcess()) this.close(now);
  }

  close(now: number): void {
    this.#drop();
    for (const sending of this.#takeAll()) this.#fail(sending, "closed", "", now);
  }

  get #isIdle(): boolean {
    return (
      this.state === "speaking" && !this.isGreetingAgain && this.#inFlight.isEmpty && this.#queue.length === 0
    );
  }

  opened(now: number): void {
    this.#timer.wakeBy(now + CONNECT_MS);
    this.#pump(now);
  }

  receive(message: DaemonMessage, now: number): void {
    if (message.kind === "hello") {
      this.#greeted(message, now);
      return;
    }
    const sending = this.#inFlight.find(message.id);
    if (sending === undefined) {
      if (message.kind !== "refused") return;
      this.#connectionRefusal = `${message.code}: ${message.sentence}`;
      if (this.state === "greeting") this.#lose("refused", this.#connectionRefusal, now);
      return;
    }

    this.lastAnswerAt = now;
    const isProven = message.kind !== "result" || this.#answered(sending, message, now);
    this.#inFlight.remove(sending);
    if (!isProven) this.#handlers.notProven(sending, now);

    if (message.kind !== "refused") return;
    this.#clock.update(this, message.clock, sending.writtenAt, now);
    if (message.newest !== undefined) this.#clock.seen(message.newest);
    this.#handlers.refused(this, sending, message, now);
  }

  chunkEnded(now: number): void {
    this.#activeAt = now;
    this.#inFlight.received(now);
    this.#pump(now);
    if (!this.#settings.keepalive && this.#isIdle) this.#drop();
  }

  disconnected(stage: Stage, detail: string, now: number): void {
    if (stage === "lost" && this.state === "greeting" && !this.#connection?.hasReceived)
      this.#handleClosedHello(now);
    else
      this.#lose(
        stage,
        stage === "lost" && this.#connectionRefusal !== "" ? this.#connectionRefusal : detail,
        now,
      );
  }

  #connect(now: number): void {
    this.#connectionRefusal = "";
    this.#takesTrace = false;
    this.#timer.wakeBy(now + CONNECT_MS);
    const { address } = this;
    const [environment, trace] = [this.#environment, this.#trace];
    this.#connection = new ConnectionV2({
      address,
      environment,
      trace,
      owner: this,
      read: readDaemonMessage,
      now,
    });
  }

  #greeted(hello: Hello, now: number): void {
    this.#backoff.succeeded();
    const problem = disagreement(hello, this.isSigned);
    if (problem !== null) {
      this.#lose("refused", problem, now);
      return;
    }

    this.#takesTrace = hello.knows.includes(KNOWS_TRACE);
    this.#hasSpoken = true;
    this.#isUncertain = false;
    this.legacy?.ruleOut();
    this.lastAnswerAt = now;
    this.#greetedAt = now;

    const sentAt = this.isGreetingAgain ? this.#greetedAgainAt : (this.#connection?.since ?? now);
    this.#greetedAgainAt = -1;
    this.#hasPeers = (hello.members ?? 0) > 0;
    this.isDeciding ||= hello.knows.includes(KNOWS_DECISIONS);
    this.#session.connected(this.#all.indexOf(this), hello.members !== null);
    this.#clock.update(this, hello.clock, sentAt, now);
    publishVersion(this.address.text, 2);
    this.#handlers.greeted(this, clusterOrNoKey(hello.cluster), now);
  }

  /**
   * Handles a result. Returns false for a read whose daemon may not have the client's writes.
   * @throws MalformedFrame
   */
  #answered(sending: Sending, message: ResultMessage, now: number): boolean {
    const { batch, index } = sending;
    sending.hasPeers = this.#hasPeers;
    this.#clock.update(this, message.clock, sending.writtenAt, now);
    this.#clock.seen(message.newest);
    sending.isCatchingUp = this.#session.isCatchingUp(index, batch, now);
    this.#session.answered(index, batch, message.units, now);
    if (sending.isCatchingUp && batch.isRead) return false;
    batch.answered(sending, message, now);
    if (sending.isPlaced) this.#session.decided(index, batch, now);
    return true;
  }

  #handleClosedHello(now: number): void {
    const { legacy } = this;
    if (legacy?.isRuledOut === false) {
      legacy.turnOn(now);
      this.#drop();
      this.#backoff.succeeded();
      this.#handlers.turnedLegacy(legacy, this.#takeAll(), now);
    } else if (this.#isUncertain) this.#lose(this.#hasSpoken ? "downgrade" : "version", "", now);
    else {
      // The next hello is sent without envelopes, to be sure. It is sent even if the queue is empty, because calls may
      // be waiting until a daemon names the cluster.
      this.#isUncertain = true;
      this.#retry("lost", "", now, true);
    }
  }

  /**
   * Handles the loss of the connection. Sendings fail if they can neither wait for a new connection nor be written
   * again.
   */
  #lose(stage: Stage, detail: string, now: number): void {
    if (this.state !== "speaking") {
      this.#drop();
      this.#backoff.failed({ stage, detail }, now, this.#environment.random());
      if (this.#settings.isPatient) {
        this.#queue.putBack(this.#inFlight.takeAll());
        this.#timer.wakeBy(this.#backoff.until);
      } else for (const sending of this.#takeAll()) this.#fail(sending, stage, detail, now);
      this.#handlers.connectionFailed(now);
      return;
    }
    this.#retry(stage, detail, now);
  }

  /** Writes the sendings that may be repeated on a new connection. The remaining ones fail. */
  #retry(stage: Stage, detail: string, now: number, isNeeded = this.isGreetingAgain): void {
    this.#drop();
    const written = this.#inFlight.takeAll();
    const again = written.filter(({ writes }) => stage !== "garbage" && writes < WRITES_MAX);
    for (const sending of again) sending.state = "queued";
    this.#queue.putBack(again);
    if (this.#queue.length > 0 || isNeeded) this.#connect(now);
    for (const sending of written) if (!again.includes(sending)) this.#fail(sending, stage, detail, now);
  }

  /** Closes the connection without notifying the owner. */
  #drop(): void {
    this.#connection?.close();
    this.#connection = null;
    this.#greetedAgainAt = -1;
    this.#inFlight.silentSince = Number.POSITIVE_INFINITY;
  }

  /**
   * Whether envelopes may be written. They may follow a hello that is not answered yet only if the daemon is certain to
   * speak version 2.
   */
  get #isOpen(): boolean {
    if (this.state !== "greeting") return this.state === "speaking";
    return (this.#hasSpoken || this.#isOnly2) && !this.#isUncertain;
  }

  #pump(now: number): void {
    this.#dropExpired(now);
    if (!this.#isOpen || this.#isStalled(now)) return;

    if (this.#queue.length > 0 && this.legacy?.isEmpty === false) {
      // Envelopes must not overtake the commands that are still in flight on the legacy link.
      this.#timer.wakeBy(now + DRAIN_MS);
      return;
    }
    if (this.isForeign) {
      // The daemon may have joined another cluster in the meantime.
      if (this.state !== "speaking" || this.isGreetingAgain) return;
      for (const sending of this.#queue.takeAll()) this.#fail(sending, "wrong-cluster", "", now);
    }

    while (this.#inFlight.hasRoom && this.#queue.length > 0) {
      const sending = this.#queue.shift() as Sending;
      this.#activeAt = now;
      // Its calls have failed at their deadlines, so it must not be applied any more.
      if (sending.batch.deadline <= now) this.#failExpired(sending, now);
      else if (this.#inFlight.takes(sending)) this.#write(sending, now);
      else this.#fail(sending, "busy", "too many answers are pending", now);
    }
  }

  #write(sending: Sending, now: number): void {
    const frame = this.#inFlight.add(sending, now);
    const { traceparent } = sending.batch;
    this.#connection?.write(this.#takesTrace && traceparent ? tracedFrame(frame, traceparent) : frame);
  }

  #isStalled(now: number): boolean {
    const { silentSince } = this.#inFlight;
    return now - silentSince > STALL_MS && this.#othersAnsweredSince(silentSince);
  }

  /** Whether another daemon has answered since `time`. */
  #othersAnsweredSince(time: number): boolean {
    return this.#all.some((other) => other !== this && other.lastAnswerAt > time);
  }

  #expire(now: number): void {
    this.#dropExpired(now);
    const { silentSince } = this.#inFlight;
    let isAlone = false;
    for (const sending of this.#inFlight.takeExpired(now)) {
      // If no other daemon has answered either, this machine's network may have failed: give up the connection, so that
      // the next call uses a new one.
      isAlone ||= sending.writtenAt >= silentSince && !this.#othersAnsweredSince(silentSince);
      this.#fail(sending, "timeout", "", now);
    }
    if (isAlone || now >= silentSince + OVERDUE_MS) this.#lose("lost", "silent for too long", now);
  }

  #dropExpired(now: number): void {
    for (const sending of this.#queue.takeExpired(now)) this.#failExpired(sending, now);
  }

  #failExpired(sending: Sending, now: number): void {
    this.#fail(sending, "timeout", sending.writes > 0 ? "" : "never sent: other calls were ahead of it", now);
  }

  #takeAll(): Sending[] {
    return [...this.#inFlight.takeAll(), ...this.#queue.takeAll()];
  }

  #fail(sending: Sending, stage: Stage, detail: string, now: number): void {
    // The daemon refuses all envelopes of this client, so it has not applied an envelope that was written only on this
    // connection.
    const before = isSigningMismatch(detail) && sending.state === "written" ? 1 : 0;
    this.#end(sending, { ok: false, stage, detail, written: sending.writes > before, at: now });
  }

  #end(sending: Sending, failure: Failure): void {
    sending.batch.failed(sending, failure);
    this.#session.failed(sending.index, sending.batch, failure.at);
  }
}

export interface FleetSettings {
  readonly addresses: readonly Address[];
  /** The cluster's id, 32 bytes, or "" to query the daemons. */
  readonly cluster: ByteString;
  /** The versions for daemons whose address names none, or null if they are not set. */
  readonly versions: Versions | null;
  readonly keepalive: boolean;
  /** Whether signed calls wait for unreachable daemons until their deadline; otherwise they fail immediately. */
  readonly isPatient: boolean;
  /** Whether reads must see the client's acknowledged writes; otherwise each call is independent. */
  readonly isSession: boolean;
}
