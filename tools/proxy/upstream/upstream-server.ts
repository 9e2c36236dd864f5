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
import { type UpstreamEnvironment, UpstreamPool } from "./upstream-pool.js";

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
      this.#setUp(true);
      return;
    }

    if (NOT_ITS_FAULT.has(outcome.why)) return;
    this.#failures++;
    this.#lastFailure = outcome;
    const isOver = isHung || outcome.why === "connect" || this.#failures >= FAILURES_MAX;
    if (this.#isUp && isOver) this.#setUp(false);
  }

  #setUp(isUp: boolean): void {
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
