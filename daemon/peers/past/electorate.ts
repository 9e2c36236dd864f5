/**
 * Whose word counts where members have to agree: the daemons that this one was told of by --peer, each once, as far as they
 * have proved who they are. Who only connects from elsewhere is heard and served, and has no voice: else one that is let in
 * could come as many. Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { GUESTS_MOST, MEMBERS_MOST } from "../shared/peering-limits.js";

export interface Electorate {
  /** Of those of the others that are known; this daemon is none of them. */
  readonly ids: ReadonlySet<ByteString>;
  /** How many others there are, known or not. */
  readonly others: number;
}

/** @param addresses  of --peer, and who proved to be there last; null: nobody yet */
export function electorateOf(
  addresses: readonly { readonly id: ByteString | null; readonly isSelf: boolean }[],
): Electorate {
  const others = addresses.filter(({ isSelf }) => !isSelf);
  const ids = new Set(others.flatMap(({ id }) => id ?? []));
  return { ids, others: ids.size + others.filter(({ id }) => id === null).length };
}

/** So many of the others are most of them; a daemon that asks whether any other could be given enough counts itself. */
export const majorityOf = ({ others }: Electorate): number => Math.floor(others / 2) + 1;

/** How many without a voice may be members at once: there is always a place for each that has one. */
export const guestsMost = ({ others }: Electorate): number =>
  Math.max(0, Math.min(GUESTS_MOST, MEMBERS_MOST - others));
