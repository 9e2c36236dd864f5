/** Logs when a database on another machine is connected, and once a minute while it is not. */
import type { Logger } from "pino";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import { LogThrottle } from "../../daemon/net/process/log-throttle.js";

/** The interval between two log lines about a server that is still down, in milliseconds. */
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
