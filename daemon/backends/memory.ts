/** The in-memory database as a backend: answers in the same turn. */
import type { ByteString } from "../../protocol/byte-string.js";
import { Database } from "../../store/database.js";
import type { Unit } from "../../store/unit.js";
import type { Environment } from "../environment.js";
import type { Backend, Outcome } from "./backend.js";

/** Milliseconds between two rounds of dropping expired keys. */
const SWEEP_INTERVAL_MS = 500;
/** Keys dropped in one turn of the event loop: well under a millisecond. */
const KEYS_PER_SWEEP = 500;

export class MemoryBackend implements Backend {
  readonly name = "memory";
  /** Not used: the answer comes at once. */
  timeout = 0;
  readonly #environment: Environment;
  readonly #database = new Database();
  #timer: NodeJS.Timeout | null = null;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS).unref();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  execute(argv: readonly ByteString[], unit: Unit): Outcome {
    return this.#database.execute(argv, unit);
  }

  /** In slices, so that a million keys that expire together hold nobody up. */
  #sweep(): void {
    if (this.#timer === null) return;
    const dropped = this.#database.dropExpired(this.#environment.clock(), KEYS_PER_SWEEP);
    if (dropped >= KEYS_PER_SWEEP) setImmediate(() => this.#sweep()).unref();
  }
}
