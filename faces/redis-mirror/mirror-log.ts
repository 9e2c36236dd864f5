import { LogThrottle } from "../../daemon/net/process/log-throttle.js";
import type { MirrorKey } from "./dirty-keys.js";
import type { ComparisonReport } from "./mirror-figures.js";
import type { MirrorOptions } from "./mirror-options.js";
import { keyText } from "./mirrored-key.js";

const REMINDER_MS = 60_000;

/** The log lines about the mirror: changes immediately, persistent conditions once a minute. */
export class MirrorLog {
  readonly #log: MirrorOptions["log"];
  readonly #mirror: string;
  readonly #throttle: LogThrottle;
  /** The number of keys since the last log line about them. */
  #counts = { foreign: 0, refused: 0 };

  constructor(options: MirrorOptions) {
    this.#log = options.log;
    this.#mirror = options.specification.name;
    const { log, environment } = options;
    this.#throttle = new LogThrottle({ log, uptime: environment.uptime, periodMs: REMINDER_MS });
  }

  up(): void {
    this.#throttle.clear("trouble");
    this.#log.info({ mirror: this.#mirror }, "mirror connected");
  }

  trouble(reason: string): void {
    const facts = { mirror: this.#mirror, reason };
    this.#throttle.warn("trouble", facts, "cannot write to the mirror, trying again", reason);
  }

  alarm(reason: string): void {
    this.#log.warn({ mirror: this.#mirror, reason }, "the mirror differs from what was written to it");
  }

  foreign(keys: readonly MirrorKey[]): void {
    this.#counted("foreign", keys, "other clients have written to the mirror; their changes are reverted");
  }

  refused(keys: readonly MirrorKey[], reason: string): void {
    this.#counted("refused", keys, "the mirror refuses some keys, which are left out", reason);
  }

  compared({ reason, checked, different, named }: ComparisonReport): void {
    const about = { mirror: this.#mirror, reason, checked, different, named };
    this.#log.info(about, "the mirror was compared");
  }

  #counted(what: "foreign" | "refused", keys: readonly MirrorKey[], sentence: string, reason?: string): void {
    const [first] = keys;
    if (first === undefined) return;
    this.#counts[what] += keys.length;
    const about = { mirror: this.#mirror, keys: this.#counts[what], first: keyText(first) };
    const isWritten = this.#throttle.warn(
      what,
      reason === undefined ? about : { ...about, reason },
      sentence,
    );
    if (isWritten) this.#counts[what] = 0;
  }
}
