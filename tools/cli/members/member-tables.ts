/** Prints member lists: as tables with the states of their daemons, or as JSON. */
import { formatHeadedTable } from "../../../daemon/net/terminal/text-table.js";
import { dateText, hexOf } from "../../../protocol/version-2/envelope.js";
import { printJson, printLine } from "../shared/output.js";
import { type MemberView, type ReportedList, rawId, type SeenPeer } from "./member-views.js";
import { hexIds, shown } from "./next-member-list.js";

const NONE =
  "There is no member list: every daemon that --peer, a pin or the secret admits is a member. dbsync members found creates a list, and so does an administrator with dbsync members add.";

/** A daemon of the list, as the daemons that answered report it. */
export interface Row {
  readonly id: string;
  readonly state: string;
  readonly address: string;
}

/** Prints the lists as text or as JSON. @returns whether all daemons that answered use the same list */
export function printMembers(
  views: readonly MemberView[],
  heads: readonly ReportedList[],
  json: boolean,
): boolean {
  const isRemoved = ({ id }: MemberView) => heads.some(({ list }) => list.removed.includes(rawId(id)));
  const outdated = views.filter(
    (view) => !(isRemoved(view) || heads.every(({ hash }) => view.lists.some((list) => list.hash === hash))),
  );
  const useSameList = heads.length < 2 && outdated.length === 0;

  if (json) {
    printJson({ lists: heads.map(plain), isOne: useSameList, daemons: views.map(daemonOf) });
    return useSameList;
  }

  if (heads.length === 0) printLine(NONE);
  for (const head of heads) printList(head, views);

  if (heads.length > 1)
    printLine(
      "\nThese lists conflict because they were signed at the same time. Nothing becomes final until you run dbsync members merge.",
    );

  for (const { address } of outdated) printLine(`\n${address} does not know this list yet.`);
  for (const { address } of views.filter(isRemoved))
    printLine(
      `\n${address} was removed permanently. To add the machine again, start a daemon with an empty folder and run dbsync members add.`,
    );

  for (const { address, waitsFor, peers } of views)
    if (waitsFor !== null)
      printLine(`\nThe next list of ${address} waits for: ${withAddresses(waitsFor, peers)}.`);
  for (const { address, refusal } of views)
    if (refusal !== null) printLine(`\n${address} accepts no writes: ${refusal}.`);
  return useSameList;
}

export function printList(head: ReportedList, views: readonly MemberView[]): void {
  const { hash, list } = head;
  const { number, members, removed } = list;
  printLine(`List ${number}, ${hexOf(hash)}`);
  printLine(signatureText(head));

  const rows = hexIds(members).map((id) => rowOf(id, views));
  process.stdout.write(
    formatHeadedTable([
      ["MEMBER", "STATE", "ADDRESS"],
      ...rows.map(({ id, state, address }) => [shown(id), state, address]),
    ]),
  );
  if (removed.length > 0) printLine(`removed permanently: ${hexIds(removed).map(shown).join(" ")}`);
}

function signatureText({ list, signedAt, signer, memberSignatures, signatureProblem }: ReportedList): string {
  const { members } = list;
  if (memberSignatures !== null) {
    if (signatureProblem !== null) return "NOT VERIFIED: the signatures of its members are wrong";
    const all = members.length === 1 ? "its only member" : `its ${members.length} members`;
    return `signed by ${memberSignatures < members.length ? `${memberSignatures} of ` : ""}${all}, not by an administrator`;
  }

  if (signedAt === null)
    return "NOT VERIFIED: no daemon that reports this list has an administrator's signature for it";
  const by = `signed ${dateText(signedAt)} by the key ${shown(hexOf(signer))}`;
  if (signatureProblem === null) return by;
  return signatureProblem === "unknown-key"
    ? `${by}, not checked. To check it, specify that administrator's public key (--root-key)`
    : `NOT VERIFIED: reported as ${by}, but the signature is wrong`;
}

export function rowOf(id: string, views: readonly MemberView[]): Row {
  const view = views.find((one) => one.id === id);
  if (view !== undefined) return { id, state: view.joining ? "joining" : view.state, address: view.address };
  const seen = views.flatMap(({ peers }) => peers.filter((peer) => peer.id === id));
  const peer = seen.find(({ connection }) => connection === "connected") ?? seen[0];
  const state = peer?.connection === "connected" ? "connected" : "away";
  return { id, state, address: peer?.address ?? "" };
}

export const plain = ({
  hash,
  list,
  signedAt,
  signer,
  memberSignatures,
  signatureProblem,
}: ReportedList): object => ({
  signer: hexOf(signer),
  memberSignatures,
  signedAt,
  doubt: signatureProblem,
  number: list.number,
  hash: hexOf(hash),
  parents: hexIds(list.parents),
  members: hexIds(list.members),
  left: hexIds(list.removed),
});

const daemonOf = ({ address, id, state, durable, joining, refusal, lists }: MemberView): object => ({
  address,
  id,
  state,
  durable,
  joining,
  refusal,
  lists: lists.map(({ hash }) => hexOf(hash)),
});

/** An id in a message of a daemon. */
const ID_IN_TEXT = /\b[\da-f]{12}\b/g;

/** Returns a message of a daemon in which ids follow the addresses of its peers. */
export function withAddresses(text: string, peers: readonly SeenPeer[]): string {
  return text.replaceAll(ID_IN_TEXT, (digits) => {
    const peer = peers.find(({ id }) => id.startsWith(digits));
    return peer === undefined ? digits : `${peer.address} (${digits})`;
  });
}
