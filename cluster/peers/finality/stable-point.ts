/**
 * The date before which everything is final. It is a full second C. Every member has reported, as of one moment, a
 * published watermark of at least C, and a digest of its entries up to C that equals this daemon's *current* digest up
 * to C. The date is kept in memory only. Source: docs/architecture.md "How daemons agree".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { OwnMessage } from "../../../protocol/members/member-messages.js";
import type { Totals } from "../../../protocol/members/member-totals.js";
import {
  isStable,
  type Report as RuledReport,
  stableCandidate,
} from "../../../timeline/members/stable-rule.js";
import type { Timeline } from "../../../timeline/timeline.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { isSameTotals, totalsUpTo } from "../shared/entry-totals.js";

/**
 * A constant in place of the hash of the member list. The lists need not be compared here, because the caller passes
 * only members whose reports count.
 */
const NO_LIST = "";

/** A member whose reports count. */
export interface Reporter {
  readonly id: ByteString;
  /** The watermark in the member's last status, or null if it has sent none yet. */
  readonly watermark: number | null;
  requestReport(at: number): void;
}

/** Returns the reporter for a member. */
export const reporterOf = ({
  id,
  status,
  connection,
}: {
  readonly id: ByteString;
  readonly status: { readonly watermark: number } | null;
  readonly connection: { send(message: OwnMessage): void };
}): Reporter => ({
  id,
  watermark: status?.watermark ?? null,
  requestReport: (at) => connection.send({ kind: "report-request", at }),
});

export interface Report extends Totals {
  readonly at: number;
  readonly watermark: number;
}

interface Round {
  readonly at: number;
  readonly reporters: ReadonlySet<ByteString>;
  readonly reports: Map<ByteString, RuledReport<Totals>>;
}

interface Waiting {
  readonly at: number;
  readonly resolve: () => void;
  /** When the wait is abandoned; `uptime` milliseconds. */
  readonly until: number;
}

export class StablePoint {
  /** Everything dated before it is final. */
  value = 0;
  readonly #timeline: Timeline;
  readonly #limits: { readonly reportEveryMs: number; readonly waitMaxMs: number };
  #round: Round | null = null;
  #nextAt = 0;
  #waiting: Waiting[] = [];

  constructor(timeline: Timeline, limits: { readonly reportEveryMs: number; readonly waitMaxMs: number }) {
    this.#timeline = timeline;
    this.#limits = limits;
  }

  /** Resolves when everything dated at or before `at` is final. */
  wait(at: number, now: number): Promise<void> {
    if (at < this.value) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ at, resolve, until: now + this.#limits.waitMaxMs });
    });
  }

  /** @param all  all members, or null if one of them is not connected */
  tick(now: number, all: () => readonly Reporter[] | null): void {
    if (now < this.#nextAt) return;
    this.#nextAt = now + this.#limits.reportEveryMs;
    this.#round = null;
    this.#waiting = this.#waiting.filter(({ until }) => now <= until);
    const members = all();
    if (members === null) return;
    if (members.length === 0) {
      this.#raise(this.#timeline.published + 1);
      return;
    }
    const watermarks = members.map(({ watermark }) => watermark ?? 0);
    const at = stableCandidate([this.#timeline.published, ...watermarks]);
    if (at <= this.value) return;
    this.#round = { at, reporters: new Set(members.map(({ id }) => id)), reports: new Map() };
    for (const member of members) member.requestReport(at);
  }

  /** Called when the set of members has changed. Earlier reports no longer count. */
  discard(): void {
    this.#round = null;
  }

  reported(id: ByteString, report: Report): void {
    const round = this.#round;
    if (round === null || report.at !== round.at || !round.reporters.has(id)) return;
    round.reports.set(id, { list: NO_LIST, watermark: report.watermark, digest: report });
    if (round.reports.size < round.reporters.size) return;
    this.#round = null;
    const { index, published } = this.#timeline;
    const own = { list: NO_LIST, watermark: published, digest: totalsUpTo(index, round.at) };
    if (isStable(round.at, own, round.reporters, round.reports, isSameTotals)) this.#raise(round.at);
  }

  #raise(to: number): void {
    if (to <= this.value) return;
    this.value = to;
    const reached = this.#waiting.filter(({ at }) => at < to);
    this.#waiting = this.#waiting.filter(({ at }) => at >= to);
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
