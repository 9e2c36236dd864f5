/**
 * Decides at which dates the states of members are compared. While nothing is written, comparisons that find no
 * difference become rarer, because they cost time for each key. A write, a difference or a missing answer makes them as
 * frequent as at first.
 */

/**
 * The factor by which the interval grows. It is odd, so that the dates still select each share of a large keyspace: the
 * number of shares is a power of two.
 */
const GROWTH = 3;

/** The outcome of the comparison at one date. */
interface Round {
  readonly at: number;
  /** The number of parts into which the keyspace is divided; each date compares one of them. */
  readonly shares: number;
  /** The members whose sums were equal. */
  readonly equal: Set<string>;
  isDifferent: boolean;
}

export class ComparisonSchedule {
  readonly #everyMs: number;
  readonly #idleMs: number;
  #interval: number;
  #round: Round | null = null;
  /** The number of consecutive dates with equal sums, since the interval last changed. */
  #equalRounds = 0;
  /** A digest of the entries at the last date. */
  #entries = "";

  /**
   * @param everyMs  the shortest interval between two dates
   * @param idleMs   the upper limit for the interval while nothing is written
   */
  constructor(everyMs: number, idleMs: number) {
    this.#everyMs = everyMs;
    this.#idleMs = idleMs;
    this.#interval = everyMs;
  }

  /** Milliseconds between two dates that are compared. */
  get interval(): number {
    return this.#interval;
  }

  /** Returns the last date, at or before the given one, at which states may be compared. */
  lastDate(settled: number): number {
    return Math.floor(settled / this.#everyMs) * this.#everyMs;
  }

  /**
   * Whether to compare the states as of a date, which `lastDate` has returned.
   * @param entries      a digest of all entries that this daemon has
   * @param isRequested  whether a member has compared this date
   */
  isDue(at: number, entries: string, isRequested: boolean): boolean {
    if (entries !== this.#entries) this.#restart();
    return isRequested || at % this.#interval === 0;
  }

  /**
   * Begins a comparison.
   * @param newest   the date of the newest entry
   * @param members  the members with which the previous state was to be compared
   */
  begin(at: number, entries: string, newest: number, members: readonly string[]): void {
    this.#judge(newest, members);
    this.#entries = entries;
    this.#round = { at, shares: 1, equal: new Set(), isDifferent: false };
  }

  /** Records the result of a comparison with one member. */
  compared(at: number, shares: number, member: string, isEqual: boolean): void {
    if (this.#round?.at !== at) return;
    this.#round = { ...this.#round, shares };
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
