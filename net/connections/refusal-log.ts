/**
 * Says in the log why connections were closed, a few lines a reason: a client in a loop, or an attacker,
 * must not be able to fill the disk or keep the daemon busy with writing.
 */
import type { Logger } from "pino";
import type { Environment } from "../process/environment.js";

/** Of one reason, this many lines … */
const LINES_PER_WINDOW = 20;
/** … in so many milliseconds; the rest is counted and told with the next line. */
const WINDOW_MS = 10_000;

interface Window {
  endsAt: number;
  lines: number;
  withheld: number;
}

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
  readonly #log: Logger;
  readonly #environment: Environment;
  readonly #windows = new Map<string, Window>();

  /** @param refusals  code → sentence */
  constructor(log: Logger, environment: Environment, refusals: Refusals) {
    this.#refusals = refusals;
    this.#log = log;
    this.#environment = environment;
  }

  /** One line at level warn, or a count for later. */
  note(code: string, details: RefusalDetails): void {
    const now = this.#environment.uptime();
    let window = this.#windows.get(code);
    const withheld = window !== undefined && now >= window.endsAt ? window.withheld : 0;
    if (window === undefined || now >= window.endsAt) {
      window = { endsAt: now + WINDOW_MS, lines: 0, withheld: 0 };
      this.#windows.set(code, window);
    }
    if (++window.lines > LINES_PER_WINDOW) {
      window.withheld++;
      return;
    }
    const fields = withheld === 0 ? { reason: code, ...details } : { reason: code, ...details, withheld };
    this.#log.warn(fields, this.#refusals[code]?.sentence);
  }
}
