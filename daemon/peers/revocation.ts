/**
 * That this daemon's own key was revoked, as it learns it when it was away then: no member gives it the entry that says so, since it is
 * no member any more. It is believed of who has proved to be one, and only as long as no other one is connected.
 */
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { MemberConnection } from "./connections/member-connection.js";
import type { PeeringParts } from "./shared/peering-parts.js";

export class Revocation {
  /** Who has said so; null: nobody, or somebody has taken this daemon for a member since. */
  by: string | null = null;
  readonly #log: PeeringParts["log"];

  constructor(log: PeeringParts["log"]) {
    this.#log = log;
  }

  /** A member talks to this daemon as to one. */
  taken(): void {
    this.by = null;
  }

  /** @param others  members that are still connected */
  left({ isProven, told, name, id }: MemberConnection, others: number): void {
    if (!isProven || told !== "revoked" || this.by !== null || others > 0) return;
    this.by = name;
    this.#log.error({ address: name, member: hexOf(id) }, REVOKED);
  }
}

const REVOKED =
  "a member says that this daemon's own key was revoked, and no other one is connected: no writes are taken, as they would reach no other daemon. " +
  "Start it with a new --data folder, or stop it";
