/**
 * Recognizes that no majority of the members answers, although their connections may still be open: their processes are
 * suspended, or the network loses packets. While units wait and nothing is decided, this daemon requests answers in
 * rounds. A member answers without its disk, and whether or not it is the keeper, so a majority that is only slow to
 * decide is not silent. Source: docs/member-protocol.md "Decisions".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { VotingList } from "./decision-types.js";
import type { Timeouts } from "./timeouts.js";
import { isMajority } from "./vote-count.js";

/**
 * Milliseconds without a decision after which answers are requested, and at least between two rounds. A longer pause
 * on slow machines would delay the errors of a second fault that follows soon after another one.
 */
const REQUEST_AFTER_MS = 100;
/** Milliseconds after the time is over in which this process reads what has arrived. */
const READ_MS = 20;

/** A round of requests to all other members. It ends when a majority, including this daemon, has answered. */
interface Round {
  /** When it began; `uptime` milliseconds. It moves on while this process does not run. */
  since: number;
  sentAt: number;
  /** When its time was first found to be over; `uptime` milliseconds; null: it is not. */
  overSince: number | null;
  readonly answered: Set<ByteString>;
}

export class MajorityAnswers {
  readonly #timeouts: Timeouts;
  /** The number of the present round, or of the last one. */
  #number = 0;
  #round: Round | null = null;
  /** When the next round may begin; `uptime` milliseconds. */
  #nextAt = 0;
  #isSilent = false;

  constructor(timeouts: Timeouts) {
    this.#timeouts = timeouts;
  }

  /** Whether no majority has answered in time. It remains so until one answers. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** The number of the request that no majority has answered yet; null: there is none. */
  get requested(): number | null {
    return this.#round === null ? null : this.#number;
  }

  /** Ends the present round, and begins without silence. */
  reset(): void {
    this.#round = null;
    this.#isSilent = false;
  }

  /**
   * @param now  `uptime` milliseconds
   * @param stopped  the milliseconds since the last tick in which this process did not run
   * @param waited  the milliseconds for which units have waited without a decision; null: none wait
   * @param sizeMs  the milliseconds by which an answer may take longer, because a long envelope is sent before it
   * @returns the number to request of all other members now, or null
   */
  tick(now: number, stopped: number, waited: number | null, sizeMs = 0): number | null {
    const { answerMs, repeatMs } = this.#timeouts;
    if (waited === null && !this.#isSilent) this.#round = null;

    const round = this.#round;
    if (round === null) {
      if (waited === null || waited < REQUEST_AFTER_MS || now < this.#nextAt) return null;
      this.#round = { since: now, sentAt: now, overSince: null, answered: new Set() };
      return ++this.#number;
    }

    round.since = Math.min(round.since + stopped, now);
    round.overSince = now - round.since >= answerMs + sizeMs ? (round.overSince ?? now) : null;
    if (round.overSince !== null && now - round.overSince >= READ_MS) this.#isSilent = true;

    if (now - round.sentAt < repeatMs) return null;
    round.sentAt = now;
    return this.#number;
  }

  /** Called when a member has answered. */
  answered(from: ByteString, number: number, own: ByteString, list: VotingList, now: number): void {
    const round = this.#round;
    if (round === null || number !== this.#number) return;
    round.answered.add(from);
    if (!isMajority(list, { has: (id) => id === own || round.answered.has(id) })) return;
    this.#timeouts.answered(now - round.since);
    this.reset();
    this.#nextAt = round.sentAt + REQUEST_AFTER_MS;
  }
}
