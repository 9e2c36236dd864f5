/**
 * Up to where the members that are connected have been found to hold the same: only that may be forgotten, or what one of
 * them lacks could be given to it by nobody. Found as the stable point is, without those that are away.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { type Report, type Reporter, StablePoint } from "./stable-point.js";

/** Between two looks at who has reported, and who lags; at once where a member has come. */
const LOOK_EVERY_MS = 250;

/** A member that is connected. */
export interface CommonReporter extends Reporter {
  readonly isCatchingUp: boolean;
}

export class CommonPast {
  readonly #cluster: ClusterState;
  #point: StablePoint;
  /** Since when members have been catching up, without a break. */
  readonly #behind = new Map<ByteString, number>();
  #nextAt = Number.NEGATIVE_INFINITY;
  /** Of all that are connected, those that lag as well, as far as that is known. */
  #common = 0;
  /** When more of that was last found, and of what is the same without those that lag. */
  readonly #commonGrowth = new Growth();
  readonly #levelGrowth = new Growth();

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
    this.#point = new StablePoint(cluster.timeline, cluster.limits);
  }

  /** A member has connected: what it holds is not known. */
  joined(): void {
    this.#point = new StablePoint(this.#cluster.timeline, this.#cluster.limits);
    this.#common = 0;
    this.#nextAt = Number.NEGATIVE_INFINITY;
  }

  /** A member is no longer connected. */
  left(id: ByteString): void {
    this.#point.discard();
    this.#behind.delete(id);
  }

  reported(id: ByteString, report: Report): void {
    this.#point.reported(id, report);
  }

  /**
   * Everything dated before it is held alike by all that are connected, or is not waited for any more. Who has been catching
   * up for long is not: it may need what the others can sign only once they agree without it.
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
    // What it holds alone is not to be forgotten by the others before it has given it.
    if (level.length === all.length) this.#common = Math.max(this.#common, value);
    // Who never agrees does not fill everybody's disk; who lags for ever does not make the others sign unseen.
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
    // What was found without it need not be so with it.
    if (lagged && !isCatchingUp) this.#point = new StablePoint(this.#cluster.timeline, this.#cluster.limits);
    return lagged && isCatchingUp;
  }
}

/** For how long a date has grown no more. */
class Growth {
  #date = 0;
  /** `uptime` milliseconds; null: nobody has asked yet. */
  #grownAt: number | null = null;

  /** @param date  as of now; less than before begins anew @returns milliseconds since it last grew, or was first asked about */
  lasts(date: number, now: number): number {
    if (this.#grownAt === null || date > this.#date) this.#grownAt = now;
    this.#date = date;
    return now - this.#grownAt;
  }
}
