/** What is said in the log of entries that are not as they should be, and what follows for the member that gave them. */

import type { LogThrottle } from "../../net/process/log-throttle.js";
import { hexOf, signedBytes } from "../../protocol/version-2/envelope.js";
import type { Member } from "./member.js";
import type { ClusterState } from "./shared/cluster-state.js";

export class Complaints {
  readonly #peering: ClusterState;
  readonly #notices: LogThrottle;
  readonly #ban: (member: Member, why: string) => void;

  constructor(peering: ClusterState, notices: LogThrottle, ban: (member: Member, why: string) => void) {
    this.#peering = peering;
    this.#notices = notices;
    this.#ban = ban;
  }

  tooLong(body: Buffer): void {
    const id = this.#peering.hash(signedBytes(body));
    this.#notices.warn(`long entry ${id}`, { id: hexOf(id), bytes: body.length }, TOO_LONG);
  }

  /** Nothing follows for the member: it may have taken the list before its signer was revoked. */
  listRefused(member: Member, reason: string): void {
    this.#notices.warn(`list of ${member.id}`, factsOf(member, reason), LIST_REFUSED);
  }

  refused(member: Member, reason: string): void {
    this.#notices.warn(
      `entry of ${member.id}`,
      factsOf(member, reason),
      "an entry that a member gave was refused",
    );
    const { refusals } = member;
    if (refusals < this.#peering.limits.maxRefusals || member.connection.isClosed) return;
    this.#ban(member, `${refusals} entries were refused, the last: ${reason}`);
  }
}

const factsOf = ({ id, connection }: Member, reason: string) => ({
  member: hexOf(id),
  address: connection.remote,
  reason,
});

const LIST_REFUSED =
  "a list of members that a member goes by is refused here: nothing becomes final until an administrator signs another";
const TOO_LONG = "an entry is longer than members take: it stays on this daemon alone";
