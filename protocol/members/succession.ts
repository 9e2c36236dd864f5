/**
 * Decides which member list may follow which, and which of the known lists is in force. Lists are identified by their hash and
 * form a graph: a list is in force if it follows all other known lists.
 *
 * Two lists that were signed independently are *doubled*: a daemon that knows both accepts entries only from ids that both name,
 * until a list arrives that has both as parents. Otherwise a daemon that only the second list added could receive, from one that
 * the first list removed, entries that were missing when the order became final (test/simulation/members). Nor does the daemon
 * report under either list, because it is not settled which one is in force.
 */
import type { ByteString } from "../byte-string.js";
import { type MemberList, problemOf } from "./member-list.js";

export interface KnownList {
  readonly hash: ByteString;
  readonly list: MemberList;
}

/** The combined content of all known lists. */
export interface Standing {
  /** The lists that no other list follows; empty: there is no list. */
  readonly heads: readonly KnownList[];
  /** The list in force; null: there is none, or there are doubled lists. */
  readonly inForce: KnownList | null;
  /** The daemons that every head names. */
  readonly members: ReadonlySet<ByteString>;
  /** The daemons that any list removed. */
  readonly left: ReadonlySet<ByteString>;
}

/** The daemons to add and to remove. */
export interface MemberChange {
  readonly add?: readonly ByteString[];
  readonly leave?: readonly ByteString[];
}

const RETURNS = "a daemon that was left out never returns";

/**
 * Returns why a list cannot follow the lists that it names; null: it can.
 * @param parents  all lists that it names
 */
export function successionProblem(
  list: MemberList,
  parents: readonly MemberList[],
  cluster: ByteString,
): string | null {
  const problem = problemOf(list);
  if (problem !== null) return problem;
  if (list.cluster !== cluster) return "it is the list of another cluster";
  if (parents.some((parent) => parent.cluster !== cluster)) return "a parent is of another cluster";
  if (parents.length !== list.parents.length) return "a parent is not known";
  if (list.number !== numberAfter(parents)) return `its number has to be ${numberAfter(parents)}`;
  const members = new Set(list.members);
  const left = leftAfter(parents, members);
  if (list.members.some((id) => left.has(id))) return RETURNS;
  if (list.left.length !== left.size || list.left.some((id) => !left.has(id)))
    return "it has to name all that were left out, and no other";
  if (parents.length > 1 && list.members.some((id) => parents.some((parent) => !parent.members.includes(id))))
    return "after two lists only those are members that are in both";
  if (parents.length > 0 && !parents[0]?.members.some((id) => members.has(id)))
    return "a member has to stay, so that new ones can learn from it";
  return null;
}

/**
 * Makes the list that follows earlier lists.
 * @param parents  the heads
 * @returns a string: why there can be none
 */
export function nextList(
  parents: readonly KnownList[],
  { add = [], leave = [] }: MemberChange,
  cluster: ByteString,
): MemberList | string {
  const lists = parents.map(({ list }) => list);
  const members = new Set(inAll(lists));
  for (const id of leave) if (!members.delete(id)) return "what is to be left out is no member";
  const left = new Set(lists.flatMap((list) => list.left));
  if (add.some((id) => left.has(id))) return RETURNS;
  for (const id of add) members.add(id);
  const list: MemberList = {
    cluster,
    number: numberAfter(lists),
    parents: parents.map(({ hash }) => hash).sort(),
    members: [...members].sort(),
    left: [...leftAfter(lists, members)].sort(),
  };
  return successionProblem(list, lists, cluster) ?? list;
}

/** Finds the heads and the list in force. @param known  the lists, each with all that it follows */
export function standingOf(known: Iterable<KnownList>): Standing {
  const all = [...known];
  const followed = new Set(all.flatMap(({ list }) => list.parents));
  const heads = all.filter(({ hash }) => !followed.has(hash));
  const members = new Set(inAll(heads.map(({ list }) => list)));
  const left = new Set(heads.flatMap(({ list }) => list.left));
  return { heads, inForce: heads.length === 1 ? (heads[0] as KnownList) : null, members, left };
}

const numberAfter = (parents: readonly MemberList[]): number =>
  1 + Math.max(0, ...parents.map(({ number }) => number));

const inAll = (lists: readonly MemberList[]): readonly ByteString[] =>
  (lists[0]?.members ?? []).filter((id) => lists.every(({ members }) => members.includes(id)));

/** Returns the daemons that were removed earlier or are removed now. */
function leftAfter(parents: readonly MemberList[], members: ReadonlySet<ByteString>): Set<ByteString> {
  const left = new Set(parents.flatMap((parent) => parent.left));
  for (const parent of parents) for (const id of parent.members) if (!members.has(id)) left.add(id);
  return left;
}
