/**
 * A connection to one Redis server, through ioredis, made anew when it breaks: one for all clients, commands written as they come
 * without waiting for the replies before. What was sent once is never sent again: after a failure its outcome is unknown.
 */
import { Command, Redis } from "ioredis";
import type { Logger } from "pino";
import type { Environment } from "../../../net/process/environment.js";
import type { RedisAccess } from "../../../options/addresses/redis-access.js";
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { error } from "../../../protocol/reply.js";
import type { BackendFailure, Outcome } from "../backend.js";
import { connectionOptions, sentenceOf } from "./connection-options.js";
import { replyOfRedis } from "./redis-reply.js";
import { mayWrite } from "./writes.js";

/**
 * Full jitter: a random time up to a bound that doubles with each attempt, from the first to the last of
 * these.
 */
const RECONNECT_FIRST_MS = 50;
const RECONNECT_MOST_MS = 2000;

/** What ioredis says when its `commandTimeout` has passed. */
const TIMED_OUT = "Command timed out";

export type Argv = readonly ByteString[];

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What a backend of Redis servers is configured with, and runs in. */
export interface RedisBackendParts<Specification> {
  readonly specification: Specification;
  /** Milliseconds for a command, and for connecting. */
  readonly timeout: number;
  /** Replicas that have to confirm what is written before it is answered (`WAIT`); not given: none. */
  readonly waitReplicas?: number;
  readonly environment: Environment;
  readonly log: Logger;
}

export class RedisLink {
  readonly address: Address;
  /** Why it is not up, or was not. */
  lastError = "not connected yet";
  /** What failures begin with. */
  readonly #name: string;
  readonly #waitReplicas: number;
  readonly #onChanged: (isUp: boolean) => void;
  readonly #redis: Redis;
  #confirming: Promise<BackendFailure | null> | null = null;
  #pending = 0;

  /**
   * @param onChanged         the connection can be used, or no longer
   * @param asksWhetherReady  whether a server that loads its data counts as away
   */
  constructor(
    { specification, timeout, waitReplicas = 0, environment }: RedisBackendParts<{ readonly name: string }>,
    address: Address,
    access: RedisAccess,
    onChanged: (isUp: boolean) => void,
    asksWhetherReady = true,
  ) {
    this.address = address;
    this.#name = specification.name;
    this.#waitReplicas = waitReplicas;
    this.#onChanged = onChanged;
    this.#redis = new Redis({
      ...connectionOptions(address, access, timeout),
      enableReadyCheck: asksWhetherReady,
      retryStrategy: (attempt: number) =>
        Math.ceil(environment.random() * Math.min(RECONNECT_MOST_MS, RECONNECT_FIRST_MS * 2 ** attempt)),
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

  /** Not while it closes: ioredis calls a connection ready until it has, and writes to it no more. */
  get isUp(): boolean {
    const { status, stream } = this.#redis;
    return status === "ready" && stream.writable;
  }

  get isConnecting(): boolean {
    const { status } = this.#redis;
    return status === "connecting" || status === "connect" || status === "wait";
  }

  /** Commands without their replies. */
  get pending(): number {
    return this.#pending;
  }

  get timeout(): number {
    return this.#redis.options.commandTimeout as number;
  }

  set timeout(timeout: number) {
    this.#redis.options.commandTimeout = timeout;
  }

  /** Breaks the connection, which is then made anew. */
  drop(reason: string): void {
    this.lastError = reason;
    this.#redis.stream?.destroy();
  }

  /** What this program itself wants to know, of which no replica has to hear. */
  ask(argv: Argv): Promise<Outcome> {
    return this.#send(this.#redis, argv);
  }

  send(argv: Argv): Promise<Outcome> {
    const sent = this.#send(this.#redis, argv);
    return this.#isToConfirm([argv]) ? this.#confirmed(sent) : sent;
  }

  /** Without anything in between; the last one's outcome, or of the first that fails or is an error. */
  sendInOrder(all: readonly Argv[]): Promise<Outcome> {
    const sent = Promise.all(all.map((argv) => this.#send(this.#redis, argv))).then(worstOf);
    return this.#isToConfirm(all) ? this.#confirmed(sent) : sent;
  }

  /** On a connection of its own: for commands that would leave their mark on the shared one, or hold it up. */
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
   * An upper-case name keeps ioredis from reshaping arguments and replies: its tables hold lower-case ones.
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

  /** All that one turn of the event loop has written is confirmed at once: the server holds the connection up meanwhile. */
  #confirm(): Promise<BackendFailure | null> {
    const { stream } = this.#redis;
    this.#confirming ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#confirming = null;
        // Another connection would be told of its own writes.
        const isSame = this.#redis.stream === stream && this.isUp;
        resolve(isSame ? this.#wait(this.#redis) : this.failure("database-lost", this.lastError));
      });
    });
    return this.#confirming;
  }

  async #wait(redis: Redis): Promise<BackendFailure | null> {
    const waitReplicas = this.#waitReplicas;
    // Less than a command may take, so that the answer comes before the connection is given up.
    const within = Math.max(1, Math.floor(this.timeout / 2));
    const outcome = await this.#send(redis, ["WAIT", String(waitReplicas), String(within)]);
    // Whatever it says of WAIT itself: what is to be confirmed has been executed.
    if (outcome.kind === "failed")
      return outcome.effect === "unknown" ? outcome : this.failure("database-lost", this.lastError);
    if (outcome.kind === "integer" && Number(outcome.value) >= waitReplicas) return null;
    const told =
      outcome.kind === "integer" ? `${outcome.value} of ${waitReplicas} replicas have confirmed` : "";
    const reason = outcome.kind === "error" ? outcome.text : told;
    return this.failure("database-timeout", `it is written, but ${reason} (--wait-replicas)`);
  }

  #outcomeOfProblem(redis: Redis, problem: unknown): Outcome {
    if (!(problem instanceof Error)) throw problem;
    if (problem.name === "ReplyError") return error(bytesOfText(problem.message));
    if (problem.message === TIMED_OUT) {
      // Replies come in order, so nothing on this connection can be answered before it; a fresh one may
      // fare better.
      this.lastError = "the server did not answer in time";
      redis.stream.destroy();
      return this.failure("database-timeout", TIMED_OUT.toLowerCase());
    }
    if (problem.message.startsWith("Stream isn't writeable"))
      return this.failure("database-down", this.lastError);
    // The library's own words are about an option of its own.
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

/** A command that was not queued says why better than EXEC does. */
function worstOf(outcomes: readonly Outcome[]): Outcome {
  const failed = outcomes.find(({ kind }) => kind === "failed");
  return failed ?? outcomes.find(({ kind }) => kind === "error") ?? (outcomes.at(-1) as Outcome);
}

export function isAscii(bytes: ByteString): boolean {
  return /^[\x00-\x7f]*$/.test(bytes);
}
