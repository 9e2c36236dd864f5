/** Checks this machine's clock against the members' clocks, and logs when the verdict changes. */
import { skewedWatermark } from "../../timeline/members/skew-rule.js";
import { MemberClocks } from "./member-clocks.js";
import type { ClusterState } from "./shared/cluster-state.js";

export class OwnClock {
  readonly clocks: MemberClocks;
  readonly #cluster: ClusterState;
  /** The last verdict that was logged. */
  #wasSkewed = false;

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
    this.clocks = new MemberClocks(cluster.limits);
  }

  /** Whether this machine's clock differs too much from the members' median. Computed at each access. */
  get isSkewed(): boolean {
    return this.clocks.isSkewed(this.#cluster.clock(), this.#cluster.uptime(), this.#cluster.size);
  }

  /** Returns `isSkewed`, and logs when that has changed. */
  watch(): boolean {
    const { isSkewed } = this;
    if (isSkewed !== this.#wasSkewed) this.#logVerdict(isSkewed);
    this.#wasSkewed = isSkewed;
    return isSkewed;
  }

  /**
   * Returns the watermark to report while this machine's clock is off, or null if the clock is right. By reporting that
   * watermark, this daemon does not delay finality.
   */
  watermarkIfSkewed(
    members: readonly { readonly status: { readonly skewed: boolean; readonly watermark: number } | null }[],
  ): number | null {
    const median = this.#median;
    if (!this.isSkewed || median === null) return null;
    const watermarks = members.flatMap(({ status }) =>
      status === null || status.skewed ? [] : [status.watermark],
    );
    return skewedWatermark(median, this.#cluster.limits.past, watermarks);
  }

  get #median(): number | null {
    return this.clocks.median(this.#cluster.clock(), this.#cluster.uptime(), this.#cluster.size);
  }

  #logVerdict(isSkewed: boolean): void {
    const { log, clock } = this.#cluster;
    const median = this.#median;
    if (!isSkewed) log.info({}, "this machine's clock is right again");
    else log.warn(median === null ? {} : { aheadMs: Math.round(clock() - median) }, SKEWED);
  }
}

const SKEWED =
  "this machine's clock differs from the members' clocks: nothing is accepted from clients until it is right";
