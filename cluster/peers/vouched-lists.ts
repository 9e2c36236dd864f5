/**
 * Counts the configured peers that use a member list whose signer's key is not known here. A daemon with an empty
 * folder knows only the keys that it was started with, and members send it their key ring only after a list names it.
 * Therefore it accepts a list signed by an administrator that was added later, if most of the configured peers use that
 * list. Source: docs/decisions/0051.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { HEADS_MAX } from "../../protocol/members/known-lists.js";
import { type Electorate, majorityOf } from "./shared/electorate.js";

export class VouchedLists {
  /** The hashes of the lists that each peer has sent, the newest last, by the peer's id. */
  readonly #sent = new Map<ByteString, readonly ByteString[]>();

  /**
   * Records that a peer uses a list. A peer that is not configured is not counted.
   * @param peer  the id that the peer has proved
   * @param list  the hash of the list's envelope and signature
   * @param configured  the peers of --peer
   * @returns the number of configured peers that use the list, or null if it is not a majority of them
   */
  vouch(peer: ByteString, list: ByteString, configured: Electorate): number | null {
    for (const id of this.#sent.keys()) if (!configured.ids.has(id)) this.#sent.delete(id);
    if (!configured.ids.has(peer)) return null;
    const before = (this.#sent.get(peer) ?? []).filter((other) => other !== list);
    this.#sent.set(peer, [...before.slice(1 - HEADS_MAX), list]);
    let count = 0;
    for (const lists of this.#sent.values()) if (lists.includes(list)) count++;
    return count >= majorityOf(configured) ? count : null;
  }
}
