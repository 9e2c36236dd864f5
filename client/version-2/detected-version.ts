/**
 * The version that a daemon speaks, according to its hellos. If the connection is closed after the hello, the daemon
 * speaks version 1, or an attacker hides version 2. The client therefore falls back to version 1 only if the user has
 * allowed that, and never if the daemon has spoken version 2 before. Callers pass all times. Source:
 * docs/protocol-v2.md "hello".
 */
import type { Versions } from "../shared/protocol-versions.js";

/** The time after which the client checks again whether a daemon speaks only version 1. */
const VERSION_1_MS = 60_000;

/**
 * The meanings of a closed hello:
 * - `uncertain`: the daemon may just have stopped; the next hello is sent without envelopes, so that the cause is certain
 * - `version-1`: the daemon speaks version 1
 * - `version`: the daemon speaks version 1, or pretends to, and the user has not allowed version 1
 * - `downgrade`: the daemon has spoken version 2 before
 */
export type ClosedHello = "uncertain" | "version-1" | "version" | "downgrade";

export class DetectedVersion {
  /** The version, or 0 if it is not known yet. */
  known: 0 | 1 | 2;
  readonly #versions: Versions | null;
  #foundAt = 0;
  #hasUsedVersion2 = false;
  #isUncertain = false;

  /** Creates the state for one daemon. @param versions  null (not configured) does not allow version 1 */
  constructor(versions: Versions | null) {
    this.#versions = versions;
    this.known = versions === "1" ? 1 : 0;
  }

  /**
   * Whether envelopes may follow the hello before it is answered. A daemon that speaks version 1 would not execute
   * them, but the client could not be certain that it may send them again as version 1.
   */
  get isCertain(): boolean {
    return (this.#hasUsedVersion2 || this.#versions === "2") && !this.#isUncertain;
  }

  confirmVersion2(): void {
    this.known = 2;
    this.#hasUsedVersion2 = true;
    this.#isUncertain = false;
  }

  closedHello(now: number): ClosedHello {
    if (this.#hasUsedVersion2 || this.#versions !== "1,2") {
      if (this.#isUncertain) return this.#hasUsedVersion2 ? "downgrade" : "version";
      this.#isUncertain = true;
      return "uncertain";
    }
    this.known = 1;
    this.#foundAt = now;
    return "version-1";
  }

  /**
   * Checks again whether a daemon that spoke version 1 some time ago still does. If no call is in flight (`isQuiet`)
   * the result is discarded, and the next call waits for the daemon's answer.
   * @returns whether the caller must query the daemon in parallel with its calls instead
   */
  recheck(now: number, isQuiet: boolean): boolean {
    if (this.known !== 1 || this.#versions === "1" || now - this.#foundAt <= VERSION_1_MS) return false;
    this.#foundAt = now;
    if (isQuiet) this.known = 0;
    return !isQuiet;
  }
}
