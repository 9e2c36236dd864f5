/**
 * The date before which everything is final: all members agree about the entries before it (common-date.ts). It is kept
 * in memory only. Source: docs/architecture.md "How daemons agree".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { OwnMessage } from "../../../../protocol/members/member-messages.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { totalsUpTo } from "../shared/entry-totals.js";
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
  /** `received` of the table at the last check, and when to check again even if nothing has arrived. */
  #received = -1;
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
    const { received } = this.#reports;
    if (received === this.#received && now < this.#nextAt) return;
    this.#received = received;
    this.#nextAt = now + this.#cluster.limits.reportEveryMs;
    const members = all();
    if (members !== null && list !== null) this.#agreed.tick(now, members, list);
    const reached = this.#waiting.filter(({ at }) => at < this.value);
    this.#waiting = this.#waiting.filter(({ at, until }) => at >= this.value && now <= until);
    for (const { resolve } of reached) resolve();
  }
}

const SECOND = 1000;
/** Maximum reports per second. A member sends two requests every two seconds; requests beyond the limit are ignored. */
const REPORTS_MAX = 8;

/**
 * Answers members that request totals up to a date. Because totals are expensive to compute, the number of reports is
 * limited, and dates are whole seconds.
 */
export class ReportAnswers {
  readonly #parts: ClusterState;
  /** Reports since `#since`. */
  #count = 0;
  #since = 0;

  constructor(parts: ClusterState) {
    this.#parts = parts;
  }

  /** Creates a report in one step, so that the totals and the watermark in it belong to the same moment. */
  answer(at: number): (OwnMessage & { kind: "report" }) | "malformed" | null {
    const { timeline, uptime } = this.#parts;
    if (at % SECOND !== 0) return "malformed";
    const now = uptime();
    if (now - this.#since >= SECOND) {
      this.#count = 0;
      this.#since = now;
    }
    if (++this.#count > REPORTS_MAX) return null;
    return { kind: "report", at, watermark: timeline.published, ...totalsUpTo(timeline.index, at) };
  }

  /** Answers a member's request, or closes the connection if it is malformed. Ignores requests beyond the limit. */
  sendReport(at: number, to: Requester): void {
    const answer = this.answer(at);
    if (answer === "malformed") to.malformed(`a report request up to ${at}, which is not a whole second`);
    else if (answer !== null) to.connection.send(answer);
  }
}

/** The member that requests a report. */
interface Requester {
  readonly connection: { send(message: OwnMessage): void };
  malformed(detail: string): void;
}
