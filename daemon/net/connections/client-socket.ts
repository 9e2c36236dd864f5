/** The part of a socket that a connection uses, and the buffer that the sockets of a listener share. */
import { type ConnectOpts, Socket, type SocketConstructorOpts } from "node:net";

export interface SocketListeners {
  data(chunk: Buffer): void;
  end(): void;
  drain(): void;
  finish(): void;
  timeout(): void;
  error(reason: Error): void;
  close(): void;
}

/**
 * A socket of a connection. The sockets of node:net implement it, and so do other byte streams such as WebSockets.
 */
export interface ClientSocket {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  /** The number of bytes that were written and not accepted by the system yet. */
  readonly writableLength: number;
  /** Whether a `drain` will be emitted. */
  readonly writableNeedDrain: boolean;
  on(event: keyof SocketListeners, listener: (...parameters: unknown[]) => void): unknown;
  off(event: keyof SocketListeners, listener: (...parameters: unknown[]) => void): unknown;
  once(event: keyof SocketListeners, listener: () => void): unknown;
  /** Writes bytes. @returns false if the client should read before more is written */
  write(bytes: Buffer | string, encoding?: "latin1"): boolean;
  /** Ends the stream. */
  end(): unknown;
  end(text: string, encoding: "latin1"): unknown;
  destroy(): unknown;
  /** Closes after all written bytes have been sent. */
  destroySoon(): void;
  pause(): unknown;
  resume(): unknown;
  isPaused(): boolean;
  /** Emits `timeout` when nothing has been sent or received for this time; 0 turns the timeout off. */
  setTimeout(milliseconds: number): unknown;
}

/**
 * The size of the buffer, four times Node's default, so that values of 64 KiB arrive in one piece and are copied once.
 */
const BUFFER_BYTES = 256 * 1024;

/** A member that Node's types omit. Constructor options and sockets have had it since version 0.x. */
interface Handled {
  _handle?: object | null;
}

/**
 * The buffer into which all sockets of a listener read. By default, Node allocates a buffer of 64 KiB for each read,
 * shrinks it and leaves it to the garbage collector, which is a third of the cost of a short command. The documented
 * option `onread` works only for sockets that open the connection, so the handle of an accepted socket is moved to a
 * new socket.
 */
export class SharedInput {
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  readonly #copies: boolean;

  /**
   * Creates a buffer.
   * @param copies  whether each chunk is a copy that the receiver may keep; otherwise the next chunk overwrites it
   */
  constructor(copies = false) {
    this.#copies = copies;
  }

  /**
   * Moves a connection to a socket that reads into the buffer.
   * @param accepted  a socket that a server has just accepted, with half-open connections allowed; the caller must not
   *   use it afterwards
   * @returns a socket for the same connection; the same socket if it has no handle of its own, as with TLS
   */
  take(accepted: Socket): Socket {
    const { _handle: handle } = accepted as Handled;
    if ("encrypted" in accepted || handle === null || handle === undefined) return accepted;
    (accepted as Handled)._handle = null;

    const callback = (length: number, buffer: Uint8Array) => {
      const chunk = (buffer as Buffer).subarray(0, length);
      socket.emit("data", this.#copies ? Buffer.from(chunk) : chunk);
      return true;
    };

    const options: SocketConstructorOpts & ConnectOpts & { handle: object } = {
      handle,
      allowHalfOpen: true,
      readable: true,
      writable: true,
      onread: { buffer: this.#buffer, callback },
    };
    const socket = new Socket(options);
    return socket;
  }
}
