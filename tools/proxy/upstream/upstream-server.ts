/**
 * Sends statements to one server of the SQL line protocol, and tracks whether the server is up. It counts as down after
 * several statements or heartbeats have failed; heartbeats are sent while the server is silent. While it is down,
 * statements fail immediately.
 */
import type { Logger } from "pino";
import { Backoff } from "../../../client/shared/connections.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { UpstreamAddress } from "./server-address.js";
import {
  failed,
  mayHaveUnknownOutcome,
  NEW_SESSION,
  NO_CONNECTION,
  type ServerFacts,
  UpstreamConnection,
  type UpstreamFailure,
  type UpstreamLimits,
  type UpstreamOutcome,
  type UpstreamSession,
} from "./upstream-connection.js";

/** The heartbeat. Its answer is one row, or the error that a login is required; in both cases the server is up. */
const HEARTBEAT = "alaivo 1";
/**
 * The number of consecutive timeouts and lost connections after which a server counts as down. After a refused
 * connection, it counts as down immediately.
 */
const FAILURES_MAX = 3;
const ABANDONED = "the server was declared down";
/** The failures that the server has not caused. */
const NOT_ITS_FAULT: ReadonlySet<UpstreamFailure["why"]> = new Set([
  "closed",
  "busy",
  "unsuited",
  "too-long",
  "down",
]);

export class UpstreamServer {
  readonly serverAddress: UpstreamAddress;
  readonly #limits: UpstreamLimits;
  readonly #environment: UpstreamEnvironment;
  readonly #log: Logger;
  readonly #onChanged: ((server: UpstreamServer) => void) | null;
  readonly #pool: UpstreamPool;
  readonly #backoff = new Backoff();
  #isUp = true;
  #isStopped = false;
  #failures = 0;
  #lastFailure: UpstreamFailure | null = null;
  /** The time of the server's last answer, in `uptime` milliseconds; 0 if there is none. */
  #answeredAt = 0;
  /**
   * The connection for heartbeats. It is separate from the pool, whose connections may all be executing slow
   * statements.
   */
  #heartbeatConnection: UpstreamConnection | null = null;
  readonly #facts: ServerFacts = { hasErred: false };
  #isHeartbeatPending = false;
  #cancelHeartbeat: (() => void) | null = null;

  /** Creates a server. @param onChanged  called when the server is up again or down */
  constructor(
    serverAddress: UpstreamAddress,
    limits: UpstreamLimits,
    environment: UpstreamEnvironment,
    log: Logger,
    onChanged: ((server: UpstreamServer) => void) | null = null,
  ) {
    this.serverAddress = serverAddress;
    this.#limits = limits;
    this.#environment = environment;
    this.#log = log;
    this.#onChanged = onChanged;
    this.#pool = new UpstreamPool(serverAddress, limits, environment);
  }

  /** Whether the server has answered recently, or has not received a request yet. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** The last failure since the server's last answer, or null if there is none. */
  get lastFailure(): UpstreamFailure | null {
    return this.#lastFailure;
  }

  get connections(): number {
    return this.#pool.connections;
  }

  /** The number of statements that wait for a connection. */
  get waiting(): number {
    return this.#pool.waiting;
  }

  /** Starts checking whether the server is up. */
  start(): void {
    this.#heartbeatAfter(0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelHeartbeat?.();
    this.#heartbeatConnection?.close();
    this.#pool.close();
  }

  /** Executes a statement in a session. Never rejects. */
  async execute(session: UpstreamSession, statement: ByteString): Promise<UpstreamOutcome> {
    if (!this.#isUp) return failed("down", "no", this.#lastFailure?.detail ?? "");
    const outcome = await this.#executeInPool(session, statement);
    if (outcome.kind === "failed" || !outcome.isOfSession || session.database === "") return outcome;
    // The error of a balancer without servers does not concern the database.
    if (mayHaveUnknownOutcome(outcome.frame.bytes)) return outcome;
    // The session's database was dropped. A statement that needs no database, or creates it again, can still run.
    const without = await this.#executeInPool({ ...session, database: "" }, statement);
    return without.kind === "answered" && without.frame.isError ? outcome : without;
  }

  async #executeInPool(session: UpstreamSession, statement: ByteString): Promise<UpstreamOutcome> {
    const outcome = await this.#pool.execute(session, statement);
    this.#judge(outcome);
    return outcome;
  }

  /**
   * Updates the state after an outcome.
   * @param isHung  whether the server accepted a connection but did not answer within a heartbeat's timeout
   */
  #judge(outcome: UpstreamOutcome, isHung = false): void {
    if (this.#isStopped) return;
    if (outcome.kind === "answered") {
      this.#failures = 0;
      this.#lastFailure = null;
      this.#answeredAt = this.#environment.uptime();
      this.#backoff.succeeded();
      this.#become(true);
      return;
    }

    if (NOT_ITS_FAULT.has(outcome.why)) return;
    this.#failures++;
    this.#lastFailure = outcome;
    const isOver = isHung || outcome.why === "connect" || this.#failures >= FAILURES_MAX;
    if (this.#isUp && isOver) this.#become(false);
  }

  #become(isUp: boolean): void {
    if (this.#isUp === isUp) return;
    this.#isUp = isUp;
    const log = this.#log;
    const server = this.serverAddress.text;
    if (isUp) log.info({ server }, "server is back");
    else {
      const { why, detail } = this.#lastFailure as UpstreamFailure;
      log.warn({ server, reason: why, detail }, `Erreur connexion à ${server}`);
      this.#retreat();
      // A server that refuses or closes connections may still answer pending requests. A silent one will not.
      if (why === "timeout" || detail === NO_CONNECTION) this.#pool.abandon(ABANDONED);
    }
    this.#onChanged?.(this);
  }

  async #sendHeartbeat(): Promise<void> {
    const environment = this.#environment;
    const limits = this.#limits;
    const silent = environment.uptime() - this.#answeredAt;
    if (this.#isUp && this.#answeredAt > 0 && silent < limits.heartbeatInterval) {
      this.#heartbeatAfter(limits.heartbeatInterval - silent);
      return;
    }

    this.#isHeartbeatPending = true;
    const beganAt = environment.uptime();
    const outcome = await this.#openHeartbeatConnection().execute(NEW_SESSION, HEARTBEAT);
    this.#isHeartbeatPending = false;
    const isTimeout = outcome.kind === "failed" && outcome.why === "timeout";
    this.#judge(outcome, isTimeout && this.#answeredAt < beganAt);
    if (this.#isUp) this.#heartbeatAfter(limits.heartbeatInterval);
    else this.#retreat();
  }

  /** Schedules the next attempt with an increasing, random delay, because many proxies may wait for the same server. */
  #retreat(): void {
    const environment = this.#environment;
    const now = environment.uptime();
    this.#backoff.failed({ stage: "connect", detail: "" }, now, environment.random());
    this.#heartbeatAfter(this.#backoff.wait(now));
  }

  #heartbeatAfter(milliseconds: number): void {
    this.#cancelHeartbeat?.();
    // An attempt in progress schedules the next one.
    if (this.#isStopped || this.#isHeartbeatPending) return;
    this.#cancelHeartbeat = this.#environment.setTimer(milliseconds, () => void this.#sendHeartbeat());
  }

  #openHeartbeatConnection(): UpstreamConnection {
    if (this.#heartbeatConnection !== null && !this.#heartbeatConnection.isClosed)
      return this.#heartbeatConnection;
    const serverAddress = this.serverAddress;
    const limits = this.#limits;
    const environment = this.#environment;
    this.#heartbeatConnection = new UpstreamConnection({
      serverAddress,
      facts: this.#facts,
      limits: { ...limits, replyTimeout: limits.heartbeatTimeout },
      setTimer: (milliseconds, step) => environment.setTimer(milliseconds, step),
      held() {},
      disconnected() {},
    });
    return this.#heartbeatConnection;
  }
}

/** The clock and timers for servers and their connections. */
interface UpstreamEnvironment {
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
    const connection = this.#isClosed ? null : this.#take(session);
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
  #take(session: UpstreamSession): UpstreamConnection | null {
    let ready: UpstreamConnection | null = null;
    let other: UpstreamConnection | null = null;
    // The most recently used connection is preferred, so that unneeded ones expire.
    for (const connection of this.#idle.keys()) {
      const fit = connection.preparationFor(session);
      if (fit === "ready") ready = connection;
      else if (fit === "needs-use") other = connection;
    }
    const hasRoom = this.#all.size < this.#limits.maxConnections;
    const found = ready ?? (hasRoom ? this.#make() : other);
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
    return this.#make();
  }

  #make(): UpstreamConnection {
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
      const connection = this.#isClosed ? null : this.#take(waiter.session);
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
