/**
 * Which member list may come after which, and which of those that are known holds. Lists are known by their hash, and form a
 * graph: a list holds when all others that are known come before it.
 *
 * Two that were signed beside each other are *doubled*: a daemon that knows both takes only from ids that both name, until one
 * comes that has both as parents. Else one that only the second added could be given, by one that the first left out, what was
 * called final without it (test/simulation/members). Nor does it report under either: which one holds is not settled.
 */
import type { ByteString } from "../byte-string.js";
import { type MemberList, problemOf } from "./member-list.js";

export interface KnownList {
  readonly hash: ByteString;
  readonly list: MemberList;
}

/** What all lists that are known together say. */
export interface Standing {
  /** Those that no other comes after; none: there is no list. */
  readonly heads: readonly KnownList[];
  /** null: there is none, or there are doubled ones. */
  readonly inForce: KnownList | null;
  /** Who is in every head. */
  readonly members: ReadonlySet<ByteString>;
  /** Who was left out by any list. */
  readonly left: ReadonlySet<ByteString>;
}

/** Daemons to be let in and to be left out. */
export interface MemberChange {
  readonly add?: readonly ByteString[];
  readonly leave?: readonly ByteString[];
}

const RETURNS = "a daemon that was left out never returns";

/**
 * Why a list cannot come after those that it names; null: it can.
 * @param parents  all that it names
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
    return "a member has to stay, or there is nobody to learn from";
  return null;
}

/**
 * The list that comes after others.
 * @param parents  the heads
 * @returns a text: why there is none
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

/** @param known  each of them with all that it comes after */
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

/** Who was left out before, and who is now. */
function leftAfter(parents: readonly MemberList[], members: ReadonlySet<ByteString>): Set<ByteString> {
  const left = new Set(parents.flatMap((parent) => parent.left));
  for (const parent of parents) for (const id of parent.members) if (!members.has(id)) left.add(id);
  return left;
}
