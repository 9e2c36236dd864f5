/**
 * Answers members that request totals up to a date. Because totals are expensive to compute, the number of reports is
 * limited, and dates are whole seconds.
 */
import type { OwnMessage } from "../../../protocol/members/member-messages.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { totalsUpTo } from "../shared/totals.js";

const SECOND = 1000;
/** Maximum reports per second. A member sends two requests every two seconds; requests beyond the limit are ignored. */
const REPORTS_MAX = 8;

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
  give(at: number, to: Requester): void {
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
