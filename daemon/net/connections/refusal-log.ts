/** Logs why connections were closed, with a limited number of lines for each reason and period. */
import type { Logger } from "pino";
import type { Environment } from "../process/clock-and-randomness.js";
import { LogThrottle } from "../process/log-throttle.js";

/** The maximum number of lines for one reason in a period. Further ones are only counted. */
const LINES_MAX = 20;
const PERIOD_MS = 10_000;

export interface RefusalDetails {
  /** The client's address and port. */
  readonly remote: string;
  readonly detail: string;
  /** The key that an envelope names, in hexadecimal digits, and its label if it is known. */
  readonly key?: string;
  readonly label?: string;
  /** The number of bytes in the connection's stream before the first invalid one. */
  readonly offset?: number;
}

/** Sentences by code. */
export type Refusals = Readonly<Record<string, { readonly sentence: string }>>;

export class RefusalLog {
  readonly #refusals: Refusals;
  readonly #throttle: LogThrottle;

  /** Creates a log. @param refusals  the sentences by code */
  constructor(log: Logger, { uptime }: Environment, refusals: Refusals) {
    this.#refusals = refusals;
    this.#throttle = new LogThrottle({ log, uptime, periodMs: PERIOD_MS, lines: LINES_MAX });
  }

  /** Writes one line at level warn, or only counts the refusal. */
  note(code: string, details: RefusalDetails): void {
    this.#throttle.warn(code, { reason: code, ...details }, this.#refusals[code]?.sentence ?? code);
  }
}
