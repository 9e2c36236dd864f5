/**
 * Throttles log lines of frequent events. It writes a few lines for each subject and period and counts the rest, so
 * that neither a client in a loop nor an attacker can fill the disk or keep the process busy with logging.
 */

export interface ThrottleOptions {
  readonly log: LineLog;
  /** Returns the milliseconds since an arbitrary start; never jumps back. */
  readonly uptime: () => number;
  /** The length of a period in milliseconds; `Infinity`: the same line is written again only after `clear`. */
  readonly periodMs: number;
  /** The maximum number of lines for a subject in a period; default 1. */
  readonly lines?: number;
}

/** The part of pino's Logger that the throttle uses. */
export interface LineLog {
  warn(facts: object, text: string): void;
  error(facts: object, text: string): void;
}

interface Period {
  readonly variant: string;
  readonly endsAt: number;
  lines: number;
  withheld: number;
}

/** The maximum number of stored subjects, so that a client with many addresses cannot exhaust the memory. */
const SUBJECTS_MAX = 1000;

export class LogThrottle {
  readonly #options: ThrottleOptions;
  readonly #periods = new Map<string, Period>();

  constructor(options: ThrottleOptions) {
    this.#options = options;
  }

  /**
   * Writes a line at level warn, or only counts it. The next line of the subject has the count as `withheld`.
   *
   * @param subject  what the line is about, such as a code or an address
   * @param variant  a line whose variant differs from that of the previous line is written immediately
   * @returns whether the line was written
   */
  warn(subject: string, facts: object, text: string, variant = text): boolean {
    return this.#note("warn", subject, facts, text, variant);
  }

  /** Writes a line at level error, or only counts it, like `warn`. */
  error(subject: string, facts: object, text: string, variant = text): boolean {
    return this.#note("error", subject, facts, text, variant);
  }

  /** Clears a subject that has recovered. Its next line is written immediately. */
  clear(subject: string): void {
    this.#periods.delete(subject);
  }

  #note(level: "warn" | "error", subject: string, facts: object, text: string, variant: string): boolean {
    const { log, uptime, periodMs, lines = 1 } = this.#options;
    const now = uptime();
    const before = this.#periods.get(subject);
    const isSame = before !== undefined && before.variant === variant;
    if (isSame && now < before.endsAt) {
      if (before.lines >= lines) {
        before.withheld++;
        return false;
      }
      before.lines++;
      log[level](facts, text);
      return true;
    }

    if (before === undefined && this.#periods.size >= SUBJECTS_MAX) this.#periods.clear();
    this.#periods.set(subject, { variant, endsAt: now + periodMs, lines: 1, withheld: 0 });
    const withheld = isSame ? before.withheld : 0;
    log[level](withheld === 0 ? facts : { ...facts, withheld }, text);
    return true;
  }
}
