/**
 * One version 2 connection. It converts between bytes and messages, and begins with a hello. daemon-link.ts manages the
 * envelopes in flight, and handles the end of the connection.
 *
 *   connecting ──opened──► greeting ──hello──► speaking
 *        └─────────────────────┴───────────────────┴──── closed, garbage, close() ──► closed
 */
import { MalformedFrame, unreadable } from "../../protocol/errors.js";
import { FrameParser, writeFrame } from "../../protocol/frame.js";
import {
  type DaemonMessage,
  type EventMessage,
  OtherProtocol,
  writeClientHello,
} from "../../protocol/version-2/messages-v2.js";
import type { ClientSocket, Environment, SocketError, SocketEvents } from "../shared/client-environment.js";
import { closeReason } from "../shared/connections.js";
import type { Stage } from "../shared/errors.js";
import type { FrameTracer } from "../shared/frame-tracer.js";
import type { Address } from "../shared/server-list.js";
import { disagreement } from "./signing-terms.js";

/**
 * The maximum length of a message. A longer one is refused before any of it is stored. Daemons do not send longer ones
 * (`--max-output-bytes`). The limit is high because one result may answer thousands of calls with long replies.
 */
const MESSAGE_BYTES_MAX = 512 * 1024 * 1024;

/** The owner of a connection, which handles its events. */
export interface ConnectionV2Owner<Message = DaemonMessage> {
  /** The configured cluster, for the hello, or "" if there is none. */
  readonly cluster: string;
  /** Whether the client signs its envelopes. */
  readonly isSigned: boolean;
  /** The number of other daemons to which the client sends its commands; null: it sends none on this connection. */
  readonly others: number | null;
  /** Called when the hello has been written. */
  opened(now: number): void;
  /** Called for each message. @throws MalformedFrame  the message contradicts itself */
  receive(message: Message, now: number): void;
  /** Called after all messages of a chunk. */
  chunkEnded(now: number): void;
  /** Called when the connection is lost, but not after `close`. */
  disconnected(stage: Stage, detail: string, now: number): void;
}

export class ConnectionV2<Message extends DaemonMessage | EventMessage = DaemonMessage>
  implements SocketEvents
{
  state: "connecting" | "greeting" | "speaking" | "closed" = "connecting";
  /** The time at which the attempt to connect began or, once the hello has been written, the time of writing it. */
  since: number;
  /** Whether a byte has arrived. */
  hasReceived = false;
  readonly #address: Address;
  readonly #environment: Environment;
  readonly #owner: ConnectionV2Owner<Message>;
  readonly #read: (payload: Buffer) => Message;
  readonly #trace: FrameTracer | null;
  readonly #socket: ClientSocket;
  readonly #parser: FrameParser;

  constructor(parts: {
    address: Address;
    environment: Environment;
    owner: ConnectionV2Owner<Message>;
    /** Parses a daemon's message. */
    read: (payload: Buffer) => Message;
    trace: FrameTracer | null;
    now: number;
    /** The maximum length of a message; default `MESSAGE_BYTES_MAX`. */
    maxMessageBytes?: number;
  }) {
    this.#address = parts.address;
    this.#environment = parts.environment;
    this.#owner = parts.owner;
    this.#read = parts.read;
    this.#trace = parts.trace;
    this.since = parts.now;
    this.#parser = new FrameParser(parts.maxMessageBytes ?? MESSAGE_BYTES_MAX, 2);
    this.#socket = this.#environment.openSocket(parts.address, this);
  }

  write(bytes: Buffer): void {
    this.#trace?.(this.#address.text, "sent", bytes);
    this.#socket.write(bytes);
  }

  /** Writes a hello. */
  greet(): void {
    const { cluster, others } = this.#owner;
    const hello = writeClientHello(cluster, Math.floor(this.#environment.wallClock()), others);
    this.write(Buffer.from(writeFrame(hello, 2), "latin1"));
  }

  /** Closes immediately, without notifying the owner. */
  close(): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.#socket.destroy();
  }

  /** Whether the connection would keep the process alive, because it is not established yet or has unsent bytes. */
  holdsProcess(): boolean {
    return this.state !== "speaking" || this.#socket.unsentBytes() > 0;
  }

  opened(): void {
    this.state = "greeting";
    this.since = this.#environment.now();
    this.greet();
    this.#owner.opened(this.since);
  }

  received(chunk: Buffer): void {
    this.#trace?.(this.#address.text, "received", chunk);
    const now = this.#environment.now();
    this.hasReceived = true;

    // An exception while parsing is caused by the received bytes, and ends only this connection.
    let isReading = true;
    try {
      for (const payload of this.#parser.split(chunk)) {
        isReading = true;
        const message = this.#read(payload);
        isReading = false;
        const isWelcome = message.kind === "hello" && disagreement(message, this.#owner.isSigned) === null;
        if (isWelcome && this.state === "greeting") this.state = "speaking";
        this.#owner.receive(message, now);
        if (this.state === "closed") return;
      }
      if (this.#parser.malformed !== null) throw this.#parser.malformed;
    } catch (error) {
      if (!isReading && !(error instanceof MalformedFrame)) throw error;
      if (error instanceof OtherProtocol) {
        this.#owner.disconnected("refused", `other-protocol: The daemon sent ${error.message}.`, now);
        return;
      }
      this.#owner.disconnected("garbage", unreadable(error), now);
      return;
    }
    this.#owner.chunkEnded(now);
  }

  closed(error: SocketError | null): void {
    const { stage, detail } = closeReason(error, this.state === "connecting" ? null : "lost");
    this.#owner.disconnected(stage, detail, this.#environment.now());
  }
}
