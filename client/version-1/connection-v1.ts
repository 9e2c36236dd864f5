import type { ByteString } from "../../protocol/byte-string.js";
import { unreadable } from "../../protocol/errors.js";
import { FrameParser } from "../../protocol/frame.js";
import { readResponsePayload } from "../../protocol/version-1/response-v1.js";
import type {
  ClientEnvironment,
  DaemonSocket,
  SocketError,
  SocketEvents,
} from "../shared/client-environment.js";
import { closeReason } from "../shared/connections.js";
import type { Stage } from "../shared/errors.js";
import type { FrameTracer } from "../shared/frame-tracer.js";
import type { Address } from "../shared/server-list.js";

/**
 * The maximum length of a reply. A longer one is refused before any of it is stored, so that a hostile server cannot
 * exhaust the memory.
 */
const REPLY_BYTES_MAX = 64 * 1024 * 1024;

/** The link that has opened the connection. */
interface ConnectionV1Owner {
  /** Called when the connection is established: the command can be sent now. */
  opened(now: number): void;
  answered(values: readonly ByteString[], now: number): void;
  lost(stage: Stage, detail: string, wasConnecting: boolean, now: number): void;
}

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
export class ConnectionV1 implements SocketEvents {
  state: "connecting" | "waiting" | "closed" = "connecting";
  /** The time of the attempt to connect or, once the command has been written, of writing it. */
  since: number;
  readonly #address: Address;
  readonly #environment: ClientEnvironment;
  readonly #link: ConnectionV1Owner;
  readonly #trace: FrameTracer | null;
  readonly #socket: DaemonSocket;
  readonly #parser = new FrameParser(REPLY_BYTES_MAX);

  constructor(parts: {
    address: Address;
    environment: ClientEnvironment;
    link: ConnectionV1Owner;
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
