/**
 * Decides which of the member lists that it has seen a daemon stores: the newest ones, which no other list follows, because they
 * contain everything that the earlier ones said. A daemon that was down or is new may receive a list without its predecessors:
 * then the list's entries about their daemons must show that it follows them.
 */
import type { ByteString } from "../byte-string.js";
import { type MemberList, problemOf } from "./member-list.js";
import { type KnownList, successionProblem } from "./succession.js";

/** Maximum number of conflicting lists that are stored; two administrators do not produce more by mistake. */
export const HEADS_MAX = 8;

/** The result of receiving a list: the lists to store now; old: the stored ones already follow it. */
export type Taken<List extends KnownList> =
  | { readonly heads: readonly List[] }
  | "old"
  | { readonly problem: string };

/** Adds a received list. @param heads  the stored lists @param come  the received list, with a valid signature */
export function takeList<List extends KnownList>(
  heads: readonly List[],
  come: List,
  cluster: ByteString,
): Taken<List> {
  const { list, hash } = come;
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
  return { heads: [...kept, come] };
}

/** Handles a list whose parents are not all known. */
function problemOfOrphan(list: MemberList, cluster: ByteString): string | null {
  return list.cluster === cluster ? problemOf(list) : "it is the list of another cluster";
}

/** Whether `later` lists every daemon of `earlier`, as a member or as removed, as every successor does. */
function accountsFor(later: MemberList, earlier: MemberList): boolean {
  if (later.number <= earlier.number) return false;
  const left = new Set(later.left);
  const named = new Set([...later.members, ...later.left]);
  return earlier.left.every((id) => left.has(id)) && earlier.members.every((id) => named.has(id));
}
