/**
 * The environment of a client: clock, timers, randomness and sockets. Tests replace it to simulate thousands of seconds
 * with faults. Source: CONTRIBUTING.md "Where things live".
 */
import { connect as connectTcp, type Socket } from "node:net";
import type { Endpoint, TlsPeer } from "./server-list.js";
import {
  connectTls,
  HANDSHAKE_MS,
  HANDSHAKE_TIMEOUT,
  handshakeFailure,
  isTlsAlert,
  TLS_ONLY,
} from "./tls-connection.js";

/** A timer. It keeps the process alive until it fires or is cancelled, unless `hold` changes that. */
export interface Timer {
  cancel(): void;
  /** Sets whether the timer keeps the process alive. */
  hold(held: boolean): void;
}

/** A byte stream to one daemon. Waiting for bytes does not keep the process alive. */
export interface ClientSocket {
  write(bytes: Buffer): void;
  /** Closes the socket immediately. No event follows. */
  destroy(): void;
  /** Returns the number of bytes that the operating system has not accepted yet. Such bytes keep the process alive. */
  unsentBytes(): number;
}

/** The events of a socket. `closed` is emitted at most once, and is the last event. */
export interface SocketEvents {
  opened(): void;
  received(chunk: Buffer): void;
  /** Handles the end of the stream. @param error  the error, or null if the other side closed it normally */
  closed(error: SocketError | null): void;
}

/**
 * An error as node:net reports it: `code` is for example `ECONNREFUSED`, and `syscall` `connect`, `getaddrinfo` or
 * `write`.
 */
export interface SocketError {
  readonly message: string;
  readonly code?: string | undefined;
  readonly syscall?: string | undefined;
  /** The stage, if the socket itself knows it; `message` is then the detail. */
  readonly stage?: "tls" | undefined;
}

export interface Environment {
  /** Returns the milliseconds of a monotonic clock with an arbitrary start. */
  now(): number;
  /** Returns the milliseconds since 1970 by this machine's clock, which may be wrong and may jump. */
  wallClock(): number;
  /** Calls `run` soon, after the current function and its callers have returned. */
  soon(run: () => void): void;
  setTimer(ms: number, fire: () => void): Timer;
  /** Returns a random number from 0 (inclusive) to 1 (exclusive). */
  random(): number;
  /** Begins to connect. Events are emitted later, never during this call. */
  openSocket(endpoint: Endpoint, events: SocketEvents): ClientSocket;
}

/** The environment of a real process. */
export const realEnvironment: Environment = {
  now: () => performance.now(),
  wallClock: Date.now,
  soon: process.nextTick,
  random: Math.random,
  setTimer(ms, fire) {
    const timeout = setTimeout(fire, ms);
    return {
      cancel: () => clearTimeout(timeout),
      hold: (held) => void (held ? timeout.ref() : timeout.unref()),
    };
  },
  openSocket({ host, port, tls }, events) {
    const socket = tls === null ? openPlain(host, port, events) : openTls({ host, port, tls }, events);
    return {
      write: (bytes) => void socket.write(bytes),
      unsentBytes: () => socket.writableLength,
      destroy() {
        socket.removeAllListeners();
        // Errors of a closed socket can be ignored.
        socket.on("error", ignore);
        socket.destroy();
      },
    };
  },
};

function openPlain(host: string, port: number, events: SocketEvents): Socket {
  const socket = connectTcp({ host, port, noDelay: true });
  const closed = listen(socket, (error) => events.closed(error));
  socket.on("connect", () => {
    // For a name with several addresses, node:net tries one handle after the other, and each new handle keeps the
    // process alive.
    socket.unref();
    events.opened();
  });

  let isFirst = true;
  socket.on("data", (chunk: Buffer) => {
    if (isFirst && isTlsAlert(chunk)) {
      socket.destroy();
      closed({ message: TLS_ONLY, stage: "tls" });
      return;
    }
    isFirst = false;
    events.received(chunk);
  });

  return socket;
}

/** Opens a TLS connection. `opened` is emitted once the server has proved its identity; nothing is written before. */
function openTls(endpoint: Endpoint & { tls: TlsPeer }, events: SocketEvents): Socket {
  let stage: "connect" | "tls" | "open" = "connect";
  let overdue: NodeJS.Timeout | undefined;
  const fail = (error: SocketError) => {
    if (socket.destroyed) return;
    socket.destroy();
    closed(error);
  };

  const socket = connectTls(endpoint, {
    secured() {
      stage = "open";
      clearTimeout(overdue);
      events.opened();
    },
    failed: (certificateProblem) => fail({ message: certificateProblem, stage: "tls" }),
  });
  const closed = listen(socket, (error) => {
    clearTimeout(overdue);
    const isExplained = stage !== "tls" || error?.stage !== undefined;
    events.closed(isExplained ? error : { message: handshakeFailure(error), stage: "tls" });
  });

  socket.on("connect", () => {
    socket.unref();
    socket.setNoDelay(true);
    stage = "tls";
    overdue = setTimeout(() => fail({ message: HANDSHAKE_TIMEOUT, stage: "tls" }), HANDSHAKE_MS).unref();
  });

  socket.on("data", (chunk: Buffer) => events.received(chunk));
  return socket;
}

/** Reports the end of a socket once. @returns a function that reports the end for another cause */
function listen(socket: Socket, closed: SocketEvents["closed"]): SocketEvents["closed"] {
  let open = true;
  const once = (error: SocketError | null) => {
    if (!open) return;
    open = false;
    closed(error);
  };
  socket.unref();
  socket.on("error", (error: NodeJS.ErrnoException) => once(error));
  socket.on("end", () => once(null));
  socket.on("close", () => once(null));
  return once;
}

function ignore(): void {}
