/**
 * The date up to which the connected members have been found to hold the same: only that may be forgotten, since no
 * member could send what another misses. It is found like the stable point, without members that are not connected.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { type Report, type Reporter, StablePoint } from "./stable-point.js";

/** Between two checks of which members have reported, and which are slow; immediately after a member has connected. */
const LOOK_EVERY_MS = 250;

/** A member that is connected. */
export interface CommonReporter extends Reporter {
  readonly isCatchingUp: boolean;
}

export class CommonPast {
  readonly #cluster: ClusterState;
  #point: StablePoint;
  /** When members began catching up, without a break since. */
  readonly #behind = new Map<ByteString, number>();
  #nextAt = Number.NEGATIVE_INFINITY;
  /** The date for all connected members, slow ones included, as far as known. */
  #common = 0;
  /** When that date last grew, and when the date without slow members did. */
  readonly #commonGrowth = new Growth();
  readonly #levelGrowth = new Growth();

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
    this.#point = new StablePoint(cluster.timeline, cluster.limits);
  }

  /** A member has connected: the entries that it holds are not known. */
  joined(): void {
    this.#point = new StablePoint(this.#cluster.timeline, this.#cluster.limits);
    this.#common = 0;
    this.#nextAt = Number.NEGATIVE_INFINITY;
  }

  /** A member has disconnected. */
  left(id: ByteString): void {
    this.#point.discard();
    this.#behind.delete(id);
  }

  reported(id: ByteString, report: Report): void {
    this.#point.reported(id, report);
  }

  /**
   * Everything dated before it is held alike by all connected members, or is no longer waited for. A member that has
   * been catching up for long is not waited for: it may need what the remaining ones can sign only once they agree
   * without it.
   */
  value = 0;

  tick(now: number, connected: () => readonly CommonReporter[]): void {
    if (now < this.#nextAt) return;
    this.#nextAt = now + LOOK_EVERY_MS;
    const all = connected();
    const level = all.filter((member) => !this.#lags(member, now));
    this.#point.tick(now, () => level);
    const { timeline, limits } = this.#cluster;
    const { value } = this.#point;
    // The remaining members must not forget what a slow one holds alone before it has sent it.
    if (level.length === all.length) this.#common = Math.max(this.#common, value);
    // A member that never agrees does not fill every disk; one that is always slow does not make the remaining ones
    // sign unseen.
    const upTo = (growth: Growth, date: number) =>
      growth.lasts(date, now) > limits.snapshotHoldMs ? Number.POSITIVE_INFINITY : date;
    this.value = upTo(this.#levelGrowth, value);
    timeline.handover?.keepFrom(upTo(this.#commonGrowth, this.#common));
  }

  #lags({ id, isCatchingUp }: CommonReporter, now: number): boolean {
    const since = isCatchingUp ? (this.#behind.get(id) ?? now) : now;
    const lagged = now - (this.#behind.get(id) ?? now) > this.#cluster.limits.catchUpStuckMs;
    if (isCatchingUp) this.#behind.set(id, since);
    else this.#behind.delete(id);
    // What was found without a slow member need not hold with it.
    if (lagged && !isCatchingUp) this.#point = new StablePoint(this.#cluster.timeline, this.#cluster.limits);
    return lagged && isCatchingUp;
  }
}

/** Measures how long a date has not grown. */
class Growth {
  #date = 0;
  /** `uptime` milliseconds; null: not asked yet. */
  #grownAt: number | null = null;

  /**
   * @param date  the present one; less than before starts again @returns milliseconds since it last grew, or was
   * first asked about
   */
  lasts(date: number, now: number): number {
    if (this.#grownAt === null || date > this.#date) this.#grownAt = now;
    this.#date = date;
    return now - this.#grownAt;
  }
}
