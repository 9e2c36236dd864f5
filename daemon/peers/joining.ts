/**
 * A daemon that begins with an empty folder knows no watermark of its own, and what its members call final it must not
 * change: it takes nothing dated at or before theirs, whatever its own clock says.
 * Source: DESIGN.md "Members", Joiner.
 */
import type { StatusMessage } from "../../protocol/member-messages.js";
import type { TimelineFace } from "./peering-parts.js";

/** What a member says of itself. */
export type JoinedStatus = Pick<StatusMessage, "watermark" | "clock" | "skewed">;

export class Joining {
  /** Whether it has begun with nothing, and has not caught up. */
  isUnderWay = false;
  readonly #timeline: Pick<TimelineFace, "published" | "raise">;

  constructor(timeline: Pick<TimelineFace, "published" | "raise">) {
    this.#timeline = timeline;
  }

  /** @param hasOthers  whether there are members to ask */
  start(hasOthers: boolean): void {
    this.isUnderWay = hasOthers && this.#timeline.published === 0;
  }

  /** What members had is here, or nobody could be reached: then it begins where its own clock says. */
  caughtUp(members: readonly JoinedStatus[]): void {
    if (this.isUnderWay) this.#timeline.raise(joiningWatermark(members));
    this.isUnderWay = false;
  }
}

/**
 * At or above all that any member has called final, for which each of the members of that time had to tell a watermark as
 * high: the highest, but not beyond the time that it is, unless the lowest is. A clock that once jumped ahead leaves a
 * watermark far ahead. Who is new as well tells none.
 */
export function joiningWatermark(members: readonly JoinedStatus[]): number {
  const watermarks = members.map(({ watermark }) => watermark).filter((watermark) => watermark > 0);
  if (watermarks.length === 0) return 0;
  const clocks = members.filter(({ skewed }) => !skewed).map(({ clock }) => clock);
  return Math.floor(
    Math.max(Math.min(...watermarks), Math.min(Math.max(...watermarks), Math.max(...clocks))),
  );
}
