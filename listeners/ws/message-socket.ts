/**
 * A WebSocket as a connection sees its socket: the client's binary messages, one after the other, are the stream of
 * bytes, and each write is sent as a message. No byte arrives before the client has switched from HTTP.
 */
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { ClientSocket } from "../../net/connections/client-socket.js";
import { MessageGauge } from "./message-gauge.js";

/** Bytes above which the client has to read before more is written. */
const HIGH_WATER = 64 * 1024;
/** Data without bytes: the connection only checks its limits and times. */
const NOTHING = Buffer.alloc(0);

const NORMAL = 1000;
const UNSUPPORTED = 1003;

export class MessageSocket extends EventEmitter implements ClientSocket {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  /** The client's mistake in the protocol; null: none. */
  fault: string | null = null;
  /** The exception thrown while HTTP or a message was read; undefined: none. */
  failure: unknown;
  /** Whether the client has answered a ping since this was last read. */
  hasPonged = false;
  readonly #raw: Socket;
  readonly #gauge = new MessageGauge();
  /** null: the client still sends HTTP. */
  #messages: WebSocket | null = null;
  /** Bytes of the HTTP request. */
  #headBytes = 0;
  #needsDrain = false;
  #isPaused = false;
  #closeCode = NORMAL;
  /** Data found in the bytes that are being read; null: none are. */
  #read: Buffer[] | null = null;

  /** @param raw  the socket on which HTTP listens already */
  constructor(raw: Socket) {
    super();
    this.#raw = raw;
    this.remoteAddress = raw.remoteAddress;
    this.remotePort = raw.remotePort;
    this.#containReading();
    raw.on("data", this.#asked);
    raw.on("error", (reason) => this.emit("error", reason));
    for (const event of ["timeout", "close"]) raw.on(event, this.emit.bind(this, event));
  }

  /** Begins to pass on messages: the client has switched to WebSocket. */
  open(messages: WebSocket): void {
    this.#messages = messages;
    this.#headBytes = 0;
    // The current bytes end the HTTP request and are no message. Later ones are measured before `ws` parses them.
    this.#raw.off("data", this.#asked);
    this.#raw.prependListener("data", this.#arrived);
    if (this.#isPaused) messages.pause();
    messages.on("message", (data: Buffer, isBinary) => {
      if (isBinary) this.#give(data);
      else this.#blame("a text message; frames come in binary ones", UNSUPPORTED);
    });
    // Answering every ping would fill the buffer of a client that does not read.
    messages.on("ping", (data: Buffer) => {
      if (messages.bufferedAmount === 0) messages.pong(data);
    });
    messages.on("pong", () => {
      this.hasPonged = true;
      this.#give(NOTHING);
    });
    messages.on("error", ({ message }) => this.#blame(message, NORMAL));
  }

  /** Bytes received that the connection has not read. */
  get unfinishedBytes(): number {
    return this.#headBytes + this.#gauge.bytes;
  }

  get isMidMessage(): boolean {
    return this.#messages === null ? this.#headBytes > 0 : this.#gauge.isMidMessage;
  }

  /** Sends a ping. */
  ping(): void {
    if (this.#messages?.bufferedAmount === 0) this.#messages.ping();
  }

  get writableLength(): number {
    return this.#messages?.bufferedAmount ?? this.#raw.writableLength;
  }

  get writableNeedDrain(): boolean {
    return this.#needsDrain;
  }

  write(bytes: Buffer | string, encoding?: "latin1"): boolean {
    const messages = this.#messages;
    if (messages === null) return true;
    messages.send(
      typeof bytes === "string" ? Buffer.from(bytes, encoding) : bytes,
      { binary: true },
      this.#taken,
    );
    this.#needsDrain ||= messages.bufferedAmount > HIGH_WATER;
    return !this.#needsDrain;
  }

  end(last = "", encoding: "latin1" = "latin1"): void {
    const messages = this.#messages;
    if (messages === null) this.#raw.end();
    else {
      if (last !== "") this.write(last, encoding);
      messages.close(this.#closeCode);
    }
    process.nextTick(this.emit.bind(this, "finish"));
  }

  destroy(): void {
    if (this.#messages === null) this.#raw.destroy();
    else this.#messages.terminate();
  }

  destroySoon(): void {
    this.#raw.destroySoon();
  }

  pause(): void {
    this.#isPaused = true;
    this.#messages?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#messages?.resume();
  }

  isPaused(): boolean {
    return this.#isPaused;
  }

  setTimeout(milliseconds: number): void {
    this.#raw.setTimeout(milliseconds);
  }

  /** Counts bytes of HTTP. It is called again, after the switch, for the bytes that asked for it. */
  readonly #asked = (chunk: Buffer): void => {
    if (this.#messages !== null) return;
    this.#headBytes += chunk.length;
    this.#give(NOTHING);
  };

  readonly #arrived = (chunk: Buffer): void => {
    this.#gauge.push(chunk);
    if (this.isMidMessage) this.#give(NOTHING);
  };

  readonly #taken = (): void => {
    if (!this.#needsDrain || this.writableLength > 0) return;
    this.#needsDrain = false;
    this.emit("drain");
  };

  #blame(fault: string, closeCode: number): void {
    this.fault ??= fault;
    this.#closeCode = closeCode;
    this.#give(NOTHING);
  }

  /**
   * Catches what Node's HTTP and the package throw while they parse input: the client alone caused it. Messages are
   * emitted after that, so that an exception while one is carried out still ends the process.
   */
  #containReading(): void {
    const raw = this.#raw;
    const { emit } = raw;
    raw.emit = (event: string | symbol, ...args: unknown[]): boolean => {
      if (event !== "data") return Reflect.apply(emit, raw, [event, ...args]);
      const read: Buffer[] = [];
      this.#read = read;
      try {
        Reflect.apply(emit, raw, [event, ...args]);
      } catch (problem) {
        this.failure = problem;
        read.push(NOTHING);
      }
      this.#read = null;
      for (const data of read) this.emit("data", data);
      return true;
    };
  }

  /** Emits data, after the current reading if one is under way. */
  #give(data: Buffer): void {
    if (this.#read === null) this.emit("data", data);
    else this.#read.push(data);
  }
}
