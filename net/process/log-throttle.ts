/**
 * Throttles log lines of frequent events: a few for each subject and period, the rest counted, so that neither a
 * client in a loop nor an attacker fills the disk or keeps the process busy with writing.
 */

export interface ThrottleOptions {
  readonly log: LineLog;
  /** Milliseconds since some moment; never jumps back. */
  readonly uptime: () => number;
  /** Milliseconds of a period; `Infinity`: the same line again only after `clear`. */
  readonly periodMs: number;
  /** Lines of a subject in a period; default 1. */
  readonly lines?: number;
}

/** The part of pino's Logger that is needed here. */
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

/** Subjects remembered; a client with many addresses must not fill the memory. */
const SUBJECTS_MAX = 1000;

export class LogThrottle {
  readonly #options: ThrottleOptions;
  readonly #periods = new Map<string, Period>();

  constructor(options: ThrottleOptions) {
    this.#options = options;
  }

  /**
   * Writes a line at level warn, or counts it; the next line of the subject has the count as `withheld`.
   *
   * @param subject  what the line is about, such as a code or an address
   * @param variant  another one than the last is logged immediately
   * @returns whether the line was written
   */
  warn(subject: string, facts: object, text: string, variant = text): boolean {
    return this.#note("warn", subject, facts, text, variant);
  }

  /** Writes a line at level error, or counts it: as `warn`. */
  error(subject: string, facts: object, text: string, variant = text): boolean {
    return this.#note("error", subject, facts, text, variant);
  }

  /** Forgets a subject that has recovered: its next line is written immediately. */
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
