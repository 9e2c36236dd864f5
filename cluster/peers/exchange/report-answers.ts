/** Answers members that ask what this daemon has up to a date. Sums are expensive, so answers are limited in number and dates to whole seconds. */
import type { OwnMessage } from "../../../protocol/members/member-messages.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { totalsUpTo } from "../shared/totals.js";

const SECOND = 1000;
/** Maximum reports per second. A member asks twice every two seconds; questions beyond the limit are not answered. */
const REPORTS_MAX = 8;

export class ReportAnswers {
  readonly #parts: ClusterState;
  /** Reports since `#since`. */
  #count = 0;
  #since = 0;

  constructor(parts: ClusterState) {
    this.#parts = parts;
  }

  /** Makes a report in one step, so that it shows what this daemon has and promises at one moment. */
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

  /** Answers a member, or reports that its question is malformed; a question beyond the limit is not answered. */
  give(at: number, to: Asking): void {
    const answer = this.answer(at);
    if (answer === "malformed") to.malformed(`a report request up to ${at}, which is no whole second`);
    else if (answer !== null) to.connection.send(answer);
  }
}

/** The member that asks. */
interface Asking {
  readonly connection: { send(message: OwnMessage): void };
  malformed(detail: string): void;
}
