/**
 * The date before which everything is final: all members agree about the entries before it (common-date.ts). It is kept
 * in memory only. Source: docs/architecture.md "How daemons agree".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { AgreedDate, type Reporter } from "./common-date.js";
import type { ReportTable } from "./report-table.js";

interface Waiting {
  readonly at: number;
  readonly resolve: () => void;
  /** When the wait is abandoned; `uptime` milliseconds. */
  readonly until: number;
}

export class StablePoint {
  readonly #cluster: ClusterState;
  readonly #reports: ReportTable;
  readonly #agreed: AgreedDate;
  /** `lastSerial` of the table at the last check, and when to check again even if nothing has arrived. */
  #lastSerial = -1;
  #nextAt = Number.NEGATIVE_INFINITY;
  #waiting: Waiting[] = [];

  constructor(cluster: ClusterState, reports: ReportTable) {
    this.#cluster = cluster;
    this.#reports = reports;
    this.#agreed = new AgreedDate(cluster, reports);
  }

  /** Everything dated before it is final. */
  get value(): number {
    return this.#agreed.value;
  }

  /** Resolves when everything dated at or before `at` is final. */
  wait(at: number, now: number): Promise<void> {
    if (at < this.value) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ at, resolve, until: now + this.#cluster.limits.waitMaxMs });
    });
  }

  /**
   * @param all   all members, or null if one of them is not connected, or does not report under the same list
   * @param list  the hash of the list under which this daemon reports; empty: there is no list; null: it reports under
   * none
   */
  tick(now: number, all: () => readonly Reporter[] | null, list: ByteString | null): void {
    const { lastSerial } = this.#reports;
    if (lastSerial === this.#lastSerial && now < this.#nextAt) return;
    this.#lastSerial = lastSerial;
    this.#nextAt = now + this.#cluster.limits.reportEveryMs;

    const members = all();
    if (members !== null && list !== null) this.#agreed.tick(now, members, list);

    const reached = this.#waiting.filter(({ at }) => at < this.value);
    this.#waiting = this.#waiting.filter(({ at, until }) => at >= this.value && now <= until);
    for (const { resolve } of reached) resolve();
  }
}
