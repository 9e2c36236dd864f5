/**
 * A daemon that begins with an empty folder knows no watermark of its own, and what its members call final it must not
 * change: it takes nothing dated at or before theirs, whatever its own clock says. What one of them says cannot keep it
 * from ever taking anything. Source: docs/protocol-v2.md "Members", rule 7.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { StatusMessage } from "../../protocol/members/member-messages.js";
import type { ClusterState } from "./shared/cluster-state.js";
import type { Electorate } from "./shared/electorate.js";

/** Milliseconds ahead of this daemon's clock that one member alone may be believed. */
const BELIEVED_AHEAD_MS = 86_400_000;

export class Joining {
  /** Whether it has begun with nothing, and has not caught up. */
  isUnderWay = false;
  readonly #cluster: ClusterState;
  /** Whether the cluster may be new: no entry was here when this daemon became live, and no member has reported one. */
  #mayBeNew = false;
  /** Members whose first status since the start reported no entries. */
  readonly #empty = new Set<ByteString>();

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
  }

  /** @param hasOthers  whether there are members to ask */
  start(hasOthers: boolean): void {
    this.isUnderWay = hasOthers && this.#cluster.timeline.published === 0;
    this.#mayBeNew = this.isUnderWay && this.#isEmpty;
  }

  /** Notes the first status of a member's connection; later connections of the member do not count. @param id  proved */
  met(id: ByteString, { data }: StatusMessage): void {
    if (!this.#mayBeNew || this.#empty.has(id)) return;
    if (data.count === 0) this.#empty.add(id);
    else this.#mayBeNew = false;
  }

  /**
   * Raises the watermark once, when this daemon has what members had, or reaches none of them; then it begins where its own clock says.
   * At every call until then, and after it, checks whether all configured members began with nothing as well: this daemon cannot have
   * answered anything before its start, and its answers are no longer late.
   * @param members  those that are connected
   * @param electorate  those that are configured, or listed
   */
  caughtUp(members: readonly StatusMessage[], { ids, others }: Electorate): void {
    const { timeline, clock } = this.#cluster;
    if (this.isUnderWay) {
      timeline.raise(joiningWatermark(members, clock()));
      this.#mayBeNew &&= this.#isEmpty;
    }
    this.isUnderWay = false;
    if (!this.#mayBeNew || ids.size < others || ![...ids].every((id) => this.#empty.has(id))) return;
    timeline.forgotten.clear();
    this.#mayBeNew = false;
  }

  get #isEmpty(): boolean {
    return this.#cluster.timeline.index.total("data").count === 0;
  }
}

/**
 * Returns a date at or after all that any member has called final. For such a date each of the members of that time
 * had to report a watermark as high: so it is the highest watermark, but not beyond the present time, unless most of
 * several report more. A clock that once jumped ahead leaves a watermark far ahead; so does a lie. A new member
 * reports none.
 * @param now  by this daemon's clock
 */
export function joiningWatermark(members: readonly StatusMessage[], now: number): number {
  const watermarks = members.map(({ watermark }) => watermark).filter((watermark) => watermark > 0);
  if (watermarks.length === 0) return 0;
  watermarks.sort((a, b) => b - a);
  const most = watermarks.length > 1 ? (watermarks[Math.floor(watermarks.length / 2)] as number) : 0;
  const clocks = [now, ...members.filter(({ skewed }) => !skewed).map(({ clock }) => clock)];
  return Math.floor(Math.max(most, Math.min(watermarks[0] as number, timeOf(clocks, now))));
}

/** Returns the present time: of several clocks the middle one; of two the other one, if it can be right at all. */
function timeOf(clocks: readonly number[], now: number): number {
  if (clocks.length <= 2) return Math.min(Math.max(...clocks), now + BELIEVED_AHEAD_MS);
  return [...clocks].sort((a, b) => a - b)[Math.floor((clocks.length - 1) / 2)] as number;
}
