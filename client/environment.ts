/**
 * What a client needs of the outside: a clock, a timer, randomness and sockets. Handed in, so that a test can
 * run thousands of seconds of trouble on simulated ones. Source: DESIGN.md "Where things live".
 */
import { connect as connectTcp, type Socket } from "node:net";

/** A timer that has been set. It keeps the process alive until it fires, is cancelled, or is told not to. */
export interface Timer {
  cancel(): void;
  /** Whether the process stays alive for it. */
  hold(held: boolean): void;
}

/** A stream of bytes to one daemon. It never keeps the process alive by merely waiting for bytes. */
export interface ClientSocket {
  write(bytes: Buffer): void;
  /** Closes at once; no event comes after it. */
  destroy(): void;
  /**
   * Bytes written that the operating system has not taken yet. While there are any, they keep the process
   * alive.
   */
  unsentBytes(): number;
}

/** What a socket tells. `closed` comes at most once and last. */
export interface SocketEvents {
  opened(): void;
  received(chunk: Buffer): void;
  /** @param error  null: the other side closed the stream in the regular way */
  closed(error: SocketError | null): void;
}

/**
 * As node:net reports trouble: `code` is `ECONNREFUSED` and the like, `syscall` is `connect`, `getaddrinfo`,
 * `write` …
 */
export interface SocketError {
  readonly message: string;
  readonly code?: string | undefined;
  readonly syscall?: string | undefined;
}

export interface Environment {
  /** Milliseconds of a clock that never goes back; where it starts does not matter. */
  now(): number;
  setTimer(ms: number, fire: () => void): Timer;
  /** At least 0, below 1. */
  random(): number;
  /** Begins to connect; events come later, never during this call. */
  openSocket(host: string, port: number, events: SocketEvents): ClientSocket;
}

/** The real thing. */
export const realEnvironment: Environment = {
  now: () => performance.now(),
  random: Math.random,
  setTimer(ms, fire) {
    const timeout = setTimeout(fire, ms);
    return {
      cancel: () => clearTimeout(timeout),
      hold: (held) => void (held ? timeout.ref() : timeout.unref()),
    };
  },
  openSocket(host, port, events) {
    const socket = connectTcp({ host, port, noDelay: true });
    listen(socket, events);
    return {
      write: (bytes) => void socket.write(bytes),
      unsentBytes: () => socket.writableLength,
      destroy() {
        socket.removeAllListeners();
        // Trouble of a socket that nobody needs any more is nobody's trouble.
        socket.on("error", ignore);
        socket.destroy();
      },
    };
  },
};

function listen(socket: Socket, events: SocketEvents): void {
  let open = true;
  const closed = (error: SocketError | null) => {
    if (!open) return;
    open = false;
    events.closed(error);
  };
  socket.unref();
  socket.on("connect", () => {
    // A name with several addresses makes node:net try one handle after the other, and each new one holds the
    // process.
    socket.unref();
    events.opened();
  });
  socket.on("data", (chunk: Buffer) => events.received(chunk));
  socket.on("error", (error: NodeJS.ErrnoException) => closed(error));
  socket.on("end", () => closed(null));
  socket.on("close", () => closed(null));
}

function ignore(): void {}
