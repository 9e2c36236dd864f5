/**
 * For whom there is room among the members, and which bit stands for each. Who has no voice is a guest: whoever knows the
 * cluster's secret can come as many, so guests have some of the places at most, and give way to who has a voice.
 * Source: docs/protocol-v2.md "Members", rule 6.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Member } from "./member.js";
import { MemberBits } from "./member-bits.js";
import { type Electorate, guestsMost } from "./past/electorate.js";
import { MEMBERS_MOST } from "./shared/peering-limits.js";

export interface SeatsParts {
  /** Connected and proven. */
  readonly members: ReadonlyMap<ByteString, Member>;
  readonly electorate: () => Electorate;
  /** A bit is to stand for another member from now on. */
  readonly forgotten: (bit: number) => void;
  /** By id; those of a member without a bit go. */
  readonly notes: Map<ByteString, unknown>;
}

export class Seats {
  readonly #parts: SeatsParts;
  readonly #bits: MemberBits;

  constructor(parts: SeatsParts) {
    this.#parts = parts;
    const { members, forgotten, notes } = parts;
    const hasVoice = (id: ByteString) => this.hasVoice(id);
    this.#bits = new MemberBits({ isConnected: (id) => members.has(id), hasVoice, forgotten, notes });
  }

  hasVoice(id: ByteString): boolean {
    return this.#parts.electorate().ids.has(id);
  }

  /**
   * Whether there is a place, or a guest that gives way.
   * @param isDialed  it is there at an address of --peer, and so has a voice when it has proved who it is
   */
  hasOneFor(id: ByteString, isDialed: boolean): boolean {
    const { members } = this.#parts;
    if (members.has(id)) return true;
    const guests = this.#guests.length;
    if (isDialed || this.hasVoice(id)) return members.size - guests < MEMBERS_MOST;
    return guests < guestsMost(this.#parts.electorate()) && members.size < MEMBERS_MOST;
  }

  /** The guest that came last, if it has to go before this one takes a place. */
  guestInTheWayOf(id: ByteString): Member | null {
    const { members } = this.#parts;
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
    return [...this.#parts.members.values()].filter(this.#isVoice());
  }

  /** Who came last is the last. */
  get #guests(): readonly Member[] {
    const isVoice = this.#isVoice();
    return [...this.#parts.members.values()].filter((member) => !isVoice(member));
  }

  #isVoice(): (member: Member) => boolean {
    const { ids } = this.#parts.electorate();
    return ({ id }) => ids.has(id);
  }
}
