/**
 * Learns that this daemon is no member (any longer) after it was away: no member sends it the entry that says so. It
 * believes that of an authenticated member, and only as long as no other member is connected.
 */

import type { LogThrottle } from "../../net/process/log-throttle.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { MemberConnection } from "./connections/member-connection.js";
import { type CloseCode, isMembershipCode } from "./shared/close-reasons.js";

export class Revocation {
  /** The reason, and the member that reported it; null: none, or a member has accepted this daemon since. */
  word: { readonly code: CloseCode; readonly by: string } | null = null;
  readonly #notices: LogThrottle;

  constructor(notices: LogThrottle) {
    this.#notices = notices;
  }

  /** A member talks to this daemon as to one. */
  taken(): void {
    this.word = null;
  }

  /** A connection has closed. @param others  the number of members that are still connected */
  left({ isProven, closeCode, name, id }: MemberConnection, others: number): void {
    if (!isProven || closeCode === null || !isMembershipCode(closeCode) || this.word !== null || others > 0)
      return;
    this.word = { code: closeCode, by: name };
    // A member that dials this daemon again and again says the same each time.
    this.#notices.error(
      "own membership",
      { address: name, member: hexOf(id) },
      SENTENCES[closeCode] ?? closeCode,
    );
  }
}

const SENTENCES: Partial<Record<CloseCode, string>> = {
  revoked:
    "a member says that this daemon's own key was revoked, and no other one is connected: no writes are taken, as they would reach no other daemon. " +
    "Start it with a new --data folder, or stop it",
  "left-out":
    "a member says that the list of members leaves this daemon out permanently, and no other one is connected: no writes are taken. " +
    "Start it with a new --data folder, and dbsync members add it; or stop it",
  "not-listed":
    "a member says that the list of members does not name this daemon, and no other one is connected: no writes are taken before " +
    "dbsync members add",
};
