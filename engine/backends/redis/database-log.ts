/** Log lines about a database on another machine: connected, or not connected, the latter once a minute. */
import type { Logger } from "pino";
import type { Environment } from "../../../net/process/environment.js";
import { LogThrottle } from "../../../net/process/log-throttle.js";

/** Milliseconds between two log lines about a server that is still away. */
const REMINDER_MS = 60_000;

export class DatabaseLog {
  readonly #database: string;
  readonly #log: Logger;
  readonly #throttle: LogThrottle;

  constructor(database: string, { log, environment }: { log: Logger; environment: Environment }) {
    this.#database = database;
    this.#log = log;
    this.#throttle = new LogThrottle({ log, uptime: environment.uptime, periodMs: REMINDER_MS });
  }

  /** @param more  its address, if that is not in its name */
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
