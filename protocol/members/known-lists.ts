/**
 * Decides which of the received member lists a daemon stores: the newest ones, which no other list follows, because
 * they contain all information of the earlier ones. A daemon that was down or is new may receive a list without its
 * predecessors. The daemons that the list names must then show that it follows the stored lists.
 */
import type { ByteString } from "../byte-string.js";
import { type KnownList, successionProblem } from "./list-succession.js";
import { type MemberList, problemOf } from "./member-list.js";

/** The maximum number of conflicting lists that are stored. Administrators do not produce more by mistake. */
export const HEADS_MAX = 8;

/**
 * The result of receiving a list: the lists to store now, or the problem. `old`: the stored lists already follow it.
 */
export type Taken<List extends KnownList> =
  | { readonly heads: readonly List[] }
  | "old"
  | { readonly problem: string };

/** Adds a received list. @param heads  the stored lists @param received  the received list, with a valid signature */
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
