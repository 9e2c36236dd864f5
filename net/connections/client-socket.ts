/**
 * The part of a socket that a connection uses: node:net's sockets have it, and so has anything else that carries
 * bytes like one.
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
  /** Bytes that were written, and not taken by the system. */
  readonly writableLength: number;
  /** Whether a `drain` will be emitted. */
  readonly writableNeedDrain: boolean;
  on(event: keyof SocketListeners, listener: (...parameters: unknown[]) => void): unknown;
  off(event: keyof SocketListeners, listener: (...parameters: unknown[]) => void): unknown;
  once(event: keyof SocketListeners, listener: () => void): unknown;
  /** @returns false: the client has to take something first */
  write(bytes: Buffer | string, encoding?: "latin1"): boolean;
  /** Says no more. */
  end(): unknown;
  end(text: string, encoding: "latin1"): unknown;
  destroy(): unknown;
  /** Closes after what was written. */
  destroySoon(): void;
  pause(): unknown;
  resume(): unknown;
  isPaused(): boolean;
  /** Emits `timeout` when nothing has been sent or received for that long; 0: never. */
  setTimeout(milliseconds: number): unknown;
}
