/**
 * A Redis server as a backend, through ioredis: one connection for all clients, commands written as they
 * come without waiting for the replies before. What was sent once is never sent again: after a failure its
 * outcome is unknown.
 */
import { Command, Redis, type RedisOptions } from "ioredis";
import type { Logger } from "pino";
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import { error } from "../../protocol/reply.js";
import type { Environment } from "../../serving/process/environment.js";
import type { RedisSpecification } from "../options/database-list.js";
import type { Backend, BackendFailure, Outcome } from "./backend.js";
import { isolationOf } from "./isolation.js";
import { replyOfRedis } from "./redis-reply.js";

/**
 * Full jitter: a random time up to a bound that doubles with each attempt, from the first to the last of
 * these.
 */
const RECONNECT_FIRST_MS = 50;
const RECONNECT_MOST_MS = 2000;
/** Milliseconds between two log lines that say that the server is still away. */
const REMINDER_MS = 60_000;

/** What ioredis says when its `commandTimeout` has passed. */
const TIMED_OUT = "Command timed out";

export interface RedisBackendParts {
  readonly specification: RedisSpecification;
  /** Milliseconds for a command, and for connecting. */
  readonly timeout: number;
  readonly environment: Environment;
  readonly log: Logger;
}

type Waiter = (failure: BackendFailure | null) => void;

export class RedisBackend implements Backend {
  readonly name: string;
  /** The one that the connection is on; others would need a connection each. */
  readonly databases = 1;
  readonly #parts: RedisBackendParts;
  readonly #redis: Redis;
  /** Requests that came while a connection was being made. */
  readonly #waiters = new Set<Waiter>();
  #lastError = "not connected yet";
  #remindedAt = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(parts: RedisBackendParts) {
    this.#parts = parts;
    this.name = parts.specification.name;
    this.#redis = new Redis(redisOptions(parts));
  }

  /** Connects in the background: a database that is down at the start may come up later. */
  async start(): Promise<void> {
    const redis = this.#redis;
    redis.on("ready", () => this.#up());
    redis.on("error", (reason: Error) => {
      this.#lastError = sentenceOf(reason);
    });
    redis.on("close", () => this.#down());
    redis.connect().catch(() => {});
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#redis.disconnect();
    this.#release(this.#failure("database-down", "the daemon is stopping"));
  }

  get up(): boolean {
    return this.#redis.status === "ready";
  }

  get timeout(): number {
    return this.#redis.options.commandTimeout ?? this.#parts.timeout;
  }

  set timeout(timeout: number) {
    this.#redis.options.commandTimeout = timeout;
  }

  execute(argv: readonly ByteString[]): Outcome | Promise<Outcome> {
    const name = (argv[0] as ByteString).toUpperCase();
    if (!isAscii(name)) return error(`ERR unknown command '${argv[0]}'`);
    const isolation = isolationOf(name, argv);
    if (isolation.kind === "none") return this.#failure("not-carried", `${name}: ${isolation.reason}`);
    if (isolation.kind === "own") return this.#executeAlone(name, argv);
    if (this.#redis.status === "ready") return this.#send(this.#redis, name, argv);
    return this.#executeWhenReady(name, argv);
  }

  /** As MULTI and EXEC, written without anything in between. */
  async executeTogether(commands: readonly (readonly ByteString[])[]): Promise<Outcome> {
    for (const argv of commands) {
      const isolation = isolationOf((argv[0] as ByteString).toUpperCase(), argv);
      if (isolation.kind !== "shared") return error(`ERR ${argv[0]} is not carried by a transaction`);
    }
    const failure = this.#redis.status === "ready" ? null : await this.#whenReady();
    if (failure !== null) return failure;
    const steps = [["MULTI"], ...commands, ["EXEC"]].map((argv) =>
      this.#send(this.#redis, (argv[0] as ByteString).toUpperCase(), argv),
    );
    const outcomes = await Promise.all(steps);
    const failed = outcomes.find((outcome) => outcome.kind === "failed");
    // A command that was not queued says why better than EXEC does.
    return failed ?? outcomes.find((outcome) => outcome.kind === "error") ?? (outcomes.at(-1) as Outcome);
  }

  async #executeWhenReady(name: string, argv: readonly ByteString[]): Promise<Outcome> {
    const failure = await this.#whenReady();
    return failure ?? this.#send(this.#redis, name, argv);
  }

  async #whenReady(): Promise<BackendFailure | null> {
    const { status } = this.#redis;
    return status === "connecting" || status === "connect" || status === "wait"
      ? await this.#ready()
      : this.#failure("database-down", this.#lastError);
  }

  #ready(): Promise<BackendFailure | null> {
    return new Promise((resolve) => {
      const waiter: Waiter = (failure) => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        resolve(failure);
      };
      const timer = setTimeout(
        () => waiter(this.#failure("database-down", `no connection yet: ${this.#lastError}`)),
        this.timeout,
      );
      this.#waiters.add(waiter);
    });
  }

  #release(failure: BackendFailure | null): void {
    for (const waiter of [...this.#waiters]) waiter(failure);
  }

  /** For commands that would leave their mark on the shared connection, or hold it up. */
  async #executeAlone(name: string, argv: readonly ByteString[]): Promise<Outcome> {
    const redis = this.#redis.duplicate({ retryStrategy: null, enableReadyCheck: false });
    let reason = "";
    redis.on("error", (problem: Error) => {
      reason = sentenceOf(problem);
    });
    try {
      await redis.connect();
    } catch (problem) {
      redis.disconnect();
      return this.#failure("database-down", reason === "" ? sentenceOf(problem) : reason);
    }
    const outcome = await this.#send(redis, name, argv);
    redis.disconnect();
    return outcome;
  }

  /**
   * An upper-case name keeps ioredis from reshaping arguments and replies: its tables hold lower-case ones.
   */
  #send(redis: Redis, name: string, argv: readonly ByteString[]): Promise<Outcome> {
    const args: (string | Buffer)[] = [];
    for (let i = 1; i < argv.length; i++) {
      const argument = argv[i] as ByteString;
      args.push(isAscii(argument) ? argument : Buffer.from(argument, "latin1"));
    }
    const command = new Command(name, args, { replyEncoding: null });
    redis.sendCommand(command);
    return command.promise.then(replyOfRedis, (problem) => this.#outcomeOfProblem(redis, problem));
  }

  #outcomeOfProblem(redis: Redis, problem: unknown): Outcome {
    if (!(problem instanceof Error)) throw problem;
    if (problem.name === "ReplyError") return error(bytesOfText(problem.message));
    if (problem.message === TIMED_OUT) {
      // Replies come in order, so nothing on this connection can be answered before it; a fresh one may
      // fare better.
      this.#lastError = "the server did not answer in time";
      redis.stream.destroy();
      return this.#failure("database-timeout", TIMED_OUT.toLowerCase());
    }
    if (problem.message.startsWith("Stream isn't writeable"))
      return this.#failure("database-down", this.#lastError);
    // The library's own words are about an option of its own.
    const isAborted = problem.name === "MaxRetriesPerRequestError";
    return this.#failure("database-lost", isAborted ? this.#lastError : sentenceOf(problem));
  }

  #up(): void {
    this.#parts.log.info({ database: this.name }, "database connected");
    this.#remindedAt = Number.NEGATIVE_INFINITY;
    this.#lastError = "the connection was lost";
    this.#release(null);
  }

  #down(): void {
    this.#release(this.#failure("database-down", this.#lastError));
    const now = this.#parts.environment.uptime();
    if (this.#stopped || now - this.#remindedAt < REMINDER_MS) return;
    this.#remindedAt = now;
    this.#parts.log.error(
      { database: this.name, reason: this.#lastError },
      "database not connected, trying again",
    );
  }

  #failure(code: BackendFailure["code"], detail: string): BackendFailure {
    const effect = code === "database-lost" || code === "database-timeout" ? "unknown" : "not-applied";
    return { kind: "failed", code, detail: `${this.name}: ${detail}`, effect };
  }
}

function redisOptions(parts: RedisBackendParts): RedisOptions & { replyMapping?: "legacy" } {
  const { specification, timeout, environment } = parts;
  const { host, port, db, username, password, tls } = specification;
  return {
    host,
    port,
    db,
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(tls ? { tls: { servername: host } } : {}),
    lazyConnect: true,
    // Version 1 has RESP2's vocabulary; numbers as text keep all 64 bits.
    protocol: 2,
    stringNumbers: true,
    disableClientInfo: true,
    connectTimeout: timeout,
    commandTimeout: timeout,
    // Fail fast while the server is away, and never send anything twice.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) =>
      Math.ceil(environment.random() * Math.min(RECONNECT_MOST_MS, RECONNECT_FIRST_MS * 2 ** attempt)),
  };
}

/** Node's errors for several addresses of one name hold their reasons inside, and an empty message. */
function sentenceOf(problem: unknown): string {
  if (problem instanceof AggregateError) return problem.errors.map(sentenceOf).join("; ");
  return problem instanceof Error ? problem.message : String(problem);
}

function isAscii(bytes: ByteString): boolean {
  return /^[\x00-\x7f]*$/.test(bytes);
}
