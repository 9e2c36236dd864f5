import type { ByteString } from "../../../protocol/byte-string.js";
import type { UpstreamAddress } from "./server-address.js";
import {
  failed,
  type ServerFacts,
  UpstreamConnection,
  type UpstreamLimits,
  type UpstreamOutcome,
  type UpstreamSession,
} from "./upstream-connection.js";

/** The clock and timers for servers and their connections. */
export interface UpstreamEnvironment {
  /** Returns the milliseconds since an arbitrary start; never jumps. */
  uptime(): number;
  /** Runs a step once, after the given number of milliseconds. @returns a function that cancels it */
  setTimer(milliseconds: number, step: () => void): () => void;
  /** Returns a number from 0 (inclusive) to 1 (exclusive). */
  random(): number;
}

/** A statement that waits for a connection. */
interface Waiter {
  readonly session: UpstreamSession;
  readonly take: (connection: UpstreamConnection | null) => void;
}

/**
 * The connections to one server. Each statement has exclusive use of a connection, in its client's session. Clients
 * with different logins or page lengths do not share connections. If all connections are in use, statements wait in a
 * queue.
 */
export class UpstreamPool {
  readonly #serverAddress: UpstreamAddress;
  readonly #limits: UpstreamLimits;
  readonly #environment: UpstreamEnvironment;
  readonly #all = new Set<UpstreamConnection>();
  /** The idle connections, with the times of their last use; the oldest is first. */
  readonly #idle = new Map<UpstreamConnection, number>();
  readonly #waiters = new Set<Waiter>();
  readonly #facts: ServerFacts = { hasErred: false };
  #heldBytes = 0;
  #isClosed = false;
  #cancelSweep: (() => void) | null = null;

  constructor(serverAddress: UpstreamAddress, limits: UpstreamLimits, environment: UpstreamEnvironment) {
    this.#serverAddress = serverAddress;
    this.#limits = limits;
    this.#environment = environment;
  }

  get connections(): number {
    return this.#all.size;
  }

  /** The number of statements that wait for a connection. */
  get waiting(): number {
    return this.#waiters.size;
  }

  async execute(session: UpstreamSession, statement: ByteString): Promise<UpstreamOutcome> {
    const { maxWaiting } = this.#limits;
    const connection = this.#isClosed ? null : this.#takeConnection(session);
    if (connection !== null) return this.#executeOn(connection, session, statement);
    if (this.#isClosed) return failed("closed", "no", "");
    if (this.#waiters.size >= maxWaiting) return failed("busy", "no", `${maxWaiting} statements are waiting`);
    const freed = await this.#wait(session);
    return freed === null
      ? failed("busy", "no", "no connection became free")
      : this.#executeOn(freed, session, statement);
  }

  /** Handles a server that is down: the outcome of sent statements is unknown, and waiting statements were not sent. */
  abandon(detail: string): void {
    for (const { take } of [...this.#waiters]) take(null);
    for (const connection of [...this.#all]) connection.close("timeout", detail);
  }

  /** Closes all connections. Pending statements fail. */
  close(): void {
    this.#isClosed = true;
    this.#cancelSweep?.();
    for (const { take } of [...this.#waiters]) take(null);
    for (const connection of [...this.#all]) connection.close();
  }

  async #executeOn(
    connection: UpstreamConnection,
    session: UpstreamSession,
    statement: ByteString,
  ): Promise<UpstreamOutcome> {
    try {
      return await connection.execute(session, statement);
    } finally {
      this.#release(connection);
    }
  }

  /** Returns a suitable connection; null if all are in use and no more are allowed. */
  #takeConnection(session: UpstreamSession): UpstreamConnection | null {
    let ready: UpstreamConnection | null = null;
    let other: UpstreamConnection | null = null;
    // The most recently used connection is preferred, so that unneeded ones expire.
    for (const connection of this.#idle.keys()) {
      const fit = connection.preparationFor(session);
      if (fit === "ready") ready = connection;
      else if (fit === "needs-use") other = connection;
    }

    const hasRoom = this.#all.size < this.#limits.maxConnections;
    const found = ready ?? (hasRoom ? this.#makeConnection() : other);
    if (found !== null) {
      this.#idle.delete(found);
      return found;
    }

    const [oldest] = this.#idle.keys();
    if (oldest === undefined) return null;
    // The connection is removed before it reports its end, because a waiting statement could otherwise use its slot.
    this.#all.delete(oldest);
    this.#idle.delete(oldest);
    oldest.close();
    return this.#makeConnection();
  }

  #makeConnection(): UpstreamConnection {
    const serverAddress = this.#serverAddress;
    const limits = this.#limits;
    const environment = this.#environment;
    const connection = new UpstreamConnection({
      serverAddress,
      limits,
      facts: this.#facts,
      setTimer: (milliseconds, step) => environment.setTimer(milliseconds, step),
      held: (bytes) => this.#hold(bytes),
      disconnected: (disconnected) => this.#forget(disconnected),
    });
    this.#all.add(connection);
    return connection;
  }

  #release(connection: UpstreamConnection): void {
    if (!connection.isClosed) this.#idle.set(connection, this.#environment.uptime());
    this.#serveWaiters();
    this.#sweepLater();
  }

  #forget(connection: UpstreamConnection): void {
    this.#idle.delete(connection);
    if (this.#all.delete(connection)) this.#serveWaiters();
  }

  #serveWaiters(): void {
    for (const waiter of this.#waiters) {
      const connection = this.#isClosed ? null : this.#takeConnection(waiter.session);
      if (connection === null) return;
      waiter.take(connection);
    }
  }

  #wait(session: UpstreamSession): Promise<UpstreamConnection | null> {
    return new Promise((resolve) => {
      const limits = this.#limits;
      const environment = this.#environment;
      const waiter: Waiter = {
        session,
        take: (connection) => {
          cancel();
          this.#waiters.delete(waiter);
          resolve(connection);
        },
      };
      const cancel = environment.setTimer(limits.replyTimeout, () => waiter.take(null));
      this.#waiters.add(waiter);
    });
  }

  /** Limits the total size of the answers that are being received. Above the limit, the largest one is aborted. */
  #hold(bytes: number): void {
    this.#heldBytes += bytes;
    if (bytes < 0 || this.#heldBytes <= this.#limits.maxReplyBytesTogether) return;
    let largest: UpstreamConnection | null = null;
    for (const connection of this.#all)
      if (largest === null || connection.heldBytes > largest.heldBytes) largest = connection;
    largest?.close("too-long", "the total size of the answers being received is above the limit");
  }

  /** Schedules the closing of connections that have been idle for too long. */
  #sweepLater(): void {
    if (this.#cancelSweep !== null || this.#isClosed) return;
    const limits = this.#limits;
    const environment = this.#environment;
    this.#cancelSweep = environment.setTimer(limits.idleTimeout, () => {
      this.#cancelSweep = null;
      const latest = environment.uptime() - limits.idleTimeout;
      for (const [connection, usedAt] of [...this.#idle]) if (usedAt <= latest) connection.close();
      if (this.#idle.size > 0) this.#sweepLater();
    });
  }
}
