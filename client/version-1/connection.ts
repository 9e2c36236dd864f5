/**
 * One version 1 connection: all that the client knows of that version's rules is here. One request is in
 * flight at a time; its answer is the next frame; bytes once written are never sent again.
 *
 *   connecting ──opened──► idle ──send──► waiting ──answer──► idle
 *        │                   │               └──letPass──► overdue ──answer──► idle
 *        └───────────────────┴───────────────┴───────────────┴──closed, garbage, close()──► closed
 *
 * Source: test/vectors/php-dbsync/README.md "Connections, timeouts, limits".
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { unreadable } from "../../protocol/errors.js";
import { FrameParser } from "../../protocol/frame.js";
import { readResponsePayload } from "../../protocol/version-1/response-v1.js";
import type { Delivery } from "../calls/call.js";
import { closeReason } from "../shared/close-reason.js";
import type { FrameTracer } from "../shared/debug.js";
import type { ClientSocket, Environment, SocketError } from "../shared/environment.js";
import type { Stage } from "../shared/errors.js";
import type { Address } from "../shared/servers.js";

/**
 * The original daemon closes a connection after 3 s without a byte. A command written in that very moment
 * would be lost without a word, so a connection is not used again when it has been idle for nearly as long.
 */
export const MAX_IDLE_MS = 2_500;

/** A longer reply is taken for garbage before any of it is kept: a rogue server cannot fill this process. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024;

/** Whom a connection tells. Each delivery is ended by exactly one of `answered` and `lost`. */
export interface ConnectionOwner {
  opened(connection: Connection): void;
  /** @param delivery  null: the answer came after its deadline, and nobody waits for it */
  answered(connection: Connection, delivery: Delivery | null, values: readonly ByteString[]): void;
  /** The connection is gone, with the delivery that was waiting for an answer, or without one (null). */
  lost(connection: Connection, delivery: Delivery | null, stage: Stage, detail: string): void;
}

export class Connection {
  state: "connecting" | "idle" | "waiting" | "overdue" | "closed" = "connecting";
  /** What waits for its answer; null unless `waiting`. */
  delivery: Delivery | null = null;
  /** Answers that have come on it. */
  answers = 0;
  /** Since when it is in its state, as clock time. */
  since: number;
  /** When the attempt to connect is given up. */
  readonly connectBy: number;

  readonly #address: Address;
  readonly #environment: Environment;
  readonly #owner: ConnectionOwner;
  readonly #trace: FrameTracer | null;
  readonly #socket: ClientSocket;
  readonly #parser = new FrameParser(MAX_REPLY_BYTES);

  constructor(parts: {
    address: Address;
    environment: Environment;
    owner: ConnectionOwner;
    trace: FrameTracer | null;
    now: number;
    connectBy: number;
  }) {
    this.#address = parts.address;
    this.#environment = parts.environment;
    this.#owner = parts.owner;
    this.#trace = parts.trace;
    this.since = parts.now;
    this.connectBy = parts.connectBy;
    this.#socket = this.#environment.openSocket(parts.address, {
      opened: () => this.#opened(),
      received: (chunk) => this.#received(chunk),
      closed: (error) => this.#closed(error),
    });
  }

  /** Writes a delivery's frame. Only when idle. */
  send(delivery: Delivery, now: number): void {
    this.state = "waiting";
    this.since = delivery.writtenAt = now;
    this.delivery = delivery;
    this.#trace?.(this.#address.text, "sent", delivery.call.frame);
    this.#socket.write(delivery.call.frame);
  }

  /**
   * The answer's time is over; it is still read when it comes, as a sign of life. The delivery is the
   * caller's to end.
   */
  letPass(): Delivery {
    const delivery = this.delivery as Delivery;
    this.delivery = null;
    this.state = "overdue";
    return delivery;
  }

  /** Closes at once and tells nobody; the delivery that was waiting, if any, is the caller's to end. */
  close(): Delivery | null {
    const delivery = this.delivery;
    this.delivery = null;
    if (this.state !== "closed") {
      this.state = "closed";
      this.#socket.destroy();
    }
    return delivery;
  }

  /**
   * Whether it would keep the process alive by itself: still connecting, or with bytes not yet handed over.
   */
  holdsProcess(): boolean {
    return this.state === "connecting" || (this.state !== "closed" && this.#socket.unsentBytes() > 0);
  }

  #opened(): void {
    this.state = "idle";
    this.since = this.#environment.now();
    this.#owner.opened(this);
  }

  #received(chunk: Buffer): void {
    this.#trace?.(this.#address.text, "received", chunk);
    let payloads: Buffer[];
    let values: ByteString[] | null;
    try {
      payloads = this.#parser.push(chunk);
      values = payloads[0] === undefined || this.state === "idle" ? null : readResponsePayload(payloads[0]);
    } catch (error) {
      this.#lose("garbage", unreadable(error));
      return;
    }
    const delivery = this.delivery;
    if (this.state === "idle") {
      this.#lose("garbage", "bytes that were not asked for");
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
    // What comes behind an answer belongs to no request: the stream cannot be trusted for another one.
    if (payloads.length > 1 || this.#parser.midFrame || this.#parser.malformed !== null) this.close();
    this.#owner.answered(this, delivery, values);
  }

  #closed(error: SocketError | null): void {
    const isConnecting = this.state === "connecting";
    const open = error?.syscall === "write" ? "send" : "no-reason";
    const { stage, detail } = closeReason(error, isConnecting ? null : open);
    if (!isConnecting && error?.stage === undefined && this.#parser.midFrame)
      this.#lose("garbage", "closed in the middle of an answer");
    else this.#lose(stage, detail);
  }

  #lose(stage: Stage, detail: string): void {
    this.#owner.lost(this, this.close(), stage, detail);
  }
}
