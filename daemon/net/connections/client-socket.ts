/**
 * The part of a socket that a connection uses. The sockets of node:net implement it, and so do other byte streams such
 * as WebSockets.
 */

export interface SocketListeners {
  data(chunk: Buffer): void;
  end(): void;
  drain(): void;
  finish(): void;
  timeout(): void;
  error(reason: Error): void;
  close(): void;
}

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
