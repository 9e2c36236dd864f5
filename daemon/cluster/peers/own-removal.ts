/**
 * The evidence that this daemon was removed from the members while it was disconnected. No member sends it the entry
 * that removes it. Therefore it believes an authenticated member that reports the removal, but only if no other member
 * is connected.
 */
import { type CloseCode, isMembershipCode } from "../../../protocol/figures/close-reasons.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { LogThrottle } from "../../net/process/log-throttle.js";
import type { MemberConnection } from "./connections/member-connection.js";

export class OwnRemoval {
  /**
   * The reason for the removal, and the member that reported it. Null if no member has reported a removal, or if a
   * member has accepted this daemon since then.
   */
  report: { readonly code: CloseCode; readonly by: string } | null = null;
  readonly #notices: LogThrottle;

  constructor(notices: LogThrottle) {
    this.#notices = notices;
  }

  /** Called when a member treats this daemon as a member. */
  accepted(): void {
    this.report = null;
  }

  /** Called when a connection has closed. @param others  the number of members that are still connected */
  disconnected({ isProven, bye, name, id }: MemberConnection, others: number): void {
    const code = bye?.code ?? null;
    if (!isProven || code === null || !isMembershipCode(code) || this.report !== null || others > 0) return;
    this.report = { code, by: name };
    // Log repeated reports only once: a member that keeps connecting to this daemon reports the same reason each time.
    this.#notices.error("own membership", { address: name, member: hexOf(id) }, SENTENCES[code] ?? code);
  }
}

const SENTENCES: Partial<Record<CloseCode, string>> = {
  revoked:
    "a member reports that this daemon's own key was revoked, and no other member is connected: no writes are accepted, because they would reach no other daemon. " +
    "Start it with a new --data folder, or stop it",
  "left-out":
    "a member reports that the member list leaves this daemon out permanently, and no other member is connected: no writes are accepted. " +
    "Start it with a new --data folder, and add it with dbsync members add; or stop it",
  "not-listed":
    "a member reports that the member list does not name this daemon, and no other member is connected: no writes are accepted before " +
    "dbsync members add",
};
