/** Which bit stands for which member, so that sets of them are numbers: as many as there are bits, the last ones heard. */
import type { ByteString } from "../../protocol/byte-string.js";
import { MEMBERS_MOST } from "./shared/peering-limits.js";

export interface MemberBitsParts {
  readonly isConnected: (id: ByteString) => boolean;
  /** Bits of those that are not connected and have a voice are given to others last. */
  readonly hasVoice: (id: ByteString) => boolean;
  /** Told of a bit that is to stand for another member from now on. */
  readonly forgotten: (bit: number) => void;
  /** By id; those of a member without a bit go. */
  readonly notes: Map<ByteString, unknown>;
}

export class MemberBits {
  /** Of those that are not connected, who was longest ago comes first. */
  readonly #bits = new Map<ByteString, number>();
  readonly #parts: MemberBitsParts;

  constructor(parts: MemberBitsParts) {
    this.#parts = parts;
  }

  /** @throws RangeError  all stand for others that are connected */
  of(id: ByteString): number {
    const bit = this.#bits.get(id) ?? this.#free();
    this.#bits.set(id, bit);
    return bit;
  }

  /** A member is not connected any more. */
  left(id: ByteString): void {
    const bit = this.#bits.get(id);
    if (bit === undefined) return;
    this.#bits.delete(id);
    this.#bits.set(id, bit);
  }

  #free(): number {
    if (this.#bits.size < MEMBERS_MOST) return 1 << this.#bits.size;
    const { isConnected, hasVoice, notes, forgotten } = this.#parts;
    const idle = [...this.#bits].filter(([id]) => !isConnected(id));
    const gone = idle.find(([id]) => !hasVoice(id)) ?? idle[0];
    if (gone === undefined) throw new RangeError("all bits stand for members that are connected");
    const [id, bit] = gone;
    this.#bits.delete(id);
    notes.delete(id);
    forgotten(bit);
    return bit;
  }
}
