/** Log lines that report why connections were closed: a few lines for each reason and period. */
import type { Logger } from "pino";
import type { Environment } from "../process/environment.js";
import { LogThrottle } from "../process/log-throttle.js";

/** Lines for one reason in a period; the rest is counted. */
const LINES_MAX = 20;
const PERIOD_MS = 10_000;

export interface RefusalDetails {
  /** The client's address and port. */
  readonly remote: string;
  readonly detail: string;
  /** Hexadecimal digits of the key that an envelope names, and the label of one that is known. */
  readonly key?: string;
  readonly label?: string;
  /** Bytes of the connection's stream before the first bad one. */
  readonly offset?: number;
}

/** Code → sentence. */
export type Refusals = Readonly<Record<string, { readonly sentence: string }>>;

export class RefusalLog {
  readonly #refusals: Refusals;
  readonly #throttle: LogThrottle;

  /** @param refusals  code → sentence */
  constructor(log: Logger, { uptime }: Environment, refusals: Refusals) {
    this.#refusals = refusals;
    this.#throttle = new LogThrottle({ log, uptime, periodMs: PERIOD_MS, lines: LINES_MAX });
  }

  /** Writes one line at level warn, or counts it. */
  note(code: string, details: RefusalDetails): void {
    this.#throttle.warn(code, { reason: code, ...details }, this.#refusals[code]?.sentence ?? code);
  }
}
