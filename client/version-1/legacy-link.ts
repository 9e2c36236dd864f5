/**
 * The link to one daemon in version 1, the counterpart of DaemonLink. Only daemons for which the user has allowed
 * version 1 have one. DaemonLink detects the version, because a daemon that speaks version 1 closes the connection
 * after the hello, and has executed nothing. The client falls back to version 1 only then, and never once the daemon
 * has answered a hello: an attacker could close the connection to hide version 2.
 *
 *   off ──closed hello──► on ──a minute later, while no call is in flight──► off
 *    └────────────────────┴───answered hello──► ruled out
 *
 * While the link is on, calls are sent one after another in the order of the calls, each on a new connection. The next
 * command is written only when the daemon has answered the one before, or can no longer do so, so the daemon executes a
 * caller's commands in order. Calls to a daemon that is silent while others answer wait until the daemon recovers.
 * Source: docs/protocol-v2.md "hello".
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { unreadable } from "../../protocol/errors.js";
import { FrameParser } from "../../protocol/frame.js";
import { readResponsePayload } from "../../protocol/version-1/response-v1.js";
import { publishDelivery, publishVersion } from "../calls/diagnostics-channels.js";
import type { PendingCall } from "../calls/pending-call.js";
import type { Sending } from "../calls/sending.js";
import type { CallSettings } from "../settings/call-options.js";
import { frameOf, type Signer, type Signing, textOf } from "../settings/signing-key.js";
import { BoundedQueue } from "../shared/bounded-queue.js";
import type { ClientSocket, Environment, SocketError, SocketEvents } from "../shared/client-environment.js";
import { textArguments } from "../shared/command-bytes.js";
import type { CommandInput } from "../shared/command-input.js";
import { commandLabel, commandsLabel } from "../shared/command-labels.js";
import {
  Backoff,
  CONNECT_MS,
  closeReason,
  DELIVERY_LINGER_MS,
  OVERDUE_MS,
  STALL_MS,
} from "../shared/connections.js";
import { DbsyncError, needsVersion2, type Stage } from "../shared/errors.js";
import type { FrameTracer } from "../shared/frame-tracer.js";
import type { Failure, Report } from "../shared/outcome.js";
import type { Address, Versions } from "../shared/server-list.js";

const ONLY_RSA = "supports only RSA keys";
const NOT_CONNECTED = "the connection attempt was not answered";
const NEVER_SENT = "never sent: other calls were ahead of it";

/** The time after which the client checks again whether a daemon speaks only version 1. */
const RECHECK_MS = 60_000;

/** The delivery of a call to the daemon. */
interface Delivery {
  readonly sending: Sending;
  readonly call: PendingCall;
  readonly address: Address;
  readonly frame: Buffer;
  /** The size of the frame, and of the call, which is stored until its deliveries have ended. */
  readonly bytes: number;
  readonly deadline: number;
  /** The time at which the frame was passed to a socket, or -1 before that. It is never sent twice. */
  writtenAt: number;
  report: Report | null;
}

/**
 * Returns a link to each daemon for which version 1 is allowed.
 * @param versions  the versions for daemons whose address names none; null (not configured) does not allow version 1
 */
export function makeLegacyLinks(
  addresses: readonly Address[],
  versions: Versions | null,
  environment: Environment,
  { sign, signer }: Signing,
  trace: FrameTracer | null,
): readonly LegacyLink[] {
  const frames = new CallFrames(sign, signer !== null);
  const all: LegacyLink[] = [];
  for (const [index, address] of addresses.entries()) {
    const allowed = address.versions ?? versions;
    if (allowed !== "1" && allowed !== "1,2") continue;
    const isOnly = allowed === "1";
    all.push(new LegacyLink({ address, index, isOnly, environment, frames, all, trace }));
  }
  return all;
}

export class LegacyLink {
  /** The index of the daemon in the client's list. */
  readonly index: number;
  /** Whether the daemon receives its calls on this link. */
  isOn: boolean;
  /** Whether the daemon has spoken version 2. */
  isRuledOut = false;
  lastAnswerAt = Number.NEGATIVE_INFINITY;
  readonly #address: Address;
  /** Whether the user has allowed only version 1, so that the client sends no hello. */
  readonly #isOnly: boolean;
  #turnedOnAt = 0;
  readonly #environment: Environment;
  readonly #frames: CallFrames;
  /** The links of the client. */
  readonly #all: readonly LegacyLink[];
  readonly #trace: FrameTracer | null;
  readonly #backoff = new Backoff();
  readonly #queue = new BoundedQueue<Delivery>();
  #connection: ConnectionV1 | null = null;
  /** The deadline of the attempt to connect. */
  #connectBy = 0;
  /** The delivery that waits for its answer, or null if there is none. */
  #written: Delivery | null = null;

  constructor(parts: {
    address: Address;
    index: number;
    isOnly: boolean;
    environment: Environment;
    frames: CallFrames;
    all: readonly LegacyLink[];
    trace: FrameTracer | null;
  }) {
    this.#address = parts.address;
    this.index = parts.index;
    this.#isOnly = this.isOn = parts.isOnly;
    this.#environment = parts.environment;
    this.#frames = parts.frames;
    this.#all = parts.all;
    this.#trace = parts.trace;
  }

  /** Turns the link on, because the daemon has closed the connection after the hello. */
  turnOn(now: number): void {
    this.isOn = true;
    this.#turnedOnAt = now;
    publishVersion(this.#address.text, 1);
  }

  /** Turns the link off permanently, because the daemon has answered a hello. */
  ruleOut(): void {
    this.isOn = false;
    this.isRuledOut = true;
  }

  /**
   * Checks again whether a daemon that spoke version 1 some time ago still does. If no call is in flight (`isQuiet`)
   * the link is turned off, and the next call waits for the daemon's answer.
   * @returns whether the caller must send the daemon a hello in parallel with its calls instead
   */
  recheck(now: number, isQuiet: boolean): boolean {
    if (!this.isOn || this.#isOnly || now - this.#turnedOnAt <= RECHECK_MS) return false;
    this.#turnedOnAt = now;
    if (isQuiet) this.isOn = false;
    return !isQuiet;
  }

  /**
   * Sends a call that joins a batch if the link is on, or was when the batch began.
   * @param insist  try even during the backoff
   */
  add(sending: Sending, call: PendingCall, insist: boolean): void {
    if (this.isOn || sending.state === "separate") this.#deliver(sending, call, insist);
    else sending.needsCalls = !this.isRuledOut;
  }

  /** Sends all calls of a batch, which the daemon has not received as an envelope. */
  takeOver(sending: Sending, insist: boolean, now: number): void {
    const { batch } = sending;
    sending.reset();
    // A delivery may end immediately, but the sending must not end before all of its calls are delivered.
    sending.openDeliveries++;
    for (const call of batch.calls) this.#deliver(sending, call, insist);
    sending.openDeliveries--;
    if (batch.isClosed) batch.close(now);
  }

  /** Whether no delivery is in progress. */
  get isEmpty(): boolean {
    return this.#connection === null && this.#queue.length === 0;
  }

  /** Whether a delivery would fail without an attempt to connect. */
  isBackingOff(now: number): boolean {
    return this.#connection === null && this.#backoff.refusal(now) !== null;
  }

  /** Checks a call whose daemons all speak version 1. @throws DbsyncError  version 1 does not support the call */
  check(inputs: PendingCall["inputs"], settings: CallSettings): void {
    this.#frames.check(inputs, settings);
  }

  #deliver(sending: Sending, call: PendingCall, insist: boolean): void {
    const now = this.#environment.now();
    sending.state = "separate";
    sending.deliveries ??= [];
    sending.openDeliveries++;

    const frame = this.#frames.of(call);
    if (typeof frame === "string") {
      const report = { ok: false, stage: "version-1", detail: frame, written: false, at: now } as const;
      sending.deliveries.push({ report, writtenAt: -1 });
      this.#report(sending, call);
      return;
    }
    const [{ address }, { deadline, size }] = [sending, call];
    const bytes = frame.length + size;
    const delivery = { sending, call, address, frame, bytes, deadline, writtenAt: -1, report: null };
    sending.deliveries.push(delivery);

    this.#sweep(now);
    if (!insist && this.isBackingOff(now)) {
      const { stage, detail } = this.#backoff.failure ?? { stage: "connect", detail: "" };
      this.#end(delivery, failure(stage, detail, delivery, now));
    } else if (!this.#queue.hasRoomFor(delivery)) this.#end(delivery, failure("busy", "", delivery, now));
    else {
      this.#queue.push(delivery);
      this.#connect(now);
    }
  }

  /** Handles all timeouts that have expired. */
  tick(now: number): void {
    this.#sweep(now);
    const connection = this.#connection;
    const written = this.#written;

    if (connection?.state === "connecting" && this.#connectBy <= now) {
      connection.close();
      this.lost("connect", NOT_CONNECTED, true, now);
    } else if (written !== null && written.deadline <= now) {
      // If no other daemon has answered either, this machine's network may have failed: the next call connects again.
      if (this.#othersAnsweredSince(written.writtenAt - STALL_MS)) this.#written = null;
      else this.#drop();
      this.#end(written, failure("timeout", "", written, now));
    } else if (connection !== null && this.#isOverdue && connection.since + OVERDUE_MS <= now) this.#drop();
    this.#connect(now);
  }

  /** Returns the time at which `tick` must be called next. Later events may make an earlier call necessary. */
  nextTick(): number {
    const time = this.#queue.dueAt;
    const connection = this.#connection;
    if (connection === null) return time;
    if (connection.state === "connecting") return Math.min(time, this.#connectBy);
    return Math.min(time, this.#written?.deadline ?? connection.since + OVERDUE_MS);
  }

  /**
   * Gives up the queue if the connection has kept an otherwise idle process alive for DELIVERY_LINGER_MS. A more recent
   * attempt may still succeed, and any other connection may still receive its answer.
   * @returns the time at which it must be called again for a recent attempt, or infinity
   */
  releaseProcess(now: number): number {
    const connection = this.#connection;
    if (connection !== null && !connection.holdsProcess()) return Number.POSITIVE_INFINITY;
    const heldUntil = connection === null ? now : connection.since + DELIVERY_LINGER_MS;
    if (heldUntil > now) return heldUntil;
    this.close(now);
    return Number.POSITIVE_INFINITY;
  }

  close(now: number): void {
    const written = this.#drop();
    if (written !== null) this.#end(written, failure("closed", "", written, now));
    this.#failQueue("closed", "", now);
  }

  /** Writes the first waiting command on the new connection. */
  opened(now: number): void {
    this.#backoff.succeeded();
    // The head has not expired after this.
    this.#sweep(now);
    const delivery = this.#queue.shift();
    if (delivery === undefined) {
      this.#drop();
      return;
    }
    delivery.writtenAt = now;
    this.#written = delivery;
    this.#connection?.send(delivery.frame, now);
  }

  answered(values: readonly ByteString[], now: number): void {
    this.lastAnswerAt = now;
    const written = this.#drop();
    if (written !== null)
      this.#end(written, { ok: true, values, reply: null, flags: "", isForAll: false, at: now });
    this.#connect(now);
  }

  /** Handles the end of the connection. @param wasConnecting  whether nothing was written */
  lost(stage: Stage, detail: string, wasConnecting: boolean, now: number): void {
    const written = this.#drop();
    if (written !== null) this.#end(written, failure(stage, detail, written, now));
    if (wasConnecting) {
      const failedAt = stage === "dns" || stage === "tls" ? stage : "connect";
      this.#backoff.failed({ stage: failedAt, detail }, now, this.#environment.random());
      this.#failQueue(failedAt, detail, now);
    }
    this.#connect(now);
  }

  /** Whether the last command was given up, but the daemon may still execute it. */
  get #isOverdue(): boolean {
    return this.#connection?.state === "waiting" && this.#written === null;
  }

  /** Whether another daemon has answered since `time`. */
  #othersAnsweredSince(time: number): boolean {
    return this.#all.some((other) => other !== this && other.lastAnswerAt > time);
  }

  /** Connects for the first waiting command, unless another one is in flight. */
  #connect(now: number): void {
    const { first } = this.#queue;
    if (this.#connection !== null || first === undefined) return;
    // The attempt may outlive the first command, because commands with longer timeouts may follow.
    this.#connectBy = Math.max(first.deadline, now + CONNECT_MS);
    const [address, environment, trace] = [this.#address, this.#environment, this.#trace];
    this.#connection = new ConnectionV1({ address, environment, trace, link: this, now });
  }

  /** Closes the connection. @returns the delivery that waited for its answer, or null */
  #drop(): Delivery | null {
    const written = this.#written;
    this.#written = null;
    this.#connection?.close();
    this.#connection = null;
    return written;
  }

  /** Ends expired deliveries. */
  #sweep(now: number): void {
    const expired = this.#queue.takeExpired(now);
    const isOpen = this.#connection?.state === "waiting";
    const [stage, detail] = isOpen
      ? (["timeout", NEVER_SENT] as const)
      : (["connect", NOT_CONNECTED] as const);
    for (const delivery of expired) this.#end(delivery, failure(stage, detail, delivery, now));
  }

  #failQueue(stage: Stage, detail: string, now: number): void {
    for (const delivery of this.#queue.takeAll()) this.#end(delivery, failure(stage, detail, delivery, now));
  }

  #end(delivery: Delivery, report: Report): void {
    delivery.report = report;
    publishDelivery(delivery);
    this.#report(delivery.sending, delivery.call);
  }

  #report(sending: Sending, call: PendingCall): void {
    sending.openDeliveries--;
    sending.batch.reported(sending, call, this.#environment.now());
  }
}

const failure = (stage: Stage, detail: string, { writtenAt }: Delivery, at: number): Failure => ({
  ...({ ok: false, stage, detail } as const),
  written: writtenAt >= 0,
  at,
});

/** The frames of a client's calls. A call is signed once, and every daemon receives the same bytes. */
class CallFrames {
  /** Null if there is no key, or if version 1 does not support it. */
  readonly #sign: Signer | null;
  readonly #isUnsupported: boolean;
  readonly #frames = new WeakMap<PendingCall, Buffer>();

  constructor(sign: Signer | null, hasKey: boolean) {
    this.#sign = sign;
    this.#isUnsupported = hasKey && sign === null;
  }

  /** @throws DbsyncError `bad-command`, `bad-key`: version 1 does not support the call */
  check(inputs: PendingCall["inputs"], { envelope }: CallSettings): void {
    const command = inputs as CommandInput;
    if (envelope?.multi) throw needsVersion2(commandsLabel(inputs as readonly CommandInput[]));
    if (envelope !== null) throw needsVersion2(commandLabel(command));
    if (this.#isUnsupported)
      throw new DbsyncError("bad-key", `every daemon speaks version 1, which ${ONLY_RSA}`);
    textOf(textArguments(command), command);
  }

  /** Returns the frame of a call, or the reason why version 1 does not support the call. */
  of(call: PendingCall): Buffer | string {
    if (call.settings.envelope?.multi) return "multi";
    if (call.settings.envelope !== null) return "db, if, after, only, stable, replicated";
    if (this.#isUnsupported) return `it ${ONLY_RSA}`;
    try {
      // Version 1 has only texts as replies, so it does not support a call that forwards them unchanged.
      const command = call.shape === "reply" ? [] : (call.inputs as CommandInput);
      const frame = this.#frames.get(call) ?? frameOf(textArguments(command), this.#sign);
      this.#frames.set(call, frame);
      return frame;
    } catch (error) {
      if (error instanceof DbsyncError && error.code === "bad-command") return error.message;
      throw error;
    }
  }
}

/**
 * The maximum length of a reply. A longer one is refused before any of it is stored, so that a hostile server cannot
 * exhaust the memory.
 */
const REPLY_BYTES_MAX = 64 * 1024 * 1024;

/**
 * A version 1 connection, which carries one call: a command is written, the next frame is its answer, and then the
 * client closes the connection. A kept connection would need to detect whether the daemon closes it after each answer
 * (`-c`) or after 3 s, because a command that is written at that moment is lost without an answer. The link receives
 * either `answered` or `lost`, once, unless it closes the connection first.
 *
 *   connecting ──opened──► waiting ──answer──► closed
 *        └────────────────────┴────closed, garbage, close()──► closed
 *
 * Source: test/vectors/php-dbsync/README.md "Connections, timeouts, limits".
 */
class ConnectionV1 implements SocketEvents {
  state: "connecting" | "waiting" | "closed" = "connecting";
  /** The time of the attempt to connect or, once the command has been written, of writing it. */
  since: number;
  readonly #address: Address;
  readonly #environment: Environment;
  readonly #link: LegacyLink;
  readonly #trace: FrameTracer | null;
  readonly #socket: ClientSocket;
  readonly #parser = new FrameParser(REPLY_BYTES_MAX);

  constructor(parts: {
    address: Address;
    environment: Environment;
    link: LegacyLink;
    trace: FrameTracer | null;
    now: number;
  }) {
    this.#address = parts.address;
    this.#environment = parts.environment;
    this.#link = parts.link;
    this.#trace = parts.trace;
    this.since = parts.now;
    this.#socket = this.#environment.openSocket(parts.address, this);
  }

  /** Writes the command. Called once, when the connection is established. */
  send(frame: Buffer, now: number): void {
    this.state = "waiting";
    this.since = now;
    this.#trace?.(this.#address.text, "sent", frame);
    this.#socket.write(frame);
  }

  /** Closes immediately, without notifying the link. */
  close(): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.#socket.destroy();
  }

  /** Whether the connection would keep the process alive, because it is not established yet or has unsent bytes. */
  holdsProcess(): boolean {
    return this.state === "connecting" || (this.state !== "closed" && this.#socket.unsentBytes() > 0);
  }

  opened(): void {
    this.#link.opened(this.#environment.now());
  }

  received(chunk: Buffer): void {
    this.#trace?.(this.#address.text, "received", chunk);
    let values: ByteString[] | null = null;
    try {
      const [payload] = this.#parser.split(chunk);
      if (payload !== undefined) values = readResponsePayload(payload);
    } catch (error) {
      this.#lose("garbage", unreadable(error));
      return;
    }
    if (values !== null) {
      this.close();
      this.#link.answered(values, this.#environment.now());
    } else if (this.#parser.malformed !== null) this.#lose("garbage", this.#parser.malformed.message);
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
    const wasConnecting = this.state === "connecting";
    this.close();
    this.#link.lost(stage, detail, wasConnecting, this.#environment.now());
  }
}
