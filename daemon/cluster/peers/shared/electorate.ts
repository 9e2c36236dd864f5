/**
 * Determines the members that vote when members have to agree. If there is a member list, all its members vote.
 * Otherwise the authenticated daemons at the addresses of --peer vote. A member that connects from any other address is
 * served, but has no vote, because an attacker that was admitted once could connect many daemons. Source:
 * docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { MEMBERS_MAX, NON_VOTERS_MAX } from "./peering-limits.js";

export interface Electorate {
  /** The known ids of the other voters, without this daemon's own id. */
  readonly ids: ReadonlySet<ByteString>;
  /** The number of other voters, known or not. */
  readonly others: number;
}

/**
 * @param addresses  the addresses of --peer, each with the id that was last proved there, or null if none was proved
 * yet
 * @param listed  the other members of the list, or null if there is no list
 */
export function electorateOf(
  addresses: readonly { readonly id: ByteString | null; readonly isSelf: boolean }[],
  listed: ReadonlySet<ByteString> | null = null,
): Electorate {
  if (listed !== null) return { ids: listed, others: listed.size };

  const ids = new Set<ByteString>();
  let unknown = 0;
  for (const { id, isSelf } of addresses) {
    if (isSelf) continue;
    if (id === null) unknown++;
    else ids.add(id);
  }
  return { ids, others: ids.size + unknown };
}

/**
 * Returns how many of the other voters are a majority of the other voters. A daemon that determines whether another
 * daemon could have received enough reports counts itself as one of that daemon's other voters.
 */
export const majorityOf = ({ others }: Electorate): number => Math.floor(others / 2) + 1;

/** Returns the maximum number of connected members without a vote, which leaves a slot for each voter. */
export const nonVotersMax = ({ others }: Electorate): number =>
  Math.max(0, Math.min(NON_VOTERS_MAX, MEMBERS_MAX - others));

/**
 * Returns all members of the list or, without a list, all that are configured or connected; null if one of them is not
 * connected.
 */
export function allMembersIfConnected<Member>(
  addresses: readonly { readonly id: ByteString | null; readonly isSelf: boolean }[],
  listed: ReadonlySet<ByteString> | null,
  connected: ReadonlyMap<ByteString, Member>,
): readonly Member[] | null {
  const ids = listed === null ? addresses.filter(({ isSelf }) => !isSelf).map(({ id }) => id) : [...listed];
  const members = ids.map((id) => (id === null ? undefined : connected.get(id)));
  if (!members.every((member): member is Member & {} => member !== undefined)) return null;
  return listed === null ? [...connected.values()] : members;
}

/** The input from which the electorate is computed. */
interface Voters {
  readonly addresses: readonly { readonly id: ByteString | null; readonly isSelf: boolean }[];
  readonly lists: { readonly others: ReadonlySet<ByteString> | null } | null;
}

/** Returns the current voters. */
export const electorateIn = ({ addresses, lists }: Voters): Electorate =>
  electorateOf(addresses, lists?.others ?? null);
