/**
 * `dbsync members found`, `remove` and `force`, and `replace` with --data: order a daemon to agree with the other ones
 * on a list that its members sign, in a cluster without an administrator. The operator of the daemon's data folder
 * gives the order, with the daemon's own key. Source: docs/decisions/0080-members-found-their-list.md.
 */
import type { Command } from "commander";
import { DbsyncError } from "../../../client/shared/errors.js";
import { queryEach } from "../keys/fetch-key-rings.js";
import { explainErrors } from "../keys/key-advice.js";
import { addClientOptions, readCount } from "../shared/client-options.js";
import { EXIT, exitCodeHelp } from "../shared/exit-codes.js";
import { addFolderOption } from "../shared/folder-options.js";
import { JSON_FLAG, printJson, printLine, printNotice } from "../shared/output.js";
import { showProgress } from "../shared/progress.js";
import { addJoin } from "./join-command.js";
import { plain, printList, type Row, rowOf, withAddresses } from "./member-tables.js";
import {
  daemonNamed,
  listVerifier,
  type MemberView,
  newestListsOf,
  type ReportedList,
  viewsOf,
} from "./member-views.js";
import { hexIds, shown } from "./next-member-list.js";
import { findOwnDaemon, OWN_KEY_HINTS, type OwnDaemon, type OwnFlags } from "./own-daemon.js";

const COMMAND = ["CLUSTER", "MEMBERS"];
const SECOND_MS = 1000;
/** The default of --wait, in seconds. */
const WAIT_SECONDS = 60;
/** The time for which members must stay disconnected before a list leaves them out, in milliseconds. */
const LOST_MS = 5000;
const EVERY_MS = 500;

interface OrderFlags extends OwnFlags {
  readonly wait?: number;
  readonly yes?: boolean;
}

export function addOrders(members: Command): void {
  addOrder(members, "found", "sign the first list in a cluster without an administrator, or wait for it")
    .addHelpText(
      "after",
      `
Run this on the machine of one daemon, as its user or as root. Without an administrator, daemons found a list themselves
as soon as all daemons at their addresses of --peer are connected. The command waits for this and shows what is missing.
If one of these daemons was lost before all had signed, the command begins again without its signature.

Examples:
  dbsync members found --data /var/lib/dbsyncd
  dbsync members found --config /etc/dbsync/dbsyncd.toml -s 10.0.0.1
${exitCodeHelp("the list is not in use yet, or an administrator signs the lists")}`,
    )
    .action((flags: OrderFlags) => explainErrors(flags, () => found(flags), OWN_KEY_HINTS));
  addOrder(members, "remove <daemon>", "remove a daemon permanently, in a cluster without an administrator")
    .addHelpText(
      "after",
      `
Run this as the daemon's user or as root. Name the daemon by its id, or its first digits. The list changes once more than half
of the members agree. You may repeat the command. If fewer remain, see dbsync members force.

If the daemon runs, run this on its own machine, while all members are connected. It accepts no more writes, waits until its
writes are final, and then signs the list without itself. Then stop it, and remove its address from --peer of the members.
If the daemon is stopped, run this on the machine of another member. First remove the address from --peer of the members:
each member agrees only then.

Examples:
  dbsync members remove 4f3a9c0e --data /var/lib/dbsyncd
${exitCodeHelp("the list is not in use yet, or an administrator signs the lists")}`,
    )
    .action((daemon: string, flags: OrderFlags) =>
      explainErrors(flags, () => orderChange(flags, { evict: [daemon], add: [] }), OWN_KEY_HINTS),
    );
  addJoin(members);
  addOrder(members, "force", "leave out lost members permanently, without an administrator")
    .option("--yes", "give the order; without this option, the command only shows what it would do")
    .addHelpText(
      "after",
      `
For a cluster without an administrator that has lost half of its members or more. If more than half remain, run dbsync
members remove or replace instead. Run this on the machine of each member that remains, as its daemon's user or
as root. The list leaves out the members that are not connected. What only these have is lost, unless their folders
return: then it becomes dead letters there. First stop these daemons, if they may still run. You may repeat the command.

Examples:
  dbsync members force --data /var/lib/dbsyncd
  dbsync members force --data /var/lib/dbsyncd --yes
${exitCodeHelp("nothing was ordered, because --yes is missing, or the list is not in use yet")}`,
    )
    .action((flags: OrderFlags) => explainErrors(flags, () => force(flags), OWN_KEY_HINTS));
}

function addOrder(members: Command, name: string, description: string): Command {
  return addFolderOption(addClientOptions(members.command(name).description(description)))
    .option(
      "--wait <seconds>",
      `time to wait until the list is in use; afterwards the daemon continues (default: ${WAIT_SECONDS})`,
      (text) => readCount(text, "Seconds are"),
    )
    .option(JSON_FLAG, "print JSON; ids in full");
}

/** Requests the view of a daemon. @param order  the arguments of an order, which the daemon then follows */
async function viewOf({ settings, key }: OwnDaemon, order: readonly string[] = []): Promise<MemberView> {
  return viewsOf(await queryEach(settings, key, [...COMMAND, ...order]), listVerifier([]))[0];
}

async function found(flags: OrderFlags): Promise<void> {
  const daemon = await findOwnDaemon(flags);
  const view = await viewOf(daemon);
  const [list] = newestListsOf([view]);
  if (list === undefined) return await follow(flags, daemon, ["FOUND"], []);
  if (list.memberSignatures !== null && names(list, daemon)) return reportList(flags, view, list);
  throw new DbsyncError(
    "bad-command",
    `there is a list already, number ${list.list.number}, which this daemon did not found (dbsync members list)`,
  );
}

const names = ({ list }: ReportedList, { id }: OwnDaemon): boolean => hexIds(list.members).includes(id);

/**
 * Orders the daemon of a folder to remove a member, or to replace it.
 * @param change  the names of the daemons, as users type them
 */
export async function orderChange(
  flags: OrderFlags & { readonly force?: boolean },
  { add: [added], evict: [removed = ""] }: { add: readonly string[]; evict: readonly string[] },
): Promise<void> {
  if (flags.force === true)
    throw new DbsyncError(
      "bad-option",
      "--force is for administrators: with --data, run dbsync members force",
    );
  const daemon = await findOwnDaemon(flags);
  const view = await viewOf(daemon);
  const lists = newestListsOf([view]);
  const [list] = lists;

  const known = {
    views: [view],
    listed: hexIds(list?.list.members ?? []),
    left: hexIds(list?.list.removed ?? []),
    identifiedByHello: [],
  };

  const leave = daemonNamed(removed, "listed", known);
  const add = added === undefined ? [] : [daemonNamed(added, "new", known)];

  const isDone = known.left.includes(leave) && add.every((id) => known.listed.includes(id));
  if (isDone && list !== undefined) return reportList(flags, view, list);
  if (add.some((id) => known.listed.includes(id)))
    throw new DbsyncError(
      "bad-command",
      `${shown(add[0] ?? "")} is on the list, and no other daemon was seen at its address: start the new one first, or name it by its id`,
    );
  await follow(flags, daemon, [add.length === 0 ? "REMOVE" : "REPLACE", leave, ...add], lists);
}

/** What an order to force a list does. */
interface Plan {
  /** The numbers of the lists that it ends. */
  readonly numbers: readonly number[];
  /** The members that remain, and those that the new list leaves out. */
  readonly remaining: readonly Row[];
  readonly lost: readonly Row[];
}

async function force(flags: OrderFlags): Promise<void> {
  const daemon = await findOwnDaemon(flags);
  const view = await viewOf(daemon);
  const lists = newestListsOf([view]);
  const [list] = lists;
  if (list === undefined)
    throw new DbsyncError("bad-command", "there is no list yet: dbsync members found creates one");
  const plan = planOf(view, lists);
  if (!plan.remaining.some(({ id }) => id === daemon.id))
    throw new DbsyncError("bad-command", "this daemon is not a member of the list (dbsync members list)");
  // The list may be the result of the same command.
  if (plan.lost.length === 0) {
    printNotice(
      `all members of list ${plan.numbers.join(" and ")} are connected to this daemon: none is lost`,
    );
    return reportList(flags, view, list);
  }

  if (flags.json !== true) printPlan(plan, daemon);
  if (flags.yes !== true) {
    if (flags.json === true) printJson({ ...plan, isOrdered: false });
    printNotice("nothing was ordered: to do this, run the same command with --yes");
    process.exitCode = EXIT.failed;
    return;
  }
  // A daemon that has just started is not connected to any member yet.
  const returned = await returnedMembers(daemon, plan);
  if (returned.length > 0)
    throw new DbsyncError(
      "bad-command",
      `${returned.map(nameOf).join(" and ")} ${returned.length === 1 ? "is" : "are"} connected again: run the command again to see what it would do now`,
    );
  await follow(flags, daemon, ["FORCE", ...plan.lost.map(({ id }) => id)], lists);
}

function planOf(view: MemberView, lists: readonly ReportedList[]): Plan {
  const members = hexIds(lists[0]?.list.members ?? []).filter((id) =>
    lists.every(({ list }) => hexIds(list.members).includes(id)),
  );
  const rows = members.map((id) => rowOf(id, [view]));
  const isLost = ({ id, state }: Row) => id !== view.id && state !== "connected";
  return {
    numbers: lists.map(({ list }) => list.number),
    remaining: rows.filter((row) => !isLost(row)),
    lost: rows.filter(isLost),
  };
}

const nameOf = ({ id, address }: Row): string => (address === "" ? shown(id) : `${address} (${shown(id)})`);

function printPlan({ numbers, remaining, lost }: Plan, { id }: OwnDaemon): void {
  const others = remaining.filter((row) => row.id !== id);
  const all = remaining.length + lost.length;
  const lines = (rows: readonly Row[]) => rows.map((row) => `  ${nameOf(row)}`);
  const consents =
    others.length === 0
      ? ["This daemon is the only member that remains. The new list is in use immediately."]
      : [
          `${remaining.length} of ${all} members remain. Run the same command on the machine of each of them:`,
          `  this daemon (${shown(id)})`,
          ...lines(others),
        ];

  for (const line of [
    `The list after list ${numbers.join(" and ")} leaves out permanently:`,
    ...lines(lost),
    "What only these daemons have is lost. If their folders return, it becomes dead letters there.",
    "Stop them first if they may still run: they accept writes until they receive the new list.",
    "They can return only with an empty folder, as new daemons.",
    ...consents,
  ])
    printLine(line);
}

/** Returns the members of a plan that do not stay disconnected for `LOST_MS`. */
async function returnedMembers(daemon: OwnDaemon, { lost }: Plan): Promise<readonly Row[]> {
  using _ = showProgress(
    () => `checking for ${LOST_MS / SECOND_MS} s that the lost members stay disconnected`,
  );
  const deadline = performance.now() + LOST_MS;
  while (performance.now() < deadline) {
    await pause();
    const view = await viewOf(daemon);
    const returned = lost.filter(({ id }) => rowOf(id, [view]).state === "connected");
    if (returned.length > 0) return returned;
  }
  return [];
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, EVERY_MS));

/**
 * Gives a daemon an order, and waits until it uses another list than before, or until the time of --wait has passed.
 * @param before  the lists that it uses until then
 */
async function follow(
  flags: OrderFlags,
  daemon: OwnDaemon,
  order: readonly string[],
  before: readonly ReportedList[],
): Promise<void> {
  const deadline = performance.now() + (flags.wait ?? WAIT_SECONDS) * SECOND_MS;
  const newList = ({ lists }: MemberView) =>
    lists.find(({ hash }) => !before.some((old) => old.hash === hash));
  // A daemon that has left does not report under the list without it.
  const isInUse = (list: ReportedList) => view.reporting || hexIds(list.list.removed).includes(daemon.id);

  let view = await viewOf(daemon, order);
  using _ = showProgress(() => `the list waits for: ${waitsFor(view, newList(view))}`);
  for (;;) {
    const list = newList(view);
    if (list !== undefined && isInUse(list)) return reportList(flags, view, list);
    if (performance.now() > deadline) return reportWaiting(flags, order, waitsFor(view, list));
    await pause();
    view = await viewOf(daemon).catch(() => view);
  }
}

/** Returns what an agreement waits for. Known ids have their addresses. @param list  the new list, if it is known */
function waitsFor({ order, waitsFor: text, peers }: MemberView, list: ReportedList | undefined): string {
  if (list !== undefined) return "the daemon's disk, or the data of a member";
  if (order === null) return "an order, because the daemon was restarted and has forgotten it";
  return withAddresses(text ?? "the same list on other machines", peers);
}

function reportList({ json }: OrderFlags, view: MemberView, list: ReportedList): void {
  if (json === true) printJson({ ...plain(list), isInUse: true, waitsFor: null });
  else printList(list, [view]);
}

function reportWaiting({ json }: OrderFlags, [order]: readonly string[], text: string): void {
  process.exitCode = EXIT.failed;
  if (json === true) {
    printJson({ isInUse: false, waitsFor: text });
    return;
  }
  const advice = /^(not announced|the same list)/.test(text) ? (ADVICE.get(order ?? "") ?? "") : "";
  printNotice(
    `the list is not in use yet. It waits for: ${text}${advice}. The daemon continues until it is restarted; run the same command again to see the progress`,
  );
}

/** What an operator does on the machines of daemons that do not agree yet, by the order. */
const ADVICE: ReadonlyMap<string, string> = new Map([
  ["FOUND", " (it has to be connected to the same daemons, all of which are in its --peer)"],
  ["FORCE", " (run the same command on that machine)"],
  ["REMOVE", " (remove the address from --peer on that machine)"],
  ["REPLACE", " (it has to reach the new daemon at an address of its --peer)"],
]);
