/**
 * Decides whether a member list may follow other lists, which of the known lists is in force, and which received lists a
 * daemon stores. Lists are identified by their hashes and form a graph. A list is in force if it follows all other known
 * lists.
 *
 * Two lists that were signed independently are *doubled*: a daemon that knows both accepts entries only from ids that
 * both name, until it receives a list that has both as parents. Otherwise a daemon that only the second list added
 * could receive entries that were missing when the order became final, from a daemon that the first list removed
 * (test/simulation/members). The daemon also does not report under either list, because it is not decided which one is
 * in force.
 */
import type { ByteString } from "../byte-string.js";
import { type MemberList, problemOf } from "./member-list.js";

export interface KnownList {
  readonly hash: ByteString;
  readonly list: MemberList;
}

/** The combined content of all known lists. */
export interface MembershipState {
  /** The lists that no other list follows; empty if there is no list. */
  readonly heads: readonly KnownList[];
  /** The list in force, or null if there is none or lists are doubled. */
  readonly inForce: KnownList | null;
  /** The daemons that are members in every head. */
  readonly members: ReadonlySet<ByteString>;
  /** The daemons that at least one list has removed. */
  readonly removed: ReadonlySet<ByteString>;
}

/** The daemons to add and to remove. */
export interface MemberChange {
  readonly add?: readonly ByteString[];
  readonly leave?: readonly ByteString[];
}

const RETURNS = "a daemon that was removed can never return";

/**
 * Returns why a list cannot follow the lists that it names; null if it can.
 * @param parents  all lists that it names
 */
export function successionProblem(
  list: MemberList,
  parents: readonly MemberList[],
  cluster: ByteString,
): string | null {
  const problem = problemOf(list);
  if (problem !== null) return problem;
  if (list.cluster !== cluster) return "it belongs to another cluster";
  if (parents.some((parent) => parent.cluster !== cluster)) return "a parent belongs to another cluster";
  if (parents.length !== list.parents.length) return "a parent is not known";
  if (list.number !== numberAfter(parents)) return `its number must be ${numberAfter(parents)}`;
  const members = new Set(list.members);
  const removed = removedAfter(parents, members);
  if (list.members.some((id) => removed.has(id))) return RETURNS;
  if (list.removed.length !== removed.size || list.removed.some((id) => !removed.has(id)))
    return "it must name exactly the daemons that were removed";
  if (parents.length > 1 && list.members.some((id) => parents.some((parent) => !parent.members.includes(id))))
    return "after two lists, only the members of both may remain";
  if (parents.length > 0 && !parents[0]?.members.some((id) => members.has(id)))
    return "at least one member must remain, so that new ones can receive the data from it";
  return null;
}

/**
 * Creates the list that follows earlier lists.
 * @param parents  the heads
 * @returns the list, or a string that says why there can be none
 */
export function nextList(
  parents: readonly KnownList[],
  { add = [], leave = [] }: MemberChange,
  cluster: ByteString,
): MemberList | string {
  const lists = parents.map(({ list }) => list);
  const members = new Set(inAll(lists));
  for (const id of leave) if (!members.delete(id)) return "the daemon to remove is not a member";
  const removed = new Set(lists.flatMap((list) => list.removed));
  if (add.some((id) => removed.has(id))) return RETURNS;
  for (const id of add) members.add(id);
  const list: MemberList = {
    cluster,
    number: numberAfter(lists),
    parents: parents.map(({ hash }) => hash).sort(),
    members: [...members].sort(),
    removed: [...removedAfter(lists, members)].sort(),
  };
  return successionProblem(list, lists, cluster) ?? list;
}

/** Finds the heads and the list in force. @param known  the lists, together with all lists that they follow */
export function membershipStateOf(known: Iterable<KnownList>): MembershipState {
  const all = [...known];
  const followed = new Set(all.flatMap(({ list }) => list.parents));
  const heads = all.filter(({ hash }) => !followed.has(hash));
  const members = new Set(inAll(heads.map(({ list }) => list)));
  const removed = new Set(heads.flatMap(({ list }) => list.removed));
  return { heads, inForce: heads.length === 1 ? (heads[0] as KnownList) : null, members, removed };
}

const numberAfter = (parents: readonly MemberList[]): number =>
  1 + Math.max(0, ...parents.map(({ number }) => number));

const inAll = (lists: readonly MemberList[]): readonly ByteString[] =>
  (lists[0]?.members ?? []).filter((id) => lists.every(({ members }) => members.includes(id)));

/** Returns the daemons that were removed earlier or are removed now. */
function removedAfter(parents: readonly MemberList[], members: ReadonlySet<ByteString>): Set<ByteString> {
  const removed = new Set(parents.flatMap((parent) => parent.removed));
  for (const parent of parents) for (const id of parent.members) if (!members.has(id)) removed.add(id);
  return removed;
}

/** The maximum number of conflicting lists that are stored. Administrators do not produce more by mistake. */
export const HEADS_MAX = 8;

/**
 * The result of receiving a list: the lists to store now, or the problem. `old`: the stored lists already follow it.
 */
type Taken<List extends KnownList> =
  | { readonly heads: readonly List[] }
  | "old"
  | { readonly problem: string };

/**
 * Adds a received list. The newest lists, which no other list follows, are stored, because they contain all information
 * of the earlier ones. A daemon that was down or is new may receive a list without its predecessors. The daemons that
 * the list names must then show that it follows the stored lists.
 * @param heads     the stored lists
 * @param received  the received list, with a valid signature
 */
export function takeList<List extends KnownList>(
  heads: readonly List[],
  received: List,
  cluster: ByteString,
): Taken<List> {
  const { list, hash } = received;
  const isOld = heads.some(
    (head) => head.hash === hash || head.list.parents.includes(hash) || accountsFor(head.list, list),
  );
  if (isOld) return "old";
  const parents = heads.filter((head) => list.parents.includes(head.hash));
  const problem =
    parents.length === list.parents.length
      ? successionProblem(
          list,
          parents.map((parent) => parent.list),
          cluster,
        )
      : problemOfOrphan(list, cluster);
  if (problem !== null) return { problem };
  const kept = heads.filter((head) => !parents.includes(head) && !accountsFor(list, head.list));
  if (kept.length >= HEADS_MAX) return { problem: "too many parallel lists" };
  return { heads: [...kept, received] };
}

/** Returns the problem of a list whose parents are not all known; null if there is none. */
function problemOfOrphan(list: MemberList, cluster: ByteString): string | null {
  return list.cluster === cluster ? problemOf(list) : "it belongs to another cluster";
}

/** Whether `later` lists every daemon of `earlier`, as a member or as removed, as every successor does. */
function accountsFor(later: MemberList, earlier: MemberList): boolean {
  if (later.number <= earlier.number) return false;
  const removed = new Set(later.removed);
  const named = new Set([...later.members, ...later.removed]);
  return earlier.removed.every((id) => removed.has(id)) && earlier.members.every((id) => named.has(id));
}
