/**
 * Which lists a daemon keeps of those that it has seen: those that no other comes after, as these say all that the others said.
 * A list may come without those before it, to a daemon that was away or is new: then what it says of their daemons has to show
 * that it comes after them.
 */
import type { ByteString } from "../byte-string.js";
import { type MemberList, problemOf } from "./member-list.js";
import { type KnownList, successionProblem } from "./succession.js";

/** Lists beside each other that are kept: more is no slip of two administrators. */
export const HEADS_MOST = 8;

/** What a list that has come makes of those that are kept; old: they say all that it says. */
export type Taken<List extends KnownList> =
  | { readonly heads: readonly List[] }
  | "old"
  | { readonly problem: string };

/** @param heads  that are kept @param come  whose signature holds */
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
  if (kept.length >= HEADS_MOST) return { problem: "too many lists stand beside each other" };
  return { heads: [...kept, come] };
}

/** Of one whose parents are not all known. */
function problemOfOrphan(list: MemberList, cluster: ByteString): string | null {
  return list.cluster === cluster ? problemOf(list) : "it is the list of another cluster";
}

/** Whether a list says of each daemon that an earlier one names what became of it, as each does that comes after that. */
export function accountsFor(later: MemberList, earlier: MemberList): boolean {
  if (later.number <= earlier.number) return false;
  const left = new Set(later.left);
  const named = new Set([...later.members, ...later.left]);
  return earlier.left.every((id) => left.has(id)) && earlier.members.every((id) => named.has(id));
}
