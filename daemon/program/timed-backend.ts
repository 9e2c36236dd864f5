/**
 * A backend that measures the time of another backend's answers for /metrics. It does not wrap a database in
 * memory, where reading the clock would be expensive.
 */

import type { Backend, BackendOutcome } from "../engine/backends/backend.js";
import type { Environment } from "../net/process/clock-and-randomness.js";
import type { Metrics } from "./inspection/metrics.js";

export class TimedBackend implements Backend {
  readonly name: string;
  readonly #backend: Backend;
  readonly #metrics: Metrics;
  readonly #environment: Environment;

  constructor(backend: Backend, metrics: Metrics, environment: Environment) {
    this.name = backend.name;
    this.#backend = backend;
    this.#metrics = metrics;
    this.#environment = environment;
    // Creates the counts, so that /metrics shows the backend before its first command.
    metrics.backendCounts(this.name);
  }

  get up(): boolean {
    return this.#backend.up;
  }

  get server(): string | undefined {
    return this.#backend.server;
  }

  get databases(): number {
    return this.#backend.databases;
  }

  get timeout(): number {
    return this.#backend.timeout;
  }

  set timeout(timeout: number) {
    this.#backend.timeout = timeout;
  }

  start(): Promise<void> {
    return this.#backend.start();
  }

  stop(): Promise<void> {
    return this.#backend.stop();
  }

  execute(...parameters: Parameters<Backend["execute"]>): ReturnType<Backend["execute"]> {
    return this.#timed(this.#environment.uptime(), this.#backend.execute(...parameters));
  }

  executeTogether(
    ...parameters: Parameters<Backend["executeTogether"]>
  ): ReturnType<Backend["executeTogether"]> {
    return this.#timed(this.#environment.uptime(), this.#backend.executeTogether(...parameters));
  }

  /** Counts an answer when it arrives. An immediate outcome did not come from the database and is not counted. */
  #timed(
    startedAt: number,
    outcome: BackendOutcome | Promise<BackendOutcome>,
  ): BackendOutcome | Promise<BackendOutcome> {
    if (!(outcome instanceof Promise)) return outcome;
    return outcome.then((settled) => {
      const hasFailed = settled.kind === "failed" && settled.code !== "not-carried";
      this.#metrics.applied(this.name, this.#environment.uptime() - startedAt, hasFailed);
      return settled;
    });
  }
}
