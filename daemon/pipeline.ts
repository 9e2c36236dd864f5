/**
 * The path of a command, from any listener to the databases and back:
 * verify → decode → apply. Its unit of work is one request; every refusal is a value.
 */
import type { ByteString } from "../protocol/byte-string.js";
import { splitCommand } from "../protocol/command-v1.js";
import type { Unit } from "../store/unit.js";
import type { Backend, Outcome } from "./backends/backend.js";
import type { Environment } from "./environment.js";
import { type Answer, type Refused, type Replies, type Request, refused } from "./request.js";

/** Whether one of the daemon's keys made the signature of these bytes. */
export type Verifier = (text: Buffer, signature: Buffer) => boolean;

export interface PipelineParts {
  /** In the order in which they execute; all must succeed. */
  readonly backends: readonly Backend[];
  /** null: a daemon without keys, which takes unsigned commands only. */
  readonly verifier: Verifier | null;
  readonly environment: Environment;
}

const INSTANCE_BYTES = 16;

/** As in Redis before 7.0. A frame of 64 MiB could hold 32 million, which cost far more memory than their bytes. */
const MAX_ARGUMENTS = 1024 * 1024;

export class Pipeline {
  /** Replaced when the keys are read again. */
  verifier: Verifier | null;
  readonly #backends: readonly Backend[];
  readonly #environment: Environment;
  /** Tells this process's units from those of all others; a counter tells them from each other. */
  readonly #instance: ByteString;
  #units = 0;
  #lastAt = 0;

  constructor({ backends, verifier, environment }: PipelineParts) {
    this.#backends = backends;
    this.verifier = verifier;
    this.#environment = environment;
    this.#instance = environment.randomBytes(INSTANCE_BYTES);
  }

  /** At once where all databases answer at once: a promise costs more than a command in memory. */
  handle(request: Request): Answer | Promise<Answer> {
    const refusal = this.#verify(request);
    if (refusal !== null) return refusal;
    if (hasTooManyArguments(request.text)) return refused("too-many-arguments", `over ${MAX_ARGUMENTS}`);
    const argv = splitCommand(request.text);
    if (argv.length === 0) return refused("empty-command", "nothing but blanks");
    return this.#apply(argv, this.#nextUnit());
  }

  /** Before anything is looked at but the frame: what is not signed is not parsed. */
  #verify({ text, signature }: Request): Refused | null {
    if (this.verifier === null) return signature === null ? null : refused("not-due", "a signed command");
    if (signature === null) return refused("unsigned", "a command without a signature");
    if (this.verifier(text, signature)) return null;
    return refused(
      "bad-signature",
      `a signature of ${signature.length} bytes that no key of this daemon made`,
    );
  }

  #nextUnit(): Unit {
    this.#lastAt = Math.max(this.#lastAt, this.#environment.clock());
    return { at: this.#lastAt, db: 0, id: `${this.#instance}${++this.#units}` };
  }

  /**
   * One database after the other; the first failure skips the rest, and the ones before it keep what they
   * wrote.
   */
  #apply(argv: readonly ByteString[], unit: Unit): Answer | Promise<Answer> {
    const replies: Replies["replies"][number][] = [];
    for (let i = 0; i < this.#backends.length; i++) {
      const backend = this.#backends[i] as Backend;
      const outcome = backend.execute(argv, unit);
      if (outcome instanceof Promise) return this.#applyWaiting(argv, unit, i, outcome, replies);
      const refusal = this.#collect(backend, argv, outcome, replies);
      if (refusal !== null) return refusal;
    }
    return { kind: "replies", replies };
  }

  async #applyWaiting(
    argv: readonly ByteString[],
    unit: Unit,
    first: number,
    outcome: Promise<Outcome>,
    replies: Replies["replies"][number][],
  ): Promise<Answer> {
    for (let i = first; i < this.#backends.length; i++) {
      const backend = this.#backends[i] as Backend;
      const reached = i === first ? await outcome : await backend.execute(argv, unit);
      const refusal = this.#collect(backend, argv, reached, replies);
      if (refusal !== null) return refusal;
    }
    return { kind: "replies", replies };
  }

  #collect(
    backend: Backend,
    argv: readonly ByteString[],
    outcome: Outcome,
    replies: Replies["replies"][number][],
  ): Refused | null {
    if (outcome.kind === "failed") return refused(outcome.code, outcome.detail);
    if (outcome.kind === "error")
      return refused("command-error", `${argv[0]} on ${backend.name}: ${outcome.text}`);
    replies.push(outcome);
    return null;
  }
}

function hasTooManyArguments(text: Buffer): boolean {
  if (text.length <= 2 * MAX_ARGUMENTS) return false;
  let blanks = 0;
  for (let at = text.indexOf(" "); at >= 0; at = text.indexOf(" ", at + 1)) blanks++;
  return blanks >= MAX_ARGUMENTS;
}
