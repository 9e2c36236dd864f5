/**
 * The outside world of a client: a clock, a timer, randomness and sockets. It is passed in, so that a test can run
 * thousands of seconds of faults on a simulated one. Source: CONTRIBUTING.md "Where things live".
 */
import { connect as connectTcp, type Socket } from "node:net";
import type { Endpoint, TlsPeer } from "./servers.js";
import { connectTls, HANDSHAKE_MS, handshakeTrouble, isTlsAlert, SILENT, TLS_ONLY } from "./tls.js";

/** A timer that has been set. It keeps the process alive until it fires or is cancelled, unless `hold` changes that. */
export interface Timer {
  cancel(): void;
  /** Sets whether it keeps the process alive. */
  hold(held: boolean): void;
}

/** A stream of bytes to one daemon. It never keeps the process alive by merely waiting for bytes. */
export interface ClientSocket {
  write(bytes: Buffer): void;
  /** Closes immediately; no event comes after it. */
  destroy(): void;
  /** Bytes that the operating system has not accepted yet. While there are any, they keep the process alive. */
  unsentBytes(): number;
}

/** The events of a socket. `closed` comes at most once and last. */
export interface SocketEvents {
  opened(): void;
  received(chunk: Buffer): void;
  /** @param error  null: the other side closed the stream in the regular way */
  closed(error: SocketError | null): void;
}

/**
 * An error, as node:net reports it: `code` is `ECONNREFUSED` and the like, `syscall` is `connect`, `getaddrinfo`,
 * `write` …
 */
export interface SocketError {
  readonly message: string;
  readonly code?: string | undefined;
  readonly syscall?: string | undefined;
  /** Set when the socket itself knows at which stage: there `message` is the detail. */
  readonly stage?: "tls" | undefined;
}

export interface Environment {
  /** Milliseconds of a clock that never goes back; where it starts does not matter. */
  now(): number;
  /** Milliseconds since 1970 by this machine's clock; it may be wrong, and may jump. */
  wallClock(): number;
  /** Runs it when what is being done now is through, with all that follows from promises settled by it. */
  soon(run: () => void): void;
  setTimer(ms: number, fire: () => void): Timer;
  /** Returns a random number, at least 0, below 1. */
  random(): number;
  /** Begins to connect; events come later, never during this call. */
  openSocket(endpoint: Endpoint, events: SocketEvents): ClientSocket;
}

/** The real thing. */
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
        // Errors of a closed socket have no consequence.
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
    // A name with several addresses makes node:net try one handle after the other, and each new one holds the
    // process.
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

/** Opens a TLS connection. `opened` comes when the server has proved its identity: nothing is written before. */
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
    failed: (doubt) => fail({ message: doubt, stage: "tls" }),
  });
  const closed = listen(socket, (error) => {
    clearTimeout(overdue);
    const isExplained = stage !== "tls" || error?.stage !== undefined;
    events.closed(isExplained ? error : { message: handshakeTrouble(error), stage: "tls" });
  });
  socket.on("connect", () => {
    socket.unref();
    socket.setNoDelay(true);
    stage = "tls";
    overdue = setTimeout(() => fail({ message: SILENT, stage: "tls" }), HANDSHAKE_MS).unref();
  });
  socket.on("data", (chunk: Buffer) => events.received(chunk));
  return socket;
}

/** Reports the end of a socket, once. @returns the function that does so, for other causes of its end */
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
