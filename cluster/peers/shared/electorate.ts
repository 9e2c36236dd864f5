/**
 * Whose word counts where members have to agree: those of the list, where there is one; else the daemons that this one was told of
 * by --peer, each once, as far as they have proved who they are. Who only connects from elsewhere is heard and served, and has no voice: else one that is let in
 * could come as many. Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { GUESTS_MOST, MEMBERS_MOST } from "./peering-limits.js";

export interface Electorate {
  /** Of those of the others that are known; this daemon is none of them. */
  readonly ids: ReadonlySet<ByteString>;
  /** How many others there are, known or not. */
  readonly others: number;
}

/**
 * @param addresses  of --peer, and who proved to be there last; null: none yet
 * @param listed  the others of the list; null: there is none
 */
export function electorateOf(
  addresses: readonly { readonly id: ByteString | null; readonly isSelf: boolean }[],
  listed: ReadonlySet<ByteString> | null = null,
): Electorate {
  if (listed !== null) return { ids: listed, others: listed.size };
  const others = addresses.filter(({ isSelf }) => !isSelf);
  const ids = new Set(others.flatMap(({ id }) => id ?? []));
  return { ids, others: ids.size + others.filter(({ id }) => id === null).length };
}

/** So many of the others are most of them; a daemon that asks whether any other could be given enough counts itself. */
export const majorityOf = ({ others }: Electorate): number => Math.floor(others / 2) + 1;

/** How many without a voice may be members at once: there is always a place for each that has one. */
export const guestsMost = ({ others }: Electorate): number =>
  Math.max(0, Math.min(GUESTS_MOST, MEMBERS_MOST - others));

/** Everybody that is configured or connected, or all of the list; null: one of these is not connected. */
export function everybody<Member>(
  addresses: readonly { readonly id: ByteString | null; readonly isSelf: boolean }[],
  listed: ReadonlySet<ByteString> | null,
  connected: ReadonlyMap<ByteString, Member>,
): readonly Member[] | null {
  const due = listed === null ? addresses.filter(({ isSelf }) => !isSelf).map(({ id }) => id) : [...listed];
  const members = due.map((id) => (id === null ? undefined : connected.get(id)));
  if (!members.every((member): member is Member & {} => member !== undefined)) return null;
  return listed === null ? [...connected.values()] : members;
}

/** What is known of who has a voice. */
interface Voters {
  readonly addresses: readonly { readonly id: ByteString | null; readonly isSelf: boolean }[];
  readonly lists?: { readonly others: ReadonlySet<ByteString> | null };
}

/** Who has a voice now. */
export const electorateIn = ({ addresses, lists }: Voters): Electorate =>
  electorateOf(addresses, lists?.others ?? null);
