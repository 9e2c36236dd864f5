/**
 * Assigns a bit to each member, so that a set of members can be stored as a number. If there are more members than
 * bits, the members that were connected most recently keep their bits.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { ClusterState } from "./shared/cluster-state.js";
import { electorateIn } from "./shared/electorate.js";
import { MEMBERS_MAX } from "./shared/peering-limits.js";

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
  left(id: ByteString): void {
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
