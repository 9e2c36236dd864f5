/** Determines the dates, in milliseconds since 1970, at which the members compare the sums of their states. */

/**
 * The factor by which the interval grows. A date's second, modulo the number of shares, selects the share of a large
 * keyspace to compare. The number of shares is a power of two, so an even factor would skip shares.
 */
const GROWTH = 3;

/** The outcome of the comparison at one date. */
interface Round {
  readonly at: number;
  /** The number of parts into which the keyspace is divided; each date compares one of them. 1 until it is known. */
  shares: number;
  /** The members whose sums were equal. */
  readonly equal: Set<string>;
  isDifferent: boolean;
}

/**
 * The dates at which the states of members are compared. While nothing is written, comparisons that find no difference
 * become rarer, because they cost time for each key. A write, a difference or a missing answer makes them as frequent
 * as at first.
 */
export class ComparisonSchedule {
  readonly #everyMs: number;
  readonly #idleMs: number;
  #interval: number;
  #round: Round | null = null;
  /** The number of consecutive dates with equal sums, since the interval last changed. */
  #equalRounds = 0;
  /** A digest of all entries that this daemon had when the last comparison began. */
  #entriesDigest = "";

  /**
   * @param everyMs  the shortest interval between two dates
   * @param idleMs   the upper limit for the interval while nothing is written
   */
  constructor(everyMs: number, idleMs: number) {
    this.#everyMs = everyMs;
    this.#idleMs = idleMs;
    this.#interval = everyMs;
  }

  /** Returns the last date, at or before the given one, at which states may be compared. */
  lastDate(settled: number): number {
    return Math.floor(settled / this.#everyMs) * this.#everyMs;
  }

  /** Returns to the shortest interval if the entries have changed since the last comparison began. */
  noteEntries(digest: string): void {
    if (digest !== this.#entriesDigest) this.#restart();
  }

  /**
   * Whether to compare the states as of a date, which `lastDate` has returned.
   * @param isRequested  whether a member has compared this date
   */
  shouldCompareAt(at: number, isRequested: boolean): boolean {
    return isRequested || at % this.#interval === 0;
  }

  /**
   * Begins a comparison.
   * @param entriesDigest  a digest of all entries that this daemon has
   * @param newest         the date of the newest entry
   * @param members        the current members to compare with; the previous comparison counts as equal only if the sums
   *                       of all of them were equal
   */
  begin(at: number, entriesDigest: string, newest: number, members: readonly string[]): void {
    this.#judge(newest, members);
    this.#entriesDigest = entriesDigest;
    this.#round = { at, shares: 1, equal: new Set(), isDifferent: false };
  }

  /** Records the result of a comparison with one member. */
  recordResult(at: number, shares: number, member: string, isEqual: boolean): void {
    if (this.#round?.at !== at) return;
    this.#round.shares = shares;
    if (isEqual) this.#round.equal.add(member);
    else this.#round.isDifferent = true;
  }

  /** Changes the interval according to the result of the last comparison. */
  #judge(newest: number, members: readonly string[]): void {
    if (this.#round === null) return;
    const { at, shares, equal, isDifferent } = this.#round;
    if (isDifferent || newest >= at || !members.every((id) => equal.has(id))) {
      this.#restart();
      return;
    }

    this.#equalRounds++;
    if (this.#equalRounds < shares || this.#interval * GROWTH > this.#idleMs) return;
    this.#interval *= GROWTH;
    this.#equalRounds = 0;
  }

  #restart(): void {
    this.#interval = this.#everyMs;
    this.#equalRounds = 0;
  }
}
