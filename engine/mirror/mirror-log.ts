/** What the log says of the mirror: changes at once, what goes on once a minute. */

import type { ComparisonReport } from "./comparison.js";
import type { MirrorKey } from "./dirty-keys.js";
import type { MirrorParts } from "./mirror-parts.js";
import { shownKey } from "./mirrored-key.js";

const REMINDER_MS = 60_000;

export class MirrorLog {
  readonly #parts: Pick<MirrorParts, "log" | "environment">;
  readonly #mirror: string;
  #trouble: string | null = null;
  #saidAt = new Map<string, number>();
  /** Since they were told last. */
  #counts = { foreign: 0, refused: 0 };

  constructor(parts: Pick<MirrorParts, "log" | "environment" | "specification">) {
    this.#parts = parts;
    this.#mirror = parts.specification.name;
  }

  up(): void {
    this.#trouble = null;
    this.#parts.log.info({ mirror: this.#mirror }, "mirror connected");
  }

  trouble(reason: string): void {
    if (this.#trouble === reason && !this.#isDue("trouble")) return;
    this.#trouble = reason;
    this.#saidAt.set("trouble", this.#parts.environment.uptime());
    this.#parts.log.warn({ mirror: this.#mirror, reason }, "the mirror is not written to, trying again");
  }

  alarm(reason: string): void {
    this.#parts.log.warn({ mirror: this.#mirror, reason }, "the mirror is not what was written to it");
  }

  foreign(keys: readonly MirrorKey[]): void {
    this.#counted("foreign", keys, "others have written to the mirror; what they changed is taken back");
  }

  refused(keys: readonly MirrorKey[], reason: string): void {
    this.#counted("refused", keys, "the mirror does not take some keys, which are left out", reason);
  }

  compared({ reason, checked, different, named }: ComparisonReport): void {
    const about = { mirror: this.#mirror, reason, checked, different, named };
    this.#parts.log.info(about, "the mirror was compared");
  }

  #counted(what: "foreign" | "refused", keys: readonly MirrorKey[], sentence: string, reason?: string): void {
    const [first] = keys;
    if (first === undefined) return;
    this.#counts[what] += keys.length;
    if (!this.#isDue(what)) return;
    const about = { mirror: this.#mirror, keys: this.#counts[what], first: shownKey(first) };
    this.#parts.log.warn(reason === undefined ? about : { ...about, reason }, sentence);
    this.#counts[what] = 0;
  }

  #isDue(what: string): boolean {
    const now = this.#parts.environment.uptime();
    if (now - (this.#saidAt.get(what) ?? Number.NEGATIVE_INFINITY) < REMINDER_MS) return false;
    this.#saidAt.set(what, now);
    return true;
  }
}
