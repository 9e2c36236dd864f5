/** Counts the members that have voted or promised. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { VotingList, VotingLists } from "./decision-types.js";

type Ids = { has(id: ByteString): boolean };

const count = ({ members }: VotingList, ids: Ids): number => [...members].filter((id) => ids.has(id)).length;

/** The number of members of a list that decide. */
export const majorityOf = ({ members }: VotingList): number => Math.floor(members.size / 2) + 1;

export const isMajority = (list: VotingList, ids: Ids): boolean => count(list, ids) >= majorityOf(list);

/**
 * Whether the promises of these members permit proposals: they are a majority of the list, so that two keepers do not
 * both have them, and one of them is in every majority of each earlier list. If too few members of an earlier list have
 * remained, all of these have to promise: what only the removed members decided is lost, like their other entries.
 */
export const isPromised = ({ current, earlier }: VotingLists, ids: Ids): boolean =>
  isMajority(current, ids) &&
  earlier.every((list) => {
    const overlapping = list.members.size - majorityOf(list) + 1;
    return count(list, ids) >= Math.min(overlapping, count(list, current.members));
  });
