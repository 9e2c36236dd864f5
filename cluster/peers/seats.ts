/**
 * For whom there is room among the members, and which bit stands for each. Who has no voice is a guest: whoever knows the
 * cluster's secret can come as many, so guests have some of the places at most, and give way to who has a voice.
 * Source: docs/protocol-v2.md "Members", rule 6.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Member } from "./member.js";
import type { MemberBits } from "./member-bits.js";
import type { ClusterState } from "./shared/cluster-state.js";
import { electorateIn, guestsMost } from "./shared/electorate.js";
import { MEMBERS_MOST } from "./shared/peering-limits.js";

export class Seats {
  readonly #cluster: ClusterState<Member>;
  readonly #bits: MemberBits;

  constructor(cluster: ClusterState<Member>, bits: MemberBits) {
    this.#cluster = cluster;
    this.#bits = bits;
  }

  hasVoice(id: ByteString): boolean {
    return electorateIn(this.#cluster).ids.has(id);
  }

  /**
   * Whether there is a place, or a guest that gives way.
   * @param isDialed  it is there at an address of --peer, and so has a voice when it has proved who it is
   */
  hasOneFor(id: ByteString, isDialed: boolean): boolean {
    const { members } = this.#cluster;
    if (members.has(id)) return true;
    const guests = this.#guests.length;
    if (isDialed || this.hasVoice(id)) return members.size - guests < MEMBERS_MOST;
    return guests < guestsMost(electorateIn(this.#cluster)) && members.size < MEMBERS_MOST;
  }

  /** The guest that came last, if it has to go before this one takes a place. */
  guestInTheWayOf(id: ByteString): Member | null {
    const { members } = this.#cluster;
    return members.has(id) || members.size < MEMBERS_MOST ? null : (this.#guests.at(-1) ?? null);
  }

  /** @returns its bit @throws RangeError  no guest was sent away for it */
  take(id: ByteString): number {
    return this.#bits.of(id);
  }

  /** A member is not connected any more. */
  left(id: ByteString): void {
    this.#bits.left(id);
  }

  /** Members with a voice. */
  get voices(): readonly Member[] {
    return [...this.#cluster.members.values()].filter(this.#isVoice());
  }

  /** Who came last is the last. */
  get #guests(): readonly Member[] {
    const isVoice = this.#isVoice();
    return [...this.#cluster.members.values()].filter((member) => !isVoice(member));
  }

  #isVoice(): (member: Member) => boolean {
    const { ids } = electorateIn(this.#cluster);
    return ({ id }) => ids.has(id);
  }
}
