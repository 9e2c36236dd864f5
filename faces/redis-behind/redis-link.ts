/**
 * A connection to one Redis server through ioredis, which reconnects. All clients share the connection. Commands are
 * written as they arrive, without waiting for earlier replies. No command is sent twice, so after a failure the outcome
 * of a sent command is unknown.
 */

import { isIP } from "node:net";
import { Command, Redis, type RedisOptions } from "ioredis";
import type { Logger } from "pino";
import type { BackendFailure, Outcome } from "../../daemon/engine/backends/backend.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import { LogThrottle } from "../../daemon/net/process/log-throttle.js";
import type { RedisAccess } from "../../daemon/options/addresses/redis-addresses.js";
import { commands } from "../../daemon/store/command-table.js";
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import { array, bulk, error, integer, NIL, type Reply } from "../../protocol/reply.js";

/**
 * Limits of the reconnection delay. The delay is random (full jitter), up to a bound that doubles with each attempt.
 */
const RECONNECT_FIRST_MS = 50;
const RECONNECT_MS_MAX = 2000;

/** The error message of ioredis after its `commandTimeout`. */
const TIMED_OUT = "Command timed out";

export type Argv = readonly ByteString[];

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Configuration and environment of a backend of Redis servers. */
export interface RedisBackendParts<Specification> {
  readonly specification: Specification;
  /** Milliseconds for a command, and for connecting. */
  readonly timeout: number;
  /** Replicas that must confirm a write before it is answered (`WAIT`). Defaults to none. */
  readonly waitReplicas?: number;
  readonly environment: Environment;
  readonly log: Logger;
}

export class RedisLink {
  readonly address: Address;
  /** The reason why the connection is down now, or was down the last time. */
  lastError = "not connected yet";
  /** The prefix of failure messages. */
  readonly #name: string;
  readonly #waitReplicas: number;
  readonly #onChanged: (isUp: boolean) => void;
  readonly #redis: Redis;
  #confirming: Promise<BackendFailure | null> | null = null;
  #pending = 0;

  /**
   * @param onChanged         called with true when the connection can be used, with false when it cannot
   * @param checksReadiness  whether a server that is still loading its data counts as down
   */
  constructor(
    { specification, timeout, waitReplicas = 0, environment }: RedisBackendParts<{ readonly name: string }>,
    address: Address,
    access: RedisAccess,
    onChanged: (isUp: boolean) => void,
    checksReadiness = true,
  ) {
    this.address = address;
    this.#name = specification.name;
    this.#waitReplicas = waitReplicas;
    this.#onChanged = onChanged;
    this.#redis = new Redis({
      ...connectionOptions(address, access, timeout),
      enableReadyCheck: checksReadiness,
      retryStrategy: (attempt: number) =>
        Math.ceil(environment.random() * Math.min(RECONNECT_MS_MAX, RECONNECT_FIRST_MS * 2 ** attempt)),
    });
  }

  /** Connects in the background: a server that is down at the start may come up later. */
  start(): void {
    const redis = this.#redis;
    const changed = this.#onChanged;
    redis.on("ready", () => {
      this.lastError = "the connection was lost";
      changed(true);
    });
    redis.on("error", (reason: Error) => {
      this.lastError = sentenceOf(reason);
    });
    redis.on("close", () => changed(false));
    redis.connect().catch(() => {});
  }

  stop(): void {
    this.#redis.disconnect();
  }

  /**
   * Whether commands can be sent. Checks the stream too: while a connection is closing, ioredis still reports it as
   * ready, but writes nothing to it.
   */
  get isUp(): boolean {
    const { status, stream } = this.#redis;
    return status === "ready" && stream.writable;
  }

  get isConnecting(): boolean {
    const { status } = this.#redis;
    return status === "connecting" || status === "connect" || status === "wait";
  }

  /** The number of commands without a reply. */
  get pending(): number {
    return this.#pending;
  }

  get timeout(): number {
    return this.#redis.options.commandTimeout as number;
  }

  set timeout(timeout: number) {
    this.#redis.options.commandTimeout = timeout;
  }

  /** Closes the connection; ioredis then reconnects. */
  drop(reason: string): void {
    this.lastError = reason;
    this.#redis.stream?.destroy();
  }

  /** Sends a request of the daemon itself, which no replica has to confirm. */
  request(argv: Argv): Promise<Outcome> {
    return this.#send(this.#redis, argv);
  }

  send(argv: Argv): Promise<Outcome> {
    const sent = this.#send(this.#redis, argv);
    return this.#isToConfirm([argv]) ? this.#confirmed(sent) : sent;
  }

  /** Sends commands in direct succession. Returns the last outcome, or the first failure or error. */
  sendInOrder(all: readonly Argv[]): Promise<Outcome> {
    const sent = Promise.all(all.map((argv) => this.#send(this.#redis, argv))).then(worstOf);
    return this.#isToConfirm(all) ? this.#confirmed(sent) : sent;
  }

  /** Sends commands on a separate connection, because they would block the shared connection or change its state. */
  async sendAlone(all: readonly Argv[]): Promise<Outcome> {
    const redis = this.#redis.duplicate({ retryStrategy: null, enableReadyCheck: false });
    let reason = "";
    redis.on("error", (problem: Error) => {
      reason = sentenceOf(problem);
    });
    try {
      await redis.connect();
    } catch (problem) {
      redis.disconnect();
      return this.failure("database-down", reason === "" ? sentenceOf(problem) : reason);
    }

    const outcome = worstOf(await Promise.all(all.map((argv) => this.#send(redis, argv))));
    const unconfirmed = this.#isToConfirm(all) && isReply(outcome) ? await this.#wait(redis) : null;
    redis.disconnect();
    return unconfirmed ?? outcome;
  }

  failure(code: BackendFailure["code"], detail: string): BackendFailure {
    const effect = code === "database-lost" || code === "database-timeout" ? "unknown" : "not-applied";
    return { kind: "failed", code, detail: `${this.#name}: ${detail}`, effect };
  }

  /**
   * Sends a command with its name in upper case, because ioredis converts the arguments and replies of commands in
   * lower case.
   */
  #send(redis: Redis, argv: Argv): Promise<Outcome> {
    const command = commandOf(argv);
    this.#pending++;
    redis.sendCommand(command);
    return command.promise.then(
      (value) => {
        this.#pending--;
        return replyOfRedis(value);
      },
      (problem) => {
        this.#pending--;
        return this.#outcomeOfProblem(redis, problem);
      },
    );
  }

  #isToConfirm(all: readonly Argv[]): boolean {
    return this.#waitReplicas > 0 && all.some(mayWrite);
  }

  async #confirmed(sent: Promise<Outcome>): Promise<Outcome> {
    const [outcome, unconfirmed] = await Promise.all([sent, this.#confirm()]);
    return isReply(outcome) ? (unconfirmed ?? outcome) : outcome;
  }

  /** Confirms all writes of one turn of the event loop with a single WAIT, because WAIT blocks the connection. */
  #confirm(): Promise<BackendFailure | null> {
    const { stream } = this.#redis;
    this.#confirming ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#confirming = null;
        // After a reconnection WAIT cannot confirm the writes, because it covers only writes on its own connection.
        const isSame = this.#redis.stream === stream && this.isUp;
        resolve(isSame ? this.#wait(this.#redis) : this.failure("database-lost", this.lastError));
      });
    });
    return this.#confirming;
  }

  async #wait(redis: Redis): Promise<BackendFailure | null> {
    const waitReplicas = this.#waitReplicas;
    // Wait for at most half of a command's timeout, so that Redis replies before the timeout closes the connection.
    const within = Math.max(1, Math.floor(this.timeout / 2));
    const outcome = await this.#send(redis, ["WAIT", String(waitReplicas), String(within)]);
    // The write was executed, whatever the reply to WAIT is.
    if (outcome.kind === "failed")
      return outcome.effect === "unknown" ? outcome : this.failure("database-lost", this.lastError);
    if (outcome.kind === "integer" && Number(outcome.value) >= waitReplicas) return null;

    const confirmed =
      outcome.kind === "integer" ? `${outcome.value} of ${waitReplicas} replicas have confirmed` : "";
    const reason = outcome.kind === "error" ? outcome.text : confirmed;
    return this.failure("database-timeout", `it was written, but ${reason} (--wait-replicas)`);
  }

  #outcomeOfProblem(redis: Redis, problem: unknown): Outcome {
    if (!(problem instanceof Error)) throw problem;
    if (problem.name === "ReplyError") return error(bytesOfText(problem.message));

    if (problem.message === TIMED_OUT) {
      // Close the connection, because replies come in order and the later commands would have to wait too. A new
      // connection may work.
      this.lastError = "the server did not answer in time";
      redis.stream.destroy();
      return this.failure("database-timeout", TIMED_OUT.toLowerCase());
    }

    if (problem.message.startsWith("Stream isn't writeable"))
      return this.failure("database-down", this.lastError);

    // Do not report the message of ioredis in this case, because it only mentions an option of ioredis.
    const isAborted = problem.name === "MaxRetriesPerRequestError";
    return this.failure("database-lost", isAborted ? this.lastError : sentenceOf(problem));
  }
}

export function commandOf(argv: Argv): Command {
  const args: (string | Buffer)[] = [];
  for (let i = 1; i < argv.length; i++) {
    const argument = argv[i] as ByteString;
    args.push(isAscii(argument) ? argument : Buffer.from(argument, "latin1"));
  }
  return new Command((argv[0] as ByteString).toUpperCase(), args, { replyEncoding: null });
}

const isReply = (outcome: Outcome): boolean => outcome.kind !== "failed" && outcome.kind !== "error";

/**
 * Returns the first failure, otherwise the first error, otherwise the last outcome. The first error is the one of the
 * command that Redis did not queue, which is more precise than the error of EXEC.
 */
function worstOf(outcomes: readonly Outcome[]): Outcome {
  const failed = outcomes.find(({ kind }) => kind === "failed");
  return failed ?? outcomes.find(({ kind }) => kind === "error") ?? (outcomes.at(-1) as Outcome);
}

export function isAscii(bytes: ByteString): boolean {
  return /^[\x00-\x7f]*$/.test(bytes);
}

const READS: ReadonlySet<string> = new Set(commands.filter(({ reads }) => reads).map(({ name }) => name));

/**
 * Whether a Redis's replicas must confirm a command (--wait-replicas): all commands that are not known to be read-only.
 */
function mayWrite([name = "", subcommand = ""]: readonly ByteString[]): boolean {
  const upper = name.toUpperCase();
  return !READS.has(upper) && !READS.has(`${upper}|${subcommand.toUpperCase()}`);
}

/**
 * Converts values that ioredis decodes, with buffers for strings and text for numbers, into a `Reply`.
 * @param value Buffer: string or status; string or number: integer; array; null; Error inside an array
 * @throws TypeError ioredis returned another type, which is a bug
 */
function replyOfRedis(value: unknown): Reply {
  if (value === null) return NIL;
  if (Buffer.isBuffer(value)) return bulk(value.toString("latin1"));
  if (typeof value === "string") return integerOf(value);
  if (typeof value === "number") return integer(value);
  if (Array.isArray(value)) return array(value.map(replyOfRedis));
  if (value instanceof Error) return error(bytesOfText(value.message));
  throw new TypeError(`a reply of type ${typeof value}`);
}

function integerOf(digits: string): Reply {
  const value = Number(digits);
  return integer(Number.isSafeInteger(value) ? value : BigInt(digits));
}

/**
 * Returns the options of every ioredis connection. ioredis must not send any command twice, and must not queue commands
 * for a server that is down.
 * @param timeout  milliseconds for a command and for connecting
 */
export function connectionOptions(
  { host, port }: { readonly host: string; readonly port: number },
  { db, username, password, tls }: RedisAccess,
  timeout: number,
): RedisOptions & { replyMapping?: "legacy" } {
  return {
    host,
    port,
    db,
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    // SNI does not allow an IP address as the server name.
    ...(tls ? { tls: isIP(host) === 0 ? { servername: host } : {} } : {}),
    lazyConnect: true,
    // Version 1 uses the types of RESP2. Numbers are decoded as text, so that all 64 bits are preserved.
    protocol: 2,
    stringNumbers: true,
    disableClientInfo: true,
    connectTimeout: timeout,
    commandTimeout: timeout,
    // Fail fast while the server is down, and never send a command twice.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  };
}

/**
 * Returns the message of an error. If a host name has several addresses, Node puts the reasons into nested errors and
 * leaves the outer message empty.
 */
export function sentenceOf(problem: unknown): string {
  if (problem instanceof AggregateError) return problem.errors.map(sentenceOf).join("; ");
  return problem instanceof Error ? problem.message : String(problem);
}

/** The interval between two log lines about a server that is still down, in milliseconds. */
const REMINDER_MS = 60_000;

/** The log lines when a database on another machine is connected, and once a minute while it is not. */
export class DatabaseLog {
  readonly #database: string;
  readonly #log: Logger;
  readonly #throttle: LogThrottle;

  constructor(database: string, { log, environment }: { log: Logger; environment: Environment }) {
    this.#database = database;
    this.#log = log;
    this.#throttle = new LogThrottle({ log, uptime: environment.uptime, periodMs: REMINDER_MS });
  }

  /** @param more  the server's address, if the database's name does not include it */
  up(more: Readonly<Record<string, unknown>> = {}): void {
    this.#log.info({ database: this.#database, ...more }, "database connected");
    this.#throttle.clear("down");
  }

  down(reason: string): void {
    this.#throttle.error(
      "down",
      { database: this.#database, reason },
      "database not connected, trying again",
    );
  }
}
