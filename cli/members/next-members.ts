/** Computes the list to sign next, and the objections to it. Pure functions. */

import { DbsyncError } from "../../client/shared/errors.js";
import { type MemberList, writeMemberList } from "../../protocol/members/member-list.js";
import { type KnownList, nextList } from "../../protocol/members/succession.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import { doubtOf } from "./list-doubts.js";
import { type MemberView, rawId } from "./member-views.js";
import type { ReportedList } from "./reported-list.js";

/** Hexadecimal ids. */
export interface Change {
  readonly add: readonly string[];
  readonly leave: readonly string[];
  /** Whether a daemon replaces another one, whose folder is lost. */
  readonly isReplacing: boolean;
  /** Whether the same list of daemons is signed once more. */
  readonly isAnew: boolean;
  /** Whether to proceed although it is dangerous. */
  readonly force: boolean;
}

const BEGIN =
  "there is no list of members yet: begin one that names all daemons that stay, dbsync members add ADDRESS ADDRESS ADDRESS";
const MERGE =
  "two lists exclude each other, since they were signed at the same time: dbsync members merge, and then the same again";

/** States of a daemon that has all entries that it knows of. If one of two daemons is lost, the other one is isolated. */
const CAUGHT_UP: ReadonlySet<string> = new Set(["live", "isolated"]);

/** The list that a change leads to. */
export interface Next {
  readonly list: MemberList;
  readonly text: string;
  /** Whether it is the newest list unchanged, and all its daemons that answered know it: then nothing has to be sent. */
  readonly isKnown: boolean;
}

/** @throws DbsyncError `bad-command`  why there is none, and what to do */
export function nextMembers(
  views: readonly MemberView[],
  heads: readonly ReportedList[],
  change: Change,
): Next {
  const again = alreadyDone(views, heads, change);
  const isKnown = again !== null && !isBehind(views, again);
  const problem = again === null ? problemOf(views, heads, change) : null;
  if (problem !== null) throw new DbsyncError("bad-command", problem);
  const cluster = rawId(views[0]?.cluster ?? "");
  const ids = { add: change.add.map(rawId), leave: change.leave.map(rawId) };
  // A list has at most two parents: a third parallel list is merged by the next list.
  const list = again?.list ?? nextList(heads.slice(0, 2), ids, cluster);
  if (typeof list === "string") throw new DbsyncError("bad-command", list);
  const objection =
    (isKnown ? null : objectionTo(list, views, heads, change)) ??
    (change.force ? null : doubtOf(again === null ? list : null, views, heads));
  if (objection !== null) throw new DbsyncError("bad-command", objection);
  return { list, text: writeMemberList(list), isKnown };
}

/**
 * Returns the newest list if it already contains the requested change, because the same command was typed before. Some daemons of the list may
 * not know it: it may have reached only a daemon that it adds or leaves out, from which the other members accept no list.
 */
function alreadyDone(
  views: readonly MemberView[],
  heads: readonly KnownList[],
  { add, leave, isReplacing, isAnew }: Change,
): KnownList | null {
  const [head] = heads;
  if (isAnew || head === undefined || heads.length > 1) return null;
  const { members, left, parents } = head.list;
  const isMerge = add.length + leave.length === 0;
  if (isMerge) return parents.length > 1 || isBehind(views, head) ? head : null;
  // The new daemon now has the address of the lost one.
  const isSuccessor = (id: string) => isReplacing && add.includes(id) && views.some((view) => view.id === id);
  const isDone =
    add.every((id) => members.includes(rawId(id))) &&
    leave.every((id) => left.includes(rawId(id)) || isSuccessor(id));
  return isDone ? head : null;
}

/** Whether a daemon of the list that answered does not know it. */
const isBehind = (views: readonly MemberView[], { list, hash }: KnownList): boolean =>
  views.some(({ id, lists }) => list.members.includes(rawId(id)) && !lists.some((own) => own.hash === hash));

function problemOf(views: readonly MemberView[], heads: readonly KnownList[], change: Change): string | null {
  const { add, leave, isReplacing, isAnew } = change;
  const isMerge = !isAnew && add.length + leave.length === 0;
  if (isMerge && heads.length < 2)
    return "there are no two lists that exclude each other: nothing is to be merged";
  if (heads.length > 1) return isMerge ? null : MERGE;
  const [head] = heads;
  if (head === undefined && (isAnew || leave.length > 0)) return BEGIN;
  const { members = [], left = [] } = head?.list ?? {};
  const returned = add.find((id) => left.includes(rawId(id)));
  if (returned !== undefined)
    return `${shown(returned)} was left out, and never returns: start that daemon with a new data folder, and add the id that it has then`;
  const there = add.find((id) => members.includes(rawId(id)));
  if (there !== undefined && leave.includes(there))
    return `${shown(there)} is on the list, and no other daemon was seen at its address: start the new one first, or name it by its id`;
  if (there !== undefined)
    return `${shown(there)} is on the list already: ${isReplacing ? "dbsync members evict leaves the other one out" : "name only daemons that are not"}`;
  const gone = leave.find((id) => left.includes(rawId(id)));
  if (gone !== undefined)
    return `${shown(gone)} was left out already: ${isReplacing ? "dbsync members add lets the new one in" : "name only daemons of the list"}`;
  const unknown = leave.find((id) => !members.includes(rawId(id)));
  if (unknown !== undefined) return `${shown(unknown)} is not on the list: dbsync members list shows it`;
  const unsafe = views.find(({ id, durable }) => add.includes(id) && !durable);
  if (unsafe !== undefined)
    return `${unsafe.address} has no data folder, so it would come back with nothing: start it with --data, and add it then`;
  const joiner = views.find(({ joining }) => joining);
  if (isReplacing && joiner !== undefined)
    return `${joiner.address} is still catching up: wait until dbsync members list shows it live, or evict it`;
  return null;
}

/** Returns the objection to a list: a daemon whose writes would be lost, or that would be rejected; null: none. */
function objectionTo(
  { members }: MemberList,
  views: readonly MemberView[],
  heads: readonly KnownList[],
  { force }: Change,
): string | null {
  if (force) return null;
  const unproved = views.find((view) => isOtherwise(view, heads));
  if (unproved !== undefined)
    return (
      `${unproved.address} does not go by what another daemon says is the list: wait some ` +
      "seconds and try again. If it stays so compare what dbsync members list says of each of them alone (-s); --force signs what would come " +
      "after all that any of them says"
    );
  const stays = (id: string) =>
    members.includes(rawId(id)) && heads.every(({ list }) => list.members.includes(rawId(id)));
  const complete = views.filter(({ id, state, joining }) => stays(id) && CAUGHT_UP.has(state) && !joining);
  if (complete.length === 0)
    return (
      "no daemon that would stay on the list is caught up, of those that were asked (-s): the remaining ones could learn " +
      "nothing. One that was started just now is so after some 10 s: wait, and try again. Else start one, or ask it as well; " +
      "--force does it all the same, and what only other daemons have is lost"
    );
  // A daemon that knows no list treats itself as added by the next one, and waits for an earlier member.
  if (heads.length > 0 && !complete.some(isListed))
    return (
      "the list has not reached a daemon that would stay on it and is caught up: wait some seconds and try again; --force does it all " +
      "the same, and those that stay would wait for each other"
    );
  if (heads.length > 0) return null;
  const known = [
    ...views,
    ...views.flatMap(({ peers }) => peers.filter((peer) => peer.connection === "connected")),
  ];
  const forgotten = known.find(({ id }) => !members.includes(rawId(id)));
  if (forgotten === undefined) return null;
  return (
    `${forgotten.address} (${shown(forgotten.id)}) is a member now, and the first list would not name it, which shuts it out: ` +
    "name it as well, or --force"
  );
}

/** Whether a list that the daemon knows names it. */
const isListed = ({ id, lists }: MemberView): boolean =>
  lists.some(({ list }) => list.members.includes(rawId(id)));

/**
 * Returns whether a daemon has caught up under a list of its own, and misses another daemon's list: a malicious daemon could have invented it.
 */
const isOtherwise = (view: MemberView, heads: readonly KnownList[]): boolean =>
  CAUGHT_UP.has(view.state) &&
  isListed(view) &&
  !heads.every(({ hash }) => view.lists.some((own) => own.hash === hash));

/** Shortens an id for users, to a length at which ids differ. */
export const shown = (id: string): string => `${id.slice(0, 16)}…`;

/** Hexadecimal, in the order of the list. */
export const hexIds = (ids: readonly string[]): string[] => ids.map(hexOf);
