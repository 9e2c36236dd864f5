/**
 * A daemon's stable point, which is computed from the other members' reports. The daemon publishes it once it is on
 * disk, and drops bodies far below it.
 */

import { type Report, stableCandidate } from "../../../daemon/timeline/members/rules.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { numberOf } from "./lists.js";
import { LIMITS } from "./settings.js";
import type { DaemonView } from "./surroundings.js";

interface SentReport extends Report<number> {
  readonly from: number;
}

export class StableWatch {
  /** The stable point in memory: nothing dated before it is accepted. */
  value = 0;
  publishedPoint = 0;
  readonly #daemon: DaemonView;
  /** The envelopes held when each member's last status arrived. */
  #heldBefore: number[] = [];

  constructor(daemon: DaemonView) {
    this.#daemon = daemon;
  }

  start(): void {
    const { disk, number, held, around } = this.#daemon;
    this.value = disk.durable.stable;
    this.#heldBefore = [];
    if (this.value < this.publishedPoint)
      around.ledger.problem(number, "has reported a stable point that it no longer knows");
    around.ledger.recall(number, this.publishedPoint, held);
  }

  receive(from: number): void {
    this.#heldBefore[from] = this.#daemon.reported;
  }

  /** Checks an envelope before it is inserted: its date must not be below the published stable point. */
  checkBelow(bit: number): void {
    const { around, number, held } = this.#daemon;
    if ((held & bit) === 0 && around.envelopes.dateOf(bit) < this.publishedPoint)
      around.ledger.problem(
        number,
        "accepts an entry from a client that is missing from the entries that it has called final",
      );
  }

  tick(): void {
    const { around, disk } = this.#daemon;
    const { under, isReport } = this.#daemon.reporting();
    if (under === null || !isReport) return;
    const others = this.#daemon.othersOf(under);
    const reports = this.#reports(others);
    const watermarks = others.map((id) => reports.get(id)?.watermark ?? 0);
    const { published } = this.#daemon;
    const lowest = stableCandidate([published, ...watermarks]);

    // To test the rule, the daemon first tries a point that the watermarks do not permit yet.
    const tried = Math.max(this.value, lowest) + 1000 * (1 + around.random.below(LIMITS.past / 1000));
    for (const at of [tried, lowest])
      if (at > this.value && this.#isStable(at, under.hash, others, reports)) this.value = at;

    if (this.value > disk.durable.stable) {
      disk.write({ stable: this.value });
      if (!around.rules.stableFromDisk) this.#publish();
    }
  }

  /** Publishes the stable point that is on disk, and drops the bodies far below it. */
  synced(): void {
    const { disk, around, held } = this.#daemon;
    if (disk.durable.stable > this.publishedPoint) this.#publish();
    const dropped =
      held & around.envelopes.before(this.publishedPoint - LIMITS.keepMs) & ~disk.durable.dropped;
    if (dropped !== 0) disk.write({ dropped });
  }

  #publish(): void {
    const { around, number, held } = this.#daemon;
    this.publishedPoint = this.value;
    around.ledger.mark(number, this.publishedPoint, held);
  }

  #reports(others: readonly ByteString[]): Map<ByteString, SentReport> {
    const reports = new Map<ByteString, SentReport>();
    for (const id of others) {
      const from = numberOf(id);
      const status = this.#daemon.lastStatuses[from];
      if (status?.isReport !== true || status.list === null) continue;
      reports.set(id, { from, list: status.list, watermark: status.watermark, digest: status.held });
    }
    return reports;
  }

  #isStable(
    at: number,
    list: ByteString,
    others: readonly ByteString[],
    reports: ReadonlyMap<ByteString, SentReport>,
  ): boolean {
    const { around, reported, published } = this.#daemon;
    const { rules, envelopes } = around;
    const before = envelopes.before(at);
    const own: Report<number> = { list, watermark: published, digest: reported };
    const isSame = (one: number, other: number) => (one & before) === (other & before);
    if (rules.comparesNow) return rules.isStable(at, own, others, reports, isSame);
    const then = new Map<ByteString, Report<number>>();
    for (const [id, report] of reports)
      then.set(
        id,
        isSame(report.digest, this.#heldBefore[report.from] ?? 0) ? { ...report, digest: reported } : report,
      );
    return rules.isStable(at, own, others, then, isSame);
  }
}
