/**
 * The slots of members, with their bits. Many ids may know the cluster's secret, so members without a vote have a
 * bounded number of slots, and are dropped in favor of voting members. Source: docs/member-protocol.md, rule 6.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Member } from "./member.js";
import type { ClusterState } from "./shared/cluster-state.js";
import { electorateIn, nonVotersMax } from "./shared/electorate.js";
import { MEMBERS_MAX } from "./shared/peering-limits.js";

export class MemberSlots {
  readonly #cluster: ClusterState<Member>;
  readonly #bits: MemberBits;

  constructor(cluster: ClusterState<Member>, bits: MemberBits) {
    this.#cluster = cluster;
    this.#bits = bits;
  }

  hasVote(id: ByteString): boolean {
    return electorateIn(this.#cluster).ids.has(id);
  }

  /**
   * Whether a member can receive a slot, because a slot is free or a member without a vote can be dropped.
   * @param isDialed  whether the member is at an address of --peer, and therefore votes once it is authenticated
   */
  hasOneFor(id: ByteString, isDialed: boolean): boolean {
    const { members } = this.#cluster;
    if (members.has(id)) return true;
    const nonVoters = this.#nonVoters.length;
    if (isDialed || this.hasVote(id)) return members.size - nonVoters < MEMBERS_MAX;
    return nonVoters < nonVotersMax(electorateIn(this.#cluster)) && members.size < MEMBERS_MAX;
  }

  /**
   * Returns the newest member without a vote if it has to be dropped so that the member with this id can take a slot;
   * otherwise null.
   */
  nonVoterToDropFor(id: ByteString): Member | null {
    const { members } = this.#cluster;
    return members.has(id) || members.size < MEMBERS_MAX ? null : (this.#nonVoters.at(-1) ?? null);
  }

  /**
   * @returns the member's bit
   * @throws RangeError  no slot is free, because the caller has not dropped another member
   */
  assignBit(id: ByteString): number {
    return this.#bits.of(id);
  }

  /** Called when a member has disconnected. */
  disconnected(id: ByteString): void {
    this.#bits.disconnected(id);
  }

  /** Connected members with a vote. */
  get voters(): readonly Member[] {
    return [...this.#cluster.members.values()].filter(this.#isVoter());
  }

  /** Members without a vote, the newest last. */
  get #nonVoters(): readonly Member[] {
    const isVoter = this.#isVoter();
    return [...this.#cluster.members.values()].filter((member) => !isVoter(member));
  }

  #isVoter(): (member: Member) => boolean {
    const { ids } = electorateIn(this.#cluster);
    return ({ id }) => ids.has(id);
  }
}

/**
 * The bits of the members, one for each, so that a set of members can be stored as a number. If there are more members
 * than bits, the members that were connected most recently keep their bits.
 */
export class MemberBits {
  /** Bits by member. Disconnected members are ordered by the time at which they disconnected, the earliest first. */
  readonly #bits = new Map<ByteString, number>();
  readonly #cluster: ClusterState;
  /** Data about members by id, which is deleted when a member loses its bit. */
  readonly #notes: Map<ByteString, unknown>;
  readonly #onForgotten: (bit: number) => void;

  /** @param onForgotten  called with a bit that is assigned to another member */
  constructor(cluster: ClusterState, notes: Map<ByteString, unknown>, onForgotten: (bit: number) => void) {
    this.#cluster = cluster;
    this.#notes = notes;
    this.#onForgotten = onForgotten;
  }

  /** @throws RangeError  all bits are used by connected members */
  of(id: ByteString): number {
    const bit = this.#bits.get(id) ?? this.#free();
    this.#bits.set(id, bit);
    return bit;
  }

  /** Called when a member has disconnected. */
  disconnected(id: ByteString): void {
    const bit = this.#bits.get(id);
    if (bit === undefined) return;
    this.#bits.delete(id);
    this.#bits.set(id, bit);
  }

  #free(): number {
    if (this.#bits.size < MEMBERS_MAX) return 1 << this.#bits.size;
    const idle = [...this.#bits].filter(([id]) => !this.#cluster.members.has(id));
    // Bits of voting members are reused last.
    const { ids } = electorateIn(this.#cluster);
    const reused = idle.find(([id]) => !ids.has(id)) ?? idle[0];
    if (reused === undefined) throw new RangeError("all bits are used by connected members");

    const [id, bit] = reused;
    this.#bits.delete(id);
    this.#notes.delete(id);
    this.#onForgotten(bit);
    return bit;
  }
}
