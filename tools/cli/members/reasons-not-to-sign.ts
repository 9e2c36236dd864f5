/**
 * Finds reasons not to sign a list that follows the lists in the daemons' reports. A malicious daemon could have
 * invented those lists, and a daemon that was disconnected may not know the newest one. The functions are pure.
 */
import type { MemberList } from "../../../protocol/members/member-list.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { MemberView } from "./member-views.js";
import type { ReportedList } from "./reported-member-list.js";

/** Number of digits of a key's id that are shown. */
const KEY_DIGITS = 12;

/** @param next  the list to sign, or null to sign the current list again @returns the objection, or null */
export function reasonNotToSign(
  next: MemberList | null,
  views: readonly MemberView[],
  heads: readonly ReportedList[],
): string | null {
  const unproved = heads.find(({ signatureProblem }) => signatureProblem !== null);
  if (unproved !== undefined) return unprovedText(unproved, views);
  return next === null ? null : tooFew(next, views, heads);
}

function unprovedText(head: ReportedList, views: readonly MemberView[]): string {
  const reporter = views.find(({ lists }) => lists.some(({ hash }) => hash === head.hash))?.address ?? "";
  const subject = `list ${head.list.number}, which ${reporter} reports,`;
  if (head.signatureProblem === "unknown-key")
    return (
      `${subject} is signed by the key ${hexOf(head.signer).slice(0, KEY_DIGITS)}, which is not yours. To check the signature, specify that administrator's ` +
      "public key (--root-key other-public.pem); --force skips the check"
    );
  return `${subject} is not signed by an administrator: that daemon is malicious. Query other daemons (-s), or use --force to sign a list that follows it`;
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
