/**
 * Packs pushes, and deflates them if that makes them smaller. Signatures cannot be compressed, but values often can.
 */
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { type PackedEntry, writeEntries } from "../../../../protocol/members/member-elements.js";

/** The number of pushes that are sent without deflating after a push that deflating did not make smaller. */
const PAUSE = 15;
/** The result must be smaller than this fraction of the input; otherwise deflating does not help. */
const HELPS_BELOW = 0.9;

export interface Packed {
  readonly entries: Buffer;
  readonly isDeflated: boolean;
}

/**
 * The packer of pushes for all members. An unrequested push usually goes to every member, and is then packed only once.
 */
export class Packer {
  readonly #limits: { readonly deflateFromBytes: number; readonly deflateMaxBytes: number };
  #pause = 0;
  /** The last packed push, unless it is too large to store, or null if there is none. */
  #last: { readonly from: readonly PackedEntry[]; readonly packed: Packed } | null = null;

  constructor(limits: { readonly deflateFromBytes: number; readonly deflateMaxBytes: number }) {
    this.#limits = limits;
  }

  /** @param entries  at least one */
  pack(entries: readonly PackedEntry[]): Packed {
    const last = this.#last;
    if (
      last !== null &&
      last.from.length === entries.length &&
      entries.every((one, i) => one === last.from[i])
    )
      return last.packed;

    const bytes = writeEntries(entries);
    const packed = this.#deflated(bytes);
    this.#last = bytes.length <= this.#limits.deflateMaxBytes ? { from: entries, packed } : null;
    return packed;
  }

  #deflated(bytes: Buffer): Packed {
    const plain = { entries: bytes, isDeflated: false };
    const { deflateFromBytes, deflateMaxBytes } = this.#limits;
    if (bytes.length < deflateFromBytes || bytes.length > deflateMaxBytes || this.#pause-- > 0) return plain;
    const entries = deflateRawSync(bytes, { level: constants.Z_BEST_SPEED });
    const helps = entries.length < HELPS_BELOW * bytes.length;
    this.#pause = helps ? 0 : PAUSE;
    return helps ? { entries, isDeflated: true } : plain;
  }
}

/**
 * @param bytes  the exact length of the result
 * @param maxBytes  no member deflates more, because inflating it would block the event loop
 * @returns null if the length differs
 */
export function unpack(entries: Buffer, isDeflated: boolean, bytes: number, maxBytes: number): Buffer | null {
  if (!isDeflated) return entries.length === bytes ? entries : null;
  if (bytes > maxBytes) return null;
  try {
    // One deflated byte can expand to a thousand bytes, so stop at the announced length, which was checked against the
    // limit.
    const inflated = inflateRawSync(entries, { maxOutputLength: Math.max(1, bytes) });
    return inflated.length === bytes ? inflated : null;
  } catch {
    return null;
  }
}
