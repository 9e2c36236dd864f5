/**
 * For how long members have been away, for the reports about members that cannot be reached. The times are `uptime`
 * milliseconds of this daemon, so that a correction of the clock does not change them.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Absence } from "./shared/cluster-state.js";

/** The absence at an address that is another one of a connected member, or this daemon's own. */
export const NOT_AWAY: Absence = { lastHeard: null, awayFor: null };

export class MemberAbsences {
  /** When disconnected members last sent something. */
  readonly lastSeen = new Map<ByteString, number>();
  /** Since when the member list has named each of its members. */
  readonly #namedAt = new Map<ByteString, number>();
  #named: ReadonlySet<ByteString> | null = null;
  /** When the last disconnected member whose address is unknown last sent something. */
  #unplacedSeenAt = Number.NEGATIVE_INFINITY;

  /** @param named  the other members of the list, or null if there is no list */
  tick(named: ReadonlySet<ByteString> | null, now: number): void {
    if (named === this.#named) return;
    this.#named = named;
    for (const id of this.#namedAt.keys()) if (named?.has(id) !== true) this.#namedAt.delete(id);
    for (const id of named ?? []) if (!this.#namedAt.has(id)) this.#namedAt.set(id, now);
  }

  connected(id: ByteString): void {
    this.lastSeen.delete(id);
  }

  /** @param isPlaced  whether an address of --peer is known to lead to the member */
  disconnected(id: ByteString, lastSeenAt: number, isPlaced: boolean): void {
    this.lastSeen.set(id, lastSeenAt);
    if (!isPlaced) this.#unplacedSeenAt = Math.max(this.#unplacedSeenAt, lastSeenAt);
  }

  /** Returns the absence of a member without a known address. */
  ofMember(id: ByteString, now: number): Absence {
    return this.#since(this.lastSeen.get(id), this.#namedAt.get(id) ?? null, now);
  }

  /**
   * Returns the absence of the member at an address. As long as no daemon has proved its id there, any member without a
   * known address may be that member.
   * @param id             the id of the daemon at the address, or null if unknown
   * @param addedAt        when the address was added
   * @param isUnplacedHere whether a member without a known address is connected
   */
  ofAddress(
    { id, addedAt }: { readonly id: ByteString | null; readonly addedAt: number },
    isUnplacedHere: boolean,
    now: number,
  ): Absence {
    if (id !== null) return this.#since(this.lastSeen.get(id), addedAt, now);
    return this.#since(undefined, isUnplacedHere ? null : Math.max(addedAt, this.#unplacedSeenAt), now);
  }

  /** @param expectedSince  since when this daemon has expected the member, or null if unknown */
  #since(lastSeenAt: number | undefined, expectedSince: number | null, now: number): Absence {
    if (lastSeenAt !== undefined) return { lastHeard: now - lastSeenAt, awayFor: now - lastSeenAt };
    return { lastHeard: null, awayFor: expectedSince === null ? null : now - expectedSince };
  }
}
