/** Computes the list to sign next, and the objections to it. The functions are pure. */
import { DbsyncError } from "../../../client/shared/errors.js";
import { rowOfState } from "../../../protocol/daemon-states.js";
import {
  type KnownList,
  type MemberList,
  nextList,
  writeMemberList,
} from "../../../protocol/members/member-list.js";
import type { StateName } from "../../../protocol/state-names.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { type MemberView, type ReportedList, rawId } from "./member-views.js";

/** The requested change of the list; ids are hexadecimal. */
export interface Change {
  readonly add: readonly string[];
  readonly evict: readonly string[];
  /** Whether a new daemon replaces one whose folder is lost. */
  readonly isReplacing: boolean;
  /** Whether to sign a list of the same daemons again. */
  readonly isRenewed: boolean;
  /** Whether to ignore objections. */
  readonly force: boolean;
  /** The number of daemons that were queried (-s), whether they answered or not. */
  readonly queried: number;
}

const BEGIN =
  "there is no member list yet: create one that names all daemons that should remain, dbsync members add ADDRESS ADDRESS ADDRESS";
const MERGE =
  "two lists conflict because they were signed at the same time: run dbsync members merge, then this command again";

/** Whether a daemon in this state has caught up with its peers. If only one of two daemons runs, it is `isolated`. */
const hasCaughtUp = (state: string): boolean => rowOfState(state)?.isComplete === true;

/** The states that a daemon with the data cannot leave by itself. */
const FAILED_STATES: ReadonlySet<string> = new Set<StateName>(["storage-failed", "outdated", "revoked"]);

/** The list that results from a change. */
export interface NextList {
  readonly list: MemberList;
  readonly text: string;
  /** Whether nothing has to be sent, because the list is the newest one and all its daemons that answered know it. */
  readonly isUnchanged: boolean;
}

/** Returns the next list. @throws DbsyncError `bad-command`  the reason why there is none, and what to do */
export function nextMembers(
  views: readonly MemberView[],
  heads: readonly ReportedList[],
  change: Change,
): NextList {
  const again = alreadyDone(views, heads, change);
  const isUnchanged = again !== null && !isUnknownToSome(views, again);
  const problem = again === null ? problemOf(views, heads, change) : null;
  if (problem !== null) throw new DbsyncError("bad-command", problem);

  const cluster = rawId(views[0]?.cluster ?? "");
  const ids = { add: change.add.map(rawId), leave: change.evict.map(rawId) };
  // A list has at most two parents. The list after this one merges a third parallel list.
  const list = again?.list ?? nextList(heads.slice(0, 2), ids, cluster);
  if (typeof list === "string") throw new DbsyncError("bad-command", list);

  const objection =
    (isUnchanged ? null : reasonAgainst(list, views, heads, change)) ??
    (change.force ? null : reasonNotToSign(again === null ? list : null, { views, heads, ...change }));
  if (objection !== null) throw new DbsyncError("bad-command", objection);
  return { list, text: writeMemberList(list), isUnchanged };
}

/**
 * Returns the newest list if it already contains the requested change, because the user has run the same command
 * before. Members may not know that list yet: it may have reached only a daemon that the list adds or removes, and
 * members accept no list from such a daemon.
 */
function alreadyDone(
  views: readonly MemberView[],
  heads: readonly KnownList[],
  { add, evict, isReplacing, isRenewed }: Change,
): KnownList | null {
  const [head] = heads;
  if (isRenewed || head === undefined || heads.length > 1) return null;
  const { members, removed, parents } = head.list;
  const isMerge = add.length + evict.length === 0;
  if (isMerge) return parents.length > 1 || isUnknownToSome(views, head) ? head : null;
  // When a replacement is repeated, the address of the lost daemon already belongs to the new daemon.
  const isSuccessor = (id: string) => isReplacing && add.includes(id) && views.some((view) => view.id === id);
  const isDone =
    add.every((id) => members.includes(rawId(id))) &&
    evict.every((id) => removed.includes(rawId(id)) || isSuccessor(id));
  return isDone ? head : null;
}

/** Whether a member that answered does not know the list. */
const isUnknownToSome = (views: readonly MemberView[], { list, hash }: KnownList): boolean =>
  views.some(({ id, lists }) => list.members.includes(rawId(id)) && !lists.some((own) => own.hash === hash));

function problemOf(views: readonly MemberView[], heads: readonly KnownList[], change: Change): string | null {
  const { add, evict, isReplacing, isRenewed } = change;
  const isMerge = !isRenewed && add.length + evict.length === 0;
  if (isMerge && heads.length < 2) return "there is only one list: there is nothing to merge";
  if (heads.length > 1) return isMerge ? null : MERGE;
  const [head] = heads;
  if (head === undefined && (isRenewed || evict.length > 0)) return BEGIN;
  const { members = [], removed = [] } = head?.list ?? {};
  const returned = add.find((id) => removed.includes(rawId(id)));
  if (returned !== undefined)
    return `${shown(returned)} was removed, and a removed id cannot return: start that daemon with a new data folder, and add its new id`;
  const listed = add.find((id) => members.includes(rawId(id)));
  if (listed !== undefined && evict.includes(listed))
    return `${shown(listed)} is on the list, and no other daemon was seen at its address: start the new one first, or name it by its id`;
  if (listed !== undefined)
    return `${shown(listed)} is already on the list: ${isReplacing ? "run dbsync members evict to remove the other one" : "name only daemons that are not on it"}`;
  const repeated = evict.find((id) => removed.includes(rawId(id)));
  if (repeated !== undefined)
    return `${shown(repeated)} was already removed: ${isReplacing ? "run dbsync members add to add the new one" : "name only daemons on the list"}`;
  const unknown = evict.find((id) => !members.includes(rawId(id)));
  if (unknown !== undefined) return `${shown(unknown)} is not on the list, which dbsync members list shows`;
  const unsafe = views.find(({ id, durable }) => add.includes(id) && !durable);
  if (unsafe !== undefined)
    return `${unsafe.address} has no data folder, so it would lose everything when it restarts: start it with --data, then add it`;
  const joiner = views.find(({ joining }) => joining);
  if (isReplacing && joiner !== undefined)
    return `${joiner.address} is still catching up: wait until dbsync members list shows it live, or evict it`;
  return null;
}

/** Returns an objection to a list, such as a loss of writes or an excluded daemon, or null if there is none. */
function reasonAgainst(
  { members }: MemberList,
  views: readonly MemberView[],
  heads: readonly KnownList[],
  { force }: Change,
): string | null {
  if (force) return null;
  const unproved = views.find((view) => differsFrom(view, heads));
  if (unproved !== undefined)
    return (
      `${unproved.address} does not know the list that another daemon reports: wait a few ` +
      "seconds and try again. If the difference remains, compare the output of dbsync members list for each daemon (-s); --force signs a list " +
      "that follows all reported lists"
    );

  const stays = (id: string) =>
    members.includes(rawId(id)) && heads.every(({ list }) => list.members.includes(rawId(id)));
  const complete = views.filter(({ id, state, joining }) => stays(id) && hasCaughtUp(state) && !joining);
  if (complete.length === 0)
    return (
      "none of the queried daemons (-s) that would remain on the list has caught up, so the others would have no complete source. " +
      "A daemon that has just started needs about 10 s: wait and try again. Otherwise start a daemon that has caught up, or query it; " +
      "with --force, entries that only removed daemons have are lost"
    );

  // A daemon that knows no list would treat itself as added by the next list, and wait for a member of an earlier list.
  if (heads.length > 0 && !complete.some(isListed))
    return (
      "the current list has not reached any daemon that has caught up and would remain: wait a few seconds and try again; with --force " +
      "the remaining daemons would wait for each other"
    );

  if (heads.length > 0) return tooManyWithoutData(members, views, heads);
  const known = [
    ...views,
    ...views.flatMap(({ peers }) => peers.filter((peer) => peer.connection === "connected")),
  ];
  const forgotten = known.find(({ id }) => !members.includes(rawId(id)));
  if (forgotten === undefined) return null;
  return (
    `${forgotten.address} (${shown(forgotten.id)}) is a member now, and the first list would exclude it: ` +
    "specify it too, or add --force"
  );
}

/**
 * Returns an objection if a majority of a list would not have the data yet. They could sign a snapshot without what the
 * other members have, which would then lose it.
 */
function tooManyWithoutData(
  members: MemberList["members"],
  views: readonly MemberView[],
  heads: readonly KnownList[],
): string | null {
  const added = members.filter((id) => !heads.some(({ list }) => list.members.includes(id)));
  // One that has joined may still lack what the others have pruned.
  const late = views.filter(
    ({ id, state, joining }) =>
      (joining || !(hasCaughtUp(state) || FAILED_STATES.has(state))) && members.includes(rawId(id)),
  );
  const without = new Set([...added, ...late.map(({ id }) => rawId(id))]);
  if (added.length === 0 || 2 * without.size <= members.length) return null;

  const awaited = late.find(({ id }) => !added.includes(rawId(id)));
  const next =
    awaited === undefined
      ? "add fewer daemons, and the others when dbsync members list shows these live"
      : `wait until dbsync members list shows ${awaited.address} live, and try again`;
  return (
    `${without.size} of the ${members.length} daemons on the list would not have the data yet, and could outvote those that have it: ` +
    `${next}; with --force, writes that only the others have may be lost`
  );
}

/** Whether the daemon knows a list on which it is a member. */
const isListed = ({ id, lists }: MemberView): boolean =>
  lists.some(({ list }) => list.members.includes(rawId(id)));

/**
 * Whether a daemon has caught up as a member of some list but does not know a list that another daemon reports. A
 * malicious daemon could have invented either list.
 */
const differsFrom = (view: MemberView, heads: readonly KnownList[]): boolean =>
  hasCaughtUp(view.state) &&
  isListed(view) &&
  !heads.every(({ hash }) => view.lists.some((own) => own.hash === hash));

/** Returns the first digits of an id, enough to distinguish ids. */
export const shown = (id: string): string => `${id.slice(0, 16)}…`;

/** Returns ids as hexadecimal, in the same order. */
export const hexIds = (ids: readonly string[]): string[] => ids.map(hexOf);

/** Number of digits of a key's id that are shown. */
const KEY_DIGITS = 12;

/**
 * Finds reasons not to sign a list that follows the lists in the daemons' reports. A malicious daemon could have
 * invented those lists, and a daemon that was disconnected may not know the newest one. The functions are pure.
 * @param next the list to sign, or null to sign the current list again
 * @returns the objection, or null
 */
function reasonNotToSign(next: MemberList | null, { views, heads, queried }: Reports): string | null {
  const unproved = heads.find(({ signatureProblem }) => signatureProblem !== null);
  if (unproved !== undefined) return unprovedText(unproved, views);
  for (const head of heads.filter(({ memberSignatures }) => memberSignatures !== null)) {
    const count = views.filter(({ lists }) => lists.some(({ hash }) => hash === head.hash)).length;
    if (2 * count < queried) return fewReportersText(head, count, queried);
  }
  return next === null ? null : tooFew(next, views, heads);
}

interface Reports extends Pick<Change, "queried"> {
  readonly views: readonly MemberView[];
  readonly heads: readonly ReportedList[];
}

/** Returns the objection to a list that its members signed: a daemon can invent members that sign for it. */
const fewReportersText = ({ list }: ReportedList, count: number, queried: number): string =>
  `list ${list.number} is signed by its members, and only ${count} of the ${queried} queried daemons ` +
  `${count === 1 ? "reports" : "report"} it. A malicious daemon could have invented it and its members. Query only ` +
  "daemons that run, at least half of which know the list (-s); --force signs a list that follows it";

function unprovedText(head: ReportedList, views: readonly MemberView[]): string {
  const reporter = views.find(({ lists }) => lists.some(({ hash }) => hash === head.hash))?.address ?? "";
  const subject = `list ${head.list.number}, which ${reporter} reports,`;
  if (head.signatureProblem === "unknown-key")
    return (
      `${subject} is signed by the key ${hexOf(head.signer).slice(0, KEY_DIGITS)}, which is not yours. To check the signature, specify that administrator's ` +
      "public key (--root-key other-public.pem); --force skips the check"
    );
  return `${subject} is signed neither by an administrator nor by its members: that daemon is malicious. Query other daemons (-s), or use --force to sign a list that follows it`;
}

/**
 * Returns a reason if at most half of the daemons that remain report these lists as the newest. In that case a newer
 * list may exist, and while two lists are parallel no entry becomes final.
 */
function tooFew(
  { members }: MemberList,
  views: readonly MemberView[],
  heads: readonly ReportedList[],
): string | null {
  const staying = new Set(
    members.filter((id) => heads.every(({ list }) => list.members.includes(id))).map(hexOf),
  );
  const knowsAll = ({ lists }: MemberView) =>
    heads.every(({ hash }) => lists.some((own) => own.hash === hash));
  const agreeing = new Set(views.filter((view) => staying.has(view.id) && knowsAll(view)).map(({ id }) => id))
    .size;

  if (2 * agreeing > staying.size) return null;
  const newest =
    heads.length === 0
      ? "there is no list yet"
      : `list ${heads.map(({ list }) => list.number).join(" and ")} is the newest`;
  return (
    `only ${agreeing} of the ${staying.size} daemons that would remain report that ${newest}. A newer list may exist, and nothing becomes final while ` +
    "two lists conflict. Query more daemons (-s), or wait until they are live; --force signs the list despite this"
  );
}
