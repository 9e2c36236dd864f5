/**
 * Finds reasons not to sign a list on the basis of daemons' reports: a malicious daemon could have invented the previous lists, and one that
 * was away may not know the newest. Pure functions.
 */
import type { MemberList } from "../../protocol/members/member-list.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { MemberView } from "./member-views.js";
import type { ReportedList } from "./reported-list.js";

/** Digits of a key's id that users see. */
const KEY_DIGITS = 12;

/** @param next  the list that would be signed; null: the current list, once more @returns null: there is no objection */
export function doubtOf(
  next: MemberList | null,
  views: readonly MemberView[],
  heads: readonly ReportedList[],
): string | null {
  const unproved = heads.find(({ doubt }) => doubt !== null);
  if (unproved !== undefined) return unprovedText(unproved, views);
  return next === null ? null : tooFew(next, views, heads);
}

function unprovedText(head: ReportedList, views: readonly MemberView[]): string {
  const teller = views.find(({ lists }) => lists.some(({ hash }) => hash === head.hash))?.address ?? "";
  const what = `list ${head.list.number}, which ${teller} reports,`;
  if (head.doubt === "unknown-key")
    return (
      `${what} is signed by the key ${hexOf(head.signer).slice(0, KEY_DIGITS)}, which is not yours: name that administrator's public key, ` +
      "so that the signature can be checked (--root-key other-public.pem); --force does without"
    );
  return `${what} is not signed by an administrator: that daemon is false, or of an older version. Ask other daemons (-s); --force signs what comes after it`;
}

/**
 * Returns a doubt if too few of the remaining daemons confirm that they know no newer list: with two parallel lists nothing becomes final any
 * more.
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
    `only ${agreeing} of the ${staying.size} daemons that would stay say that ${newest}: another one may be signed already, and nothing becomes final while ` +
    "two lists exclude each other. Ask more of them (-s), or wait until they are live; --force signs it all the same"
  );
}
