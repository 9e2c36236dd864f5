/**
 * Answers a member that requests that this daemon closes dates: the daemon signs nothing more that is dated at or
 * before them, and reports it when everything that it has signed before is on its disk, and pushed to the member.
 * Source: docs/decisions/0075-streams-whose-followers-miss-nothing.md.
 */

import type { OwnMessage } from "../../../../protocol/members/member-messages.js";
import type { ClusterState } from "../shared/cluster-state.js";

/** The member that has sent the request. */
interface Requester {
  readonly connection: { send(message: OwnMessage): void };
  readonly outbox: { afterOwnPushes(step: () => void): void };
}

export class ClosingAnswers {
  readonly #cluster: ClusterState;
  readonly #member: Requester;
  /** The latest date that the member has requested. */
  #requested = 0;
  #isClosing = false;
  /** When a date further ahead than `closeAheadMs` may be closed again, in milliseconds of uptime. */
  #farFrom = Number.NEGATIVE_INFINITY;

  constructor(cluster: ClusterState, member: Requester) {
    this.#cluster = cluster;
    this.#member = member;
  }

  /**
   * Handles a request. While an answer is pending, further requests wait, and the next answer is for the latest of
   * them: a member that sends many requests receives few answers.
   */
  request(at: number): void {
    this.#requested = Math.max(this.#requested, at);
    if (!this.#isClosing) this.#close();
  }

  #close(): void {
    const { clock, timeline, limits } = this.#cluster;
    const requested = this.#requested;
    const now = Math.floor(clock());
    const to = this.#closable(requested, now);

    const answer = () => {
      this.#member.connection.send({ kind: "dates-closed", requested, at: to });
      this.#isClosing = false;
      if (this.#requested > requested) this.#close();
    };

    this.#isClosing = true;
    // If the disk has failed, this daemon signs nothing more, and the member no longer waits for it.
    timeline.ownDates.close(to, now + limits.future - 1).then(
      () => this.#member.outbox.afterOwnPushes(answer),
      () => {},
    );
  }

  /**
   * Returns the date to close for a request. A member must not set the dates of this daemon's writes far ahead of its
   * clock. The date of the newest applied write is closed too, because the next write is dated after it in any case. If
   * it is far ahead, it is closed only from time to time: each time sets the date of the next write a millisecond
   * further ahead, until writes would be refused.
   * @param now  milliseconds since 1970, an integer
   */
  #closable(requested: number, now: number): number {
    const { uptime, timeline, limits } = this.#cluster;
    const near = now + Math.floor(Math.min(limits.closeAheadMs, limits.future / 2));
    const newest = timeline.newest.at;
    if (newest <= near) return Math.max(newest, Math.min(requested, near));
    if (newest <= timeline.ownDates.closedTo) return newest;
    if (newest >= now + limits.future || uptime() < this.#farFrom) return Math.min(requested, near);
    this.#farFrom = uptime() + limits.closeFarMs;
    return newest;
  }
}
