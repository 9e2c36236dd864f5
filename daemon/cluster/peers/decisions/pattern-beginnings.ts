/**
 * Finds out on which envelopes the members decide because of the keys that they write, and when they may declare that a
 * pattern of such keys has begun: once no write to its keys without a decision can arrive any longer. Source:
 * docs/decisions/0081.
 */
import type { Envelope } from "../../../../protocol/version-2/envelope.js";
import { checkPatternUnit } from "../../../engine/pipeline/decided-checks.js";
import { isPatternCommand } from "../../../store/key-command.js";
import type { DecidedPattern, PatternName } from "../../../store/rights/decided-patterns.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { latestPossible } from "../shared/latest-possible.js";

/** An announced pattern that each member knows. */
interface KnownPattern {
  readonly pattern: DecidedPattern;
  /** The number of the last report that had arrived when each member was found to know it. */
  readonly serial: number;
  /**
   * The date after which no member has accepted a write to its keys without a decision, milliseconds since 1970; null:
   * not known yet.
   */
  readonly lastWriteAt: number | null;
}

export interface Finality {
  /** Returns the date before which everything is final, or 0 if unknown. */
  readonly stablePoint: () => number;
  /**
   * Returns a text that changes when a member may have lost entries, and with the list. From then on, a member has what
   * it had before only once the stable point increases.
   */
  readonly epoch: () => string;
  /** Returns the number of the last report of a member that has arrived. */
  readonly serial: () => number;
  /**
   * Returns the latest date with which a daemon of the list may have accepted an entry from a client, as each member
   * has reported after the report with a number; null if one has not. The windows of the members may differ (--window).
   */
  readonly latestTaken: (since: number) => number | null;
}

export class PatternBeginnings {
  readonly #cluster: ClusterState;
  readonly #finality: Finality;
  readonly #known = new Map<string, KnownPattern>();
  /** The condition under which the known patterns are known, and the stable point when it began. */
  #epoch = "";
  #epochFrom = 0;

  constructor(cluster: ClusterState, finality: Finality) {
    this.#cluster = cluster;
    this.#finality = finality;
  }

  /** The patterns that were announced, have not begun, and may begin now. */
  get ready(): readonly DecidedPattern[] {
    return this.#announced.filter((pattern) => this.mayBegin(pattern));
  }

  /** Whether a pattern may begin, as far as this daemon knows. */
  mayBegin(name: PatternName): boolean {
    const pattern = this.#cluster.timeline.ring.patterns.find(name);
    if (pattern === undefined) return false;
    this.#compareEpoch();
    const known = this.#known.get(nameOf(pattern));
    const lastWriteAt = known?.pattern === pattern ? known.lastWriteAt : null;
    return pattern.isBegun || (lastWriteAt !== null && this.#finality.stablePoint() > lastWriteAt);
  }

  /**
   * Whether the members decide on an envelope, as of the decisions that are here. A client sends its envelope to
   * several daemons, of which one may not know a pattern yet that was only announced, and record the envelope.
   */
  decidesOn(envelope: Envelope): boolean {
    if (envelope.decide) return true;
    // Members that vote for the beginning of a pattern check the first command.
    if (envelope.commands.some(isPatternCommand)) return checkPatternUnit(envelope) === null;
    const { ring } = this.#cluster.timeline;
    const isOfDaemon = ring.find(envelope.key)?.role === "daemon";
    return (isOfDaemon ? ring.patterns : ring.patterns.begun).findIn(envelope, ring) !== null;
  }

  /** Notes the patterns that each member knows since the last call. */
  tick(): void {
    const announced = this.#announced;
    this.#compareEpoch();
    if (announced.length === 0) this.#known.clear();

    for (const pattern of announced) {
      const found = this.#known.get(nameOf(pattern));
      const known = found?.pattern === pattern ? found : null;
      // A member whose report makes a date final has every entry up to this date, and follows the announcement.
      const from = Math.max(pattern.announcedAt, this.#epochFrom);
      if (this.#finality.stablePoint() <= from || this.#isNoted(known)) continue;

      const serial = known?.serial ?? this.#finality.serial();
      // Before, it may have accepted writes that were dated ahead of its clock.
      this.#known.set(nameOf(pattern), { pattern, serial, lastWriteAt: this.#finality.latestTaken(serial) });
    }
  }

  /** Whether the date of the last write is known. One that is not possible follows a clock that was wrong. */
  #isNoted(known: KnownPattern | null): boolean {
    const lastWriteAt = known?.lastWriteAt ?? null;
    return lastWriteAt !== null && lastWriteAt <= latestPossible(this.#cluster);
  }

  /** Forgets what members knew that may have lost entries since, or under another list. */
  #compareEpoch(): void {
    const epoch = this.#finality.epoch();
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#epochFrom = this.#finality.stablePoint();
    this.#known.clear();
  }

  get #announced(): readonly DecidedPattern[] {
    return this.#cluster.timeline.ring.patterns.all.filter(({ isBegun }) => !isBegun);
  }
}

const nameOf = ({ glob, db }: PatternName): string => `${db ?? ""} ${glob}`;
