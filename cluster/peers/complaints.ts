/** What is said in the log of entries that are not as they should be, and what follows for the member that gave them. */

import { hexOf, signedBytes } from "../../protocol/version-2/envelope.js";
import type { Member } from "./member.js";
import type { Roster } from "./roster.js";
import type { ClusterState } from "./shared/cluster-state.js";

export class Complaints {
  readonly #cluster: ClusterState;
  readonly #roster: Roster;

  constructor(cluster: ClusterState, roster: Roster) {
    this.#cluster = cluster;
    this.#roster = roster;
  }

  tooLong(body: Buffer): void {
    const id = this.#cluster.hash(signedBytes(body));
    this.#cluster.notices.warn(`long entry ${id}`, { id: hexOf(id), bytes: body.length }, TOO_LONG);
  }

  /** Nothing follows for the member: it may have taken the list before its signer was revoked. */
  listRefused(member: Member, reason: string): void {
    this.#cluster.notices.warn(`list of ${member.id}`, factsOf(member, reason), LIST_REFUSED);
  }

  refused(member: Member, reason: string): void {
    this.#cluster.notices.warn(
      `entry of ${member.id}`,
      factsOf(member, reason),
      "an entry that a member gave was refused",
    );
    const { refusals } = member;
    if (refusals < this.#cluster.limits.maxRefusals || member.connection.isClosed) return;
    this.#roster.ban(member, `${refusals} entries were refused, the last: ${reason}`);
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
