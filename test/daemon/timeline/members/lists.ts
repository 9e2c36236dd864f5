/** Member lists for tests: ids are one repeated letter. */
import { createHash } from "node:crypto";
import {
  type KnownList,
  listHash,
  type MemberChange,
  type MemberList,
  nextList,
  successionProblem,
} from "../../../../protocol/members/member-list.js";

export const idOf = (letter: string): string => letter.repeat(32);
export const idsOf = (letters: string): string[] => [...letters].map(idOf);
export const CLUSTER = idOf("C");

export const sha256 = (bytes: Buffer): string =>
  createHash("sha256").update(bytes).digest().toString("latin1");

export const known = (list: MemberList): KnownList => ({ hash: listHash(list, sha256), list });

/** Returns the list that follows the given lists, with daemons added or removed. */
export function after(
  parents: readonly KnownList[],
  change: { add?: string; leave?: string },
): KnownList | string {
  const ids: MemberChange = { add: idsOf(change.add ?? ""), leave: idsOf(change.leave ?? "") };
  const list = nextList(parents, ids, CLUSTER);
  return typeof list === "string" ? list : known(list);
}

export function listAfter(
  parents: readonly KnownList[],
  change: { add?: string; leave?: string },
): KnownList {
  const list = after(parents, change);
  if (typeof list === "string") throw new Error(list);
  return list;
}

/** Returns the errors of a list that follows some other lists, after a field was changed. */
export const problemAfter = (
  parents: readonly KnownList[],
  { list }: KnownList,
  change: Partial<MemberList>,
): string | null =>
  successionProblem(
    { ...list, ...change },
    parents.map((parent) => parent.list),
    CLUSTER,
  );
