/**
 * A WebSocket as a connection sees its socket: the binary messages of a client, one behind the other, are the stream of bytes, and what
 * is written goes out as messages. Until the client has changed over from HTTP no byte has come.
 */
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { ClientSocket } from "../../net/connections/client-socket.js";
import { MessageGauge } from "./message-gauge.js";

/** More than so many bytes lie: the client is to take something first. */
const HIGH_WATER = 64 * 1024;
/** Nothing has come that the connection is to take; it may look at what is held, and at the time. */
const NOTHING = Buffer.alloc(0);

const NORMAL = 1000;
const UNSUPPORTED = 1003;

export class MessageSocket extends EventEmitter implements ClientSocket {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  /** What is wrong with what came; null: nothing. */
  fault: string | null = null;
  /** What was thrown while HTTP or a message was read; undefined: nothing. */
  failure: unknown;
  /** A client that is asked for a sign of life has given one, since it was looked at last. */
  hasPonged = false;
  readonly #raw: Socket;
  readonly #gauge = new MessageGauge();
  /** null: it is still HTTP that comes. */
  #messages: WebSocket | null = null;
  /** Of HTTP. */
  #headBytes = 0;
  #needsDrain = false;
  #isPaused = false;
  #closeCode = NORMAL;
  /** What has come in the bytes that are being read; null: none are. */
  #read: Buffer[] | null = null;

  /** @param raw  to whose data others listen already: they change it over */
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

  /** The client has changed over. */
  open(messages: WebSocket): void {
    this.#messages = messages;
    this.#headBytes = 0;
    // The bytes at hand are the end of what it asked for, no message. Before what is in others is told as messages, they are measured.
    this.#raw.off("data", this.#asked);
    this.#raw.prependListener("data", this.#arrived);
    if (this.#isPaused) messages.pause();
    messages.on("message", (data: Buffer, isBinary) => {
      if (isBinary) this.#give(data);
      else this.#blame("a text message; frames come in binary ones", UNSUPPORTED);
    });
    // An answer to each would be one more for a client that takes none.
    messages.on("ping", (data: Buffer) => {
      if (messages.bufferedAmount === 0) messages.pong(data);
    });
    messages.on("pong", () => {
      this.hasPonged = true;
      this.#give(NOTHING);
    });
    messages.on("error", ({ message }) => this.#blame(message, NORMAL));
  }

  /** Bytes that have come, and that nobody was given. */
  get unfinishedBytes(): number {
    return this.#headBytes + this.#gauge.bytes;
  }

  get isMidMessage(): boolean {
    return this.#messages === null ? this.#headBytes > 0 : this.#gauge.isMidMessage;
  }

  /** Asks for a sign of life. */
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

  /** Of HTTP. The bytes by which a client changes over come here too when it has. */
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
   * Catches what Node's HTTP and the package throw while they read what has come: it is this client's fault alone. Messages are handed
   * on after that, so that an exception while one is carried out still ends the process.
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

  /** Hands on what has come: after the reading of it, if it is under way. */
  #give(data: Buffer): void {
    if (this.#read === null) this.emit("data", data);
    else this.#read.push(data);
  }
}
