/** Combines the daemon's databases: each of them receives every command. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { error, type Reply } from "../../../protocol/reply.js";
import type { Condition } from "../../../protocol/version-2/envelope.js";
import type { Unit } from "../../store/keyspace/unit.js";
import { type CommandAnswer, type Refused, type Replies, refused, replyOf } from "../answers/request.js";
import type { Backend, BackendFailure, BackendOutcome } from "../backends/backend.js";

type Values = Replies["replies"][number][];
type Argv = readonly ByteString[];

export class Databases {
  readonly #backends: readonly Backend[];
  readonly #only: Backend | null;
  /** The number of databases that a unit can select. */
  readonly numbers: number;
  readonly takeConditions: boolean;

  constructor(backends: readonly Backend[]) {
    this.#backends = backends;
    this.numbers = Math.min(...backends.map((backend) => backend.databases));
    this.#only = backends.length === 1 ? (backends[0] as Backend) : null;
    this.takeConditions = this.#only?.holds !== undefined;
  }

  /**
   * Returns whether each key was last changed by the unit that its condition names. Called only if this daemon accepts
   * conditions.
   */
  areMet(conditions: readonly Condition[], unit: Unit): boolean {
    return this.#only?.holds?.(conditions, unit) ?? false;
  }

  /**
   * Executes a command of version 2 on all databases. It starts on all of them in the same turn, so that they apply
   * commands in the same order.
   * @returns the first failure or error, otherwise the first database's reply
   */
  execute(argv: Argv, unit: Unit): BackendOutcome | Promise<BackendOutcome> {
    if (this.#only !== null) return this.#only.execute(argv, unit);
    return merge(this.#backends.map((backend) => backend.execute(argv, unit)));
  }

  /** Executes several commands as one unit. If one is malformed, none is applied and the reply is an error. */
  executeTogether(commands: readonly Argv[], unit: Unit): BackendOutcome | Promise<BackendOutcome> {
    return merge(this.#backends.map((backend) => backend.executeTogether(commands, unit)));
  }

  /**
   * Executes a command of version 1 on one database after another, like php-dbsync's daemon. After the first failure
   * the remaining databases are skipped, but the earlier databases keep their changes.
   */
  executeInTurn(argv: Argv, unit: Unit): CommandAnswer | Promise<CommandAnswer> {
    const replies: Values = [];
    for (let i = 0; i < this.#backends.length; i++) {
      const backend = this.#backends[i] as Backend;
      const outcome = backend.execute(argv, unit);
      if (outcome instanceof Promise) return this.#executeWaiting(argv, unit, i, outcome, replies);
      const refusal = collect(backend, argv, outcome, replies);
      if (refusal !== null) return refusal;
    }
    return { kind: "replies", replies };
  }

  async #executeWaiting(
    argv: Argv,
    unit: Unit,
    first: number,
    outcome: Promise<BackendOutcome>,
    replies: Values,
  ): Promise<CommandAnswer> {
    for (let i = first; i < this.#backends.length; i++) {
      const backend = this.#backends[i] as Backend;
      const reached = i === first ? await outcome : await backend.execute(argv, unit);
      const refusal = collect(backend, argv, reached, replies);
      if (refusal !== null) return refusal;
    }
    return { kind: "replies", replies };
  }
}

function collect(backend: Backend, argv: Argv, outcome: BackendOutcome, replies: Values): Refused | null {
  if (outcome.kind === "failed") return refused(outcome.code, outcome.detail);
  if (outcome.kind === "error")
    return refused("command-error", `${argv[0]} on ${backend.name}: ${outcome.text}`);
  replies.push(outcome);
  return null;
}

function merge(
  outcomes: readonly (BackendOutcome | Promise<BackendOutcome>)[],
): BackendOutcome | Promise<BackendOutcome> {
  return outcomes.some((one) => one instanceof Promise)
    ? Promise.all(outcomes).then(firstOf)
    : firstOf(outcomes as BackendOutcome[]);
}

function firstOf(outcomes: readonly BackendOutcome[]): BackendOutcome {
  const failures = outcomes.filter((one) => one.kind === "failed");
  if (failures.length > 0) return { ...(failures[0] as BackendFailure), effect: effectOf(outcomes) };
  return outcomes.find((one) => one.kind === "error") ?? (outcomes[0] as Reply);
}

/** Returns the combined effect of several outcomes, of which at least one is a failure. */
export function effectOf(outcomes: readonly BackendOutcome[]): BackendFailure["effect"] {
  return outcomes.every((one) => one.kind === "failed" && one.effect === "not-applied")
    ? "not-applied"
    : "unknown";
}

/**
 * Converts a failure into an error reply if it concerns only this command: the command needs its own connection or, if
 * the envelope has other commands, it is a query that received no working memory. Returns other outcomes unchanged.
 */
export function replyOrFailure(outcome: BackendOutcome, isAlone: boolean): BackendOutcome {
  if (outcome.kind !== "failed") return outcome;
  const { code, detail } = outcome;
  if (code === "not-carried") return error(`ERR ${detail}`);
  const isQuery = code === "working-memory" || code === "working-memory-busy";
  return isQuery && !isAlone ? replyOf(refused(code, detail)) : outcome;
}
