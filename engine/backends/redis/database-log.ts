/** What the log is told of a database elsewhere: that it is there, or away, and that only now and then. */
import type { Logger } from "pino";
import type { Environment } from "../../../net/process/environment.js";

/** Milliseconds between two log lines that say that the server is still away. */
const REMINDER_MS = 60_000;

export class DatabaseLog {
  readonly #database: string;
  readonly #log: Logger;
  readonly #environment: Environment;
  #remindedAt = Number.NEGATIVE_INFINITY;

  constructor(database: string, { log, environment }: { log: Logger; environment: Environment }) {
    this.#database = database;
    this.#log = log;
    this.#environment = environment;
  }

  /** @param more  where it is, if that is not in its name */
  up(more: Readonly<Record<string, unknown>> = {}): void {
    this.#log.info({ database: this.#database, ...more }, "database connected");
    this.#remindedAt = Number.NEGATIVE_INFINITY;
  }

  down(reason: string): void {
    const now = this.#environment.uptime();
    if (now - this.#remindedAt < REMINDER_MS) return;
    this.#remindedAt = now;
    this.#log.error({ database: this.#database, reason }, "database not connected, trying again");
  }
}
