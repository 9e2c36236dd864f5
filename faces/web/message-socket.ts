/**
 * A WebSocket with the interface of a socket. The client's binary messages, one after the other, form the stream of
 * bytes, and each write is sent as a message. No byte is delivered before the client has switched from HTTP.
 */
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { ClientSocket } from "../../daemon/net/connections/client-socket.js";

/** The number of pending bytes above which writing pauses until the client reads. */
const HIGH_WATER = 64 * 1024;
/** An empty chunk. When the connection receives it, the connection only checks its limits and timeouts. */
const NOTHING = Buffer.alloc(0);

const NORMAL = 1000;
const UNSUPPORTED = 1003;

export class MessageSocket extends EventEmitter implements ClientSocket {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  /** The client's violation of the protocol, or null if there is none. */
  fault: string | null = null;
  /** The exception that was thrown while HTTP or a message was parsed, or undefined if there is none. */
  failure: unknown;
  /** Whether the client has answered a ping since this property was last reset. */
  hasPonged = false;
  readonly #raw: Socket;
  readonly #gauge = new MessageGauge();
  /** The WebSocket, or null if the client still uses HTTP. */
  #messages: WebSocket | null = null;
  /** The number of bytes of the HTTP request. */
  #headBytes = 0;
  #needsDrain = false;
  #isPaused = false;
  #closeCode = NORMAL;
  /** The data found in the bytes that are being parsed, or null if nothing is being parsed. */
  #read: Buffer[] | null = null;

  /** @param raw  the socket on which the HTTP server already listens */
  constructor(raw: Socket) {
    super();
    this.#raw = raw;
    this.remoteAddress = raw.remoteAddress;
    this.remotePort = raw.remotePort;
    this.#containReading();
    raw.on("data", this.#countHttp);
    raw.on("error", (reason) => this.emit("error", reason));
    for (const event of ["timeout", "close"]) raw.on(event, this.emit.bind(this, event));
  }

  /** Begins to deliver messages, because the client has switched to WebSocket. */
  open(messages: WebSocket): void {
    this.#messages = messages;
    this.#headBytes = 0;
    // The current bytes end the HTTP request and are not a message. Later bytes are measured before `ws` parses them.
    this.#raw.off("data", this.#countHttp);
    this.#raw.prependListener("data", this.#countMessage);
    if (this.#isPaused) messages.pause();
    messages.on("message", (data: Buffer, isBinary) => {
      if (isBinary) this.#deliver(data);
      else this.#blame("a text message; frames must be sent in binary messages", UNSUPPORTED);
    });
    // Answering every ping would fill the buffer of a client that does not read.
    messages.on("ping", (data: Buffer) => {
      if (messages.bufferedAmount === 0) messages.pong(data);
    });
    messages.on("pong", () => {
      this.hasPonged = true;
      this.#deliver(NOTHING);
    });
    messages.on("error", ({ message }) => this.#blame(message, NORMAL));
  }

  /** The number of received bytes that the connection has not read. */
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
      this.#sent,
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

  /** Counts the bytes of HTTP. Node calls this listener once more after the switch, for the bytes that requested it. */
  readonly #countHttp = (chunk: Buffer): void => {
    if (this.#messages !== null) return;
    this.#headBytes += chunk.length;
    this.#deliver(NOTHING);
  };

  readonly #countMessage = (chunk: Buffer): void => {
    this.#gauge.push(chunk);
    if (this.isMidMessage) this.#deliver(NOTHING);
  };

  readonly #sent = (): void => {
    if (!this.#needsDrain || this.writableLength > 0) return;
    this.#needsDrain = false;
    this.emit("drain");
  };

  #blame(fault: string, closeCode: number): void {
    this.fault ??= fault;
    this.#closeCode = closeCode;
    this.#deliver(NOTHING);
  }

  /**
   * Catches the exceptions that Node's HTTP server and the package throw while they parse input, because only the
   * client can cause them. Messages are emitted afterwards, so that an exception while a message is processed still
   * ends the process.
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

  /** Emits data, but only after the current parsing if there is any. */
  #deliver(data: Buffer): void {
    if (this.#read === null) this.emit("data", data);
    else this.#read.push(data);
  }
}

/**
 * The number of bytes added to the size for each received chunk and each fragment, because `ws` stores every chunk and
 * fragment in an object. A message that arrives byte by byte therefore reaches the size limit early.
 */
const PIECE_BYTES = 200;

const IS_LAST = 0x80;
const OPCODE = 0x0f;
const IS_CONTROL = 0x08;
const LENGTH = 0x7f;
/** The length of the mask, which each frame of a client has: the package closes the connection of another client. */
const MASK_BYTES = 4;
/** The number of additional head bytes for the length, by the length code in the second byte. */
const EXTENDED_LENGTH_BYTES: Readonly<Record<number, number>> = { 126: 2, 127: 8 };
const HEAD_MAX = 14;

/**
 * The size of an incomplete WebSocket message, which the package `ws` buffers without reporting its size. Only lengths
 * are read; the package checks everything else. Source: RFC 6455, 5.2.
 */
export class MessageGauge {
  /** The estimated memory of the incomplete message in bytes, or 0 if no message is incomplete. */
  bytes = 0;
  #isMidMessage = false;
  readonly #head = Buffer.alloc(HEAD_MAX);
  #headLength = 0;
  /** The number of bytes of the current fragment that have not arrived yet. */
  #missing = 0;

  /** Whether a message is incomplete. */
  get isMidMessage(): boolean {
    return this.#isMidMessage || this.#headLength > 0;
  }

  /** Counts a received chunk of the stream. */
  push(chunk: Buffer): void {
    this.bytes += PIECE_BYTES;
    let at = 0;
    while (at < chunk.length) {
      if (this.#missing > 0) {
        const step = Math.min(this.#missing, chunk.length - at);
        at += step;
        this.bytes += step;
        this.#missing -= step;
      } else {
        this.#head[this.#headLength++] = chunk[at++] as number;
        this.bytes++;
        if (this.#headLength < this.#headSize) continue;
        this.#missing = this.#payload;
        this.bytes += PIECE_BYTES;
      }
      if (this.#missing === 0) this.#endPiece();
    }
    if (!this.isMidMessage) this.bytes = 0;
  }

  /** The length of the head. It is 2 until the second byte, which determines the length, has arrived. */
  get #headSize(): number {
    if (this.#headLength < 2) return 2;
    return 2 + (EXTENDED_LENGTH_BYTES[(this.#head[1] as number) & LENGTH] ?? 0) + MASK_BYTES;
  }

  get #payload(): number {
    const short = (this.#head[1] as number) & LENGTH;
    if (short === 126) return this.#head.readUInt16BE(2);
    return short === 127 ? Number(this.#head.readBigUInt64BE(2)) : short;
  }

  #endPiece(): void {
    const first = this.#head[0] as number;
    this.#headLength = 0;
    if ((first & OPCODE & IS_CONTROL) !== 0) return;
    this.#isMidMessage = (first & IS_LAST) === 0;
    if (!this.#isMidMessage) this.bytes = 0;
  }
}
