/** Formats the member list for users, and as JSON. */

import { formatHeadedTable } from "../../net/terminal/table.js";
import { dateText, hexOf } from "../../protocol/version-2/envelope.js";
import { printJson, printLine } from "../shared/output.js";
import { type MemberView, rawId } from "./member-views.js";
import { hexIds, shown } from "./next-members.js";
import type { ReportedList } from "./reported-list.js";

const NONE =
  "There is no list of members: a daemon that --peer, a pin or the secret admits is one. dbsync members add begins a list.";

/** A daemon of the list, as known to the daemons that answered. */
interface Row {
  readonly id: string;
  readonly state: string;
  readonly address: string;
}

/** @returns whether all daemons that answered use the same list */
export function printMembers(
  views: readonly MemberView[],
  heads: readonly ReportedList[],
  json: boolean,
): boolean {
  const isLeft = ({ id }: MemberView) => heads.some(({ list }) => list.left.includes(rawId(id)));
  const behind = views.filter(
    (view) => !(isLeft(view) || heads.every(({ hash }) => view.lists.some((list) => list.hash === hash))),
  );
  const isOne = heads.length < 2 && behind.length === 0;
  if (json) {
    printJson({ lists: heads.map(plain), isOne, daemons: views.map(daemonOf) });
    return isOne;
  }
  if (heads.length === 0) printLine(NONE);
  for (const head of heads) printList(head, views);
  if (heads.length > 1)
    printLine(
      "\nThese lists exclude each other, since they were signed at the same time: nothing becomes final until dbsync members merge.",
    );
  for (const { address } of behind) printLine(`\n${address} does not know this list yet.`);
  for (const { address } of views.filter(isLeft))
    printLine(
      `\n${address} was left out permanently: it comes back with an empty folder, by dbsync members add.`,
    );
  for (const { address, refusal } of views)
    if (refusal !== null) printLine(`\n${address} takes no writes: ${refusal}.`);
  return isOne;
}

function printList(head: ReportedList, views: readonly MemberView[]): void {
  const { hash, list } = head;
  const { number, members, left } = list;
  printLine(`List ${number}, ${hexOf(hash)}`);
  printLine(signatureText(head));
  const rows = hexIds(members).map((id) => rowOf(id, views));
  process.stdout.write(
    formatHeadedTable([
      ["MEMBER", "STATE", "ADDRESS"],
      ...rows.map(({ id, state, address }) => [shown(id), state, address]),
    ]),
  );
  if (left.length > 0) printLine(`left out permanently: ${hexIds(left).map(shown).join(" ")}`);
}

function signatureText({ signedAt, signer, doubt }: ReportedList): string {
  if (signedAt === null)
    return "NOT PROVED: the daemons that report it show nothing that an administrator has signed";
  const by = `signed ${dateText(signedAt)} by the key ${shown(hexOf(signer))}`;
  if (doubt === null) return by;
  return doubt === "unknown-key"
    ? `${by}, not checked: name that administrator's public key (--root-key)`
    : `NOT PROVED: ${by}, as is said, but the signature does not hold`;
}

function rowOf(id: string, views: readonly MemberView[]): Row {
  const view = views.find((one) => one.id === id);
  if (view !== undefined) return { id, state: view.joining ? "joining" : view.state, address: view.address };
  const seen = views.flatMap(({ peers }) => peers.filter((peer) => peer.id === id));
  const peer = seen.find(({ connection }) => connection === "connected") ?? seen[0];
  const state = peer?.connection === "connected" ? "connected" : "away";
  return { id, state, address: peer?.address ?? "" };
}

const plain = ({ hash, list, signedAt, signer, doubt }: ReportedList): object => ({
  signer: hexOf(signer),
  signedAt,
  doubt,
  number: list.number,
  hash: hexOf(hash),
  parents: hexIds(list.parents),
  members: hexIds(list.members),
  left: hexIds(list.left),
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
