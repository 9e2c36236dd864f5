/**
 * Determines the date from which a daemon accepts envelopes. The data in a Redis may include envelopes that the
 * previous process applied, and whose ids this process does not know. Therefore no envelope is accepted that may be
 * dated before this start. The time of the start is taken from the daemon's clock or, if it is later, from the clock of
 * a Redis, so that setting the daemon's clock back does not allow a replay. Source: SECURITY.md, "Restarts in front of
 * a Redis".
 */
import type { Logger } from "pino";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ErrorReply, Reply } from "../../../protocol/reply.js";
import { dateText } from "../../../protocol/version-2/envelope.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { Service } from "../../net/process/service.js";
import { type Refused, refused } from "../answers/request.js";
import type { BackendFailure, Outcome } from "../backends/backend.js";

export interface Floor {
  /**
   * Nothing dated at or before this date is accepted, except recorded envelopes on a daemon with a timeline. The date
   * may increase until all databases have reported their time.
   */
  readonly date: number;
  /** The refusal of all envelopes, whatever their dates, until the floor is known; then null. */
  readonly pending: Refused | null;
}

/** A database that can report its time. */
export interface TimedDatabase {
  /** The database's name in the log. */
  readonly name: string;
  /** Executes a command; a returned promise never rejects. */
  execute(argv: readonly ByteString[]): Outcome | Promise<Outcome>;
}

/** The interval between two requests to a database that has not reported its time, in milliseconds. */
const RETRY_MS = 250;
/**
 * The minimum lag of the daemon's clock that is logged, in milliseconds. Synchronized clocks differ by less, even
 * including the time of the request.
 */
const LAG_LOGGED_MS = 1000;
/**
 * Milliseconds by which a client on the same machine may date its envelope too early, because dates are whole
 * milliseconds.
 */
const DATED_EARLY_MS = 1;
/**
 * The maximum milliseconds that `start` waits for the date to pass. The wait is limited in case the clock is set back.
 */
const PASS_MS_MAX = 20;

export class StartFloor implements Floor, Service {
  date: number;
  pending: Refused | null = null;
  readonly #databases: readonly TimedDatabase[];
  readonly #future: number;
  readonly #environment: Environment;
  readonly #log: Logger;
  /** The uptime at the start. It is used instead of the clock, which may be corrected before a database answers. */
  readonly #startedAt: number;
  /** The databases that have not reported their time yet, each with the refusal of envelopes until it does. */
  readonly #awaited = new Map<TimedDatabase, Refused>();
  readonly #timers = new Map<TimedDatabase, () => void>();
  #isStopped = false;

  /**
   * @param databases  the databases that outlive the daemon
   * @param future     milliseconds by which an envelope may be dated ahead
   */
  constructor({
    databases,
    future,
    environment,
    log,
  }: {
    readonly databases: readonly TimedDatabase[];
    readonly future: number;
    readonly environment: Environment;
    readonly log: Logger;
  }) {
    this.#databases = databases;
    this.#future = future;
    this.#environment = environment;
    this.#log = log;
    this.#startedAt = environment.uptime();
    this.date = environment.clock() + future;
    for (const database of databases) {
      this.#await(database, refused("catching-up", `${database.name} has not reported its time yet`));
    }
  }

  /**
   * Begins to request the time of the databases in the background, because a database may be down at the start. Without
   * databases, resolves when the date has passed, so that the first client's envelope is not refused as too old.
   */
  async start(): Promise<void> {
    for (const database of this.#databases) void this.#requestTime(database);
    if (this.#databases.length === 0) await this.#pass();
  }

  async #pass(): Promise<void> {
    const environment = this.#environment;
    const until = environment.uptime() + PASS_MS_MAX;
    while (environment.clock() <= this.date + DATED_EARLY_MS && environment.uptime() < until)
      await new Promise<void>((resolve) => void environment.setTimer(1, resolve));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const cancel of this.#timers.values()) cancel();
  }

  async #requestTime(database: TimedDatabase): Promise<void> {
    const requestedAt = this.#environment.uptime();
    const outcome = await database.execute(["TIME"]);
    if (this.#isStopped) return;
    if (outcome.kind === "failed" || isTemporary(outcome)) return this.#retryLater(database, outcome);

    const time = timeOf(outcome);
    if (time === null)
      this.#log.warn({ database: database.name, reason: reasonOf(outcome) }, NO_TIME_REPORTED);
    else this.#raise(database, time, requestedAt);
    this.#awaited.delete(database);
    this.#updatePending();
  }

  #retryLater(database: TimedDatabase, outcome: BackendFailure | ErrorReply): void {
    const refusal = refusalBy(database, outcome);
    const isNew = this.#awaited.get(database)?.detail !== refusal.detail;
    // Log only errors, because the backend has already logged that a database cannot be reached.
    if (isNew && outcome.kind === "error") this.#log.warn({ reason: refusal.detail }, TIME_AWAITED);
    this.#await(database, refusal);
    const requestTime = () => void this.#requestTime(database);
    this.#timers.set(database, this.#environment.setTimer(RETRY_MS, requestTime));
  }

  /** Raises the date according to a database's time. @param requestedAt  the uptime when the time was requested */
  #raise(database: TimedDatabase, time: number, requestedAt: number): void {
    const startedAt = Math.ceil(time - (requestedAt - this.#startedAt));
    this.date = Math.max(this.date, startedAt + this.#future);
    const behindMs = time - Math.floor(this.#environment.clock());
    if (behindMs < LAG_LOGGED_MS) return;
    const clock = dateText(time - behindMs);
    this.#log.warn(
      { database: database.name, clock, behindMs, takesFrom: dateText(this.date + 1) },
      CLOCK_LAGS,
    );
  }

  #await(database: TimedDatabase, refusal: Refused): void {
    this.#awaited.set(database, refusal);
    this.#updatePending();
  }

  #updatePending(): void {
    const [first = null] = this.#awaited.values();
    this.pending = first;
  }
}

/** Parses the reply to TIME. @returns milliseconds since 1970, or null if it is another reply */
function timeOf(reply: Reply): number | null {
  if (reply.kind !== "array" || reply.items.length !== 2) return null;
  const [seconds, microseconds] = reply.items.map((item) =>
    item.kind === "bulk" && /^\d{1,13}$/.test(item.bytes) ? Number(item.bytes) : Number.NaN,
  ) as [number, number];
  const time = seconds * 1000 + Math.floor(microseconds / 1000);
  return Number.isNaN(time) ? null : time;
}

/**
 * Returns whether a later request may succeed, as after the errors BUSY and NOAUTH. It cannot succeed if the server has
 * no TIME command or does not permit it.
 */
const isTemporary = (reply: Reply): reply is ErrorReply =>
  reply.kind === "error" && !/^(NOPERM |ERR unknown command)/.test(reply.text);

const reasonOf = (reply: Reply): string =>
  reply.kind === "error" ? reply.text : `a reply of type ${reply.kind}`;

function refusalBy(database: TimedDatabase, outcome: BackendFailure | ErrorReply): Refused {
  if (outcome.kind === "error")
    return refused("catching-up", `${database.name} does not report its time: ${outcome.text}`);
  // The failed request is TIME, and not the envelope: whatever its effect was, no part of the envelope was applied.
  return refused(outcome.effect === "not-applied" ? outcome.code : "catching-up", outcome.detail);
}

const CLOCK_LAGS =
  "this clock is behind the clock of a Redis server: no command of version 2 dated before takesFrom is accepted; " +
  "check both clocks (chronyc tracking), and restart the daemon if the server's clock was wrong";
const NO_TIME_REPORTED =
  "the Redis server does not report its time, so a clock that was set back cannot be detected; permit its user the command TIME (+time)";
const TIME_AWAITED = "no command of version 2 is accepted until the Redis server has reported its time";
