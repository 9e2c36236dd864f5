/** A connection to a RESP server for one client alone: for what others must not be mixed into, such as transactions and subscriptions. */
import type { Socket } from "node:net";
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { RespReplyCutter } from "../../../protocol/resp/reply-cutter.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { connectTo } from "../../upstream/place.js";
import type { ConnectionState } from "./connection-state.js";
import type { RespLinkParts } from "./resp-link.js";

/** Bytes of commands that may wait for the server to read. */
const WAITING_MOST = 1024 * 1024;
const STATE_REPLY_BYTES_MOST = 64 * 1024;

export interface TunnelParts extends Pick<RespLinkParts, "place" | "limits" | "environment"> {
  readonly state: ConnectionState;
  readonly received: (bytes: ByteString) => void;
  /** More may be sent. */
  readonly drained: () => void;
  readonly closed: () => void;
}

export class Tunnel {
  readonly #socket: Socket;
  readonly #parts: TunnelParts;
  /** Answers to what puts it into its state, which are nobody's. */
  #unheard: number;
  /** Before it is connected. */
  #out: ByteString | null;
  #isClosed = false;

  constructor(parts: TunnelParts) {
    this.#parts = parts;
    const { place, state, limits, environment } = parts;
    this.#unheard = state.length;
    this.#out = state.map(writeCommand).join("");
    const cancel = environment.setTimer(limits.connectTimeout, () => this.close());
    this.#socket = connectTo(place, {
      connected: () => {
        cancel();
        const out = this.#out ?? "";
        this.#out = null;
        this.send(out);
      },
      failed: () => this.close(),
    });
    const cutter = new RespReplyCutter(STATE_REPLY_BYTES_MOST, (reply) => this.#unmute(reply));
    this.#socket.on("data", (chunk: Buffer) => {
      const bytes = bytesOf(chunk);
      if (this.#unheard === 0) return parts.received(bytes);
      cutter.push(bytes);
      if (cutter.problem !== null) this.close();
    });
    this.#socket.on("drain", () => parts.drained());
    this.#socket.on("error", () => this.close());
    this.#socket.on("close", () => {
      cancel();
      this.close();
    });
  }

  /** Whether the server has to read before more is sent. */
  get isFull(): boolean {
    return (this.#out?.length ?? this.#socket.writableLength) > WAITING_MOST;
  }

  send(bytes: ByteString): void {
    if (this.#out !== null) this.#out += bytes;
    else if (bytes !== "" && !this.#isClosed) this.#socket.write(bytes, "latin1");
  }

  /** The client takes no more for now. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.destroy();
    this.#parts.closed();
  }

  /** What was answered to others before is answered here: the first is refused as it would have been. */
  #unmute(reply: ByteString): void {
    if (this.#unheard > 0) {
      this.#unheard--;
      if (reply.startsWith("-")) this.close();
    } else this.#parts.received(reply);
  }
}
