/**
 * `dbsync members`: shows and manages the member list, which names the daemons of the cluster. An administrator signs
 * it; list-orders.ts has the commands with which its members sign it themselves. A new cluster begins with the newest
 * semantics version that all its daemons support: the first list is signed before the cluster has data, so the version
 * changes no command that was recorded.
 */
import { type Command, Option } from "commander";
import type { Settings } from "../../../client/settings/client-settings.js";
import { publicKeyOf, type SigningKey } from "../../../client/settings/signing-key.js";
import { DbsyncError, type Outcome } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { describeOutcome } from "../../../client/shared/sentences.js";
import { loadPublicKeys } from "../../../keys/key-set.js";
import { TIMELINE_FIGURES } from "../../../protocol/figures/timeline-figures.js";
import { type KnownList, listHash, type MemberList } from "../../../protocol/members/member-list.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { type Answer, queryEach } from "../keys/fetch-key-rings.js";
import { ADMINISTRATOR_HINT, authorizationOf, explainErrors, type Hint } from "../keys/key-advice.js";
import { addClientOptions, openFrom, readSettings } from "../shared/client-options.js";
import { EXIT, exitCodeHelp } from "../shared/exit-codes.js";
import { JSON_FLAG, printJson, printLine, printNotice } from "../shared/output.js";
import { showProgress } from "../shared/progress.js";
import { readFigures } from "../shared/read-figures.js";
import { addOrders, orderChange } from "./list-orders.js";
import { printMembers } from "./member-tables.js";
import {
  daemonNamed,
  type IdentifiedDaemon,
  idsFromHellos,
  listVerifier,
  type MemberView,
  type NamePreference,
  newestListsOf,
  type ReportedList,
  rawId,
  sha256,
  type VerifiesList,
  viewsOf,
} from "./member-views.js";
import { type Change, hexIds, nextMembers, shown } from "./next-member-list.js";
import { findOwnDaemon, OWN_KEY_HINTS, type OwnFlags } from "./own-daemon.js";

const COMMAND = ["CLUSTER", "MEMBERS"];

interface MembersFlags extends OwnFlags {
  readonly force?: boolean;
  readonly rootKey?: readonly string[];
}

/** Hints by pattern; the first pattern that matches is used. */
const HINTS: readonly Hint[] = [
  [/none is set; specify an administrator|NOPERM|unknown-key/, ADMINISTRATOR_HINT],
  [
    /unknown (sub)?command|CLUSTER MEMBERS is answered by/i,
    "a member list needs daemons of this version that run with --data and --peer: update and restart them",
  ],
];

/** The answers of the daemons, and the functions that all actions need. */
interface Session {
  readonly answers: readonly Answer[];
  readonly views: readonly MemberView[];
  readonly newestLists: readonly ReportedList[];
  /** Daemons that do not know the administrator's key, identified by their hello. */
  readonly identifiedByHello: readonly IdentifiedDaemon[];
  /** Signs a command once and sends it to the members that remain on the next list. */
  readonly send: (command: readonly string[], next: MemberList) => Promise<Outcome[]>;
  /** Requests the current views of all daemons. */
  readonly query: () => Promise<readonly MemberView[]>;
  /** Requests the semantics versions of all daemons. @returns the reports of those that answered, by their ids */
  readonly querySemantics: () => Promise<ReadonlyMap<string, SemanticsReport>>;
}

export function addMembers(program: Command): void {
  const members = program
    .command("members")
    .description("list, add, evict and replace the members of the cluster")
    .enablePositionalOptions()
    .addHelpText(
      "after",
      `
The member list names the daemons of the cluster by their ids. An administrator signs it, or all its members (found and
force, which an operator runs on a daemon's machine), and the daemons send it to each other. An entry becomes final when
all daemons on the list have it, so evict a daemon that does not return. Only daemons with --data can be on the list.
For administrators: name a daemon by its id, the first digits of its id, or its address as host:port. Query as many
daemons as you can (-s): a new list is signed only if the signatures of the previous list are correct, and if more than
half of the remaining daemons report that list as the newest, and at least half of all queried daemons if its members
signed it. If another administrator signed it, specify that public key (--root-key).
You may repeat a command: if the list already contains the change, nothing is signed. add and replace also authorize the
key of the new daemon, and retry for ${AUTHORIZE_WAIT_MS / 1000} s; if that fails, they print a warning and exit with 0.
With the first list of a cluster without data, add also sets the newest semantics version that all daemons support.

Examples:
  dbsync members add db1:1111 db2:1111 db3:1111 -k root-private.pem
  dbsync members list -k root-private.pem
  dbsync members evict db3:1111 -k root-private.pem
  dbsync members replace db3:1111 4f3a9c0e77b1… -k root-private.pem
  dbsync members found --data /var/lib/dbsyncd
${exitCodeHelp("nothing was changed, or the daemons use different lists")}`,
    );
  addList(members);
  addOrders(members);
  addChange(members, ["add <daemon...>", "add daemons; the first list must name all of them"], {
    example: "  dbsync members add db4:1111 -s db1:1111,db2:1111,db4:1111 -k root-private.pem",
    change: (daemons) => ({ add: daemons, evict: [], isReplacing: false, isRenewed: false }),
  });
  addChange(members, ["evict <daemon...>", "remove daemons permanently"], {
    example: "  dbsync members evict db3:1111 -k root-private.pem",
    change: (daemons) => ({ add: [], evict: daemons, isReplacing: false, isRenewed: false }),
  });
  addChange(members, ["replace <old> <new>", "remove a daemon whose folder is lost, and add another one"], {
    example: "  dbsync members replace 4f3a9c0e db3:1111 -k root-private.pem",
    operatorExample: "  dbsync members replace 4f3a9c0e db3:1111 --data /var/lib/dbsyncd",
    change: ([old = "", other = ""]) => ({ add: [other], evict: [old], isReplacing: true, isRenewed: false }),
  });
  addChange(
    members,
    ["sign", "sign the same list again, before or after you revoke the key that signed it"],
    {
      example: "  dbsync members sign -k root-private.pem --root-key old-root-public.pem",
      change: () => ({ add: [], evict: [], isReplacing: false, isRenewed: true }),
    },
  );
  addChange(
    members,
    ["merge", "merge two lists that were signed at the same time: keep the daemons that are on both"],
    {
      example: "  dbsync members merge -k root-private.pem",
      change: () => ({ add: [], evict: [], isReplacing: false, isRenewed: false }),
    },
  );
}

function addMembersOptions(command: Command): Command {
  return addClientOptions(command).addOption(
    new Option(
      "--root-key <file>",
      "public key of another administrator that may have signed the list; may be repeated (yours, -k, is included)",
    ).argParser((text, before: readonly string[] = []) => [...before, text]),
  );
}

/** @throws DbsyncError */
function readVerifier({ rootKey = [] }: MembersFlags, settings: Settings): VerifiesList {
  const own = publicKeyOf(settings);
  const { keys } = loadPublicKeys(rootKey, { kinds: ["rsa", "ed25519"] });
  return listVerifier([...(own === null ? [] : [own]), ...keys.map(({ key }) => key)]);
}

function addList(members: Command): void {
  const command = members.command("list").description("show the list and the states of its daemons");
  addMembersOptions(command)
    .option("--data <folder>", DATA_HELP)
    .option(JSON_FLAG, "print JSON; ids in full")
    .addHelpText(
      "after",
      `
With --data, which needs no administrator's key, the key of the daemon in that folder signs: only this daemon is queried.

Examples:
  dbsync members list -k root-private.pem
  dbsync members list --data /var/lib/dbsyncd
${exitCodeHelp("a daemon does not answer, or the daemons use different lists")}`,
    )
    .action((flags: MembersFlags) =>
      administer(flags, async ({ answers, views, newestLists }) => {
        const useSameList = printMembers(views, newestLists, flags.json === true);
        const isComplete = reportSilent(flags, answers);
        if (!useSameList || !isComplete) process.exitCode = EXIT.failed;
      }),
    );
}

type Request = Omit<Change, "force" | "queried">;

/** A subcommand that changes the list. */
interface ChangeCommand {
  readonly example: string;
  /** An example with --data, for a change that the operator of a data folder may order. */
  readonly operatorExample?: string;
  readonly change: (daemons: readonly string[]) => Request;
}

function addChange(
  members: Command,
  [usage, description]: readonly [usage: string, description: string],
  { example, operatorExample, change }: ChangeCommand,
): void {
  const command = addMembersOptions(members.command(usage).description(description));
  if (operatorExample !== undefined) command.option("--data <folder>", DATA_HELP);
  command
    .option(
      "--force",
      "sign even if no remaining daemon has caught up, daemons use different lists, too few were queried, the signer of the last list is unknown, or the first list would exclude a daemon",
    )
    .option(JSON_FLAG, "print JSON; ids in full")
    .addHelpText(
      "after",
      `${operatorExample === undefined ? "" : OPERATOR_HELP}
Examples:
${[example, ...(operatorExample === undefined ? [] : [operatorExample])].join("\n")}
${exitCodeHelp("nothing was changed, or a daemon refused the change")}`,
    )
    .action((...parameters: readonly unknown[]) => {
      const flags = parameters.at(-2) as MembersFlags;
      const request = change(parameters.slice(0, -2).flat().map(String));
      return flags.data === undefined
        ? administer(flags, (session) => makeChange(flags, session, request))
        : explainErrors(flags, () => orderChange(flags, request), OWN_KEY_HINTS);
    });
}

const DATA_HELP = "sign with the key of the daemon in this data folder, instead of -k";

const OPERATOR_HELP = `
In a cluster without an administrator, name the data folder of a member on this machine instead of a key (--data). The
list changes once more than half of the members agree: the old daemon must not be connected to them, and the new one must
be at an address of their --peer.
`;

/**
 * Signs and sends the next list, unless the current list already contains the change, and authorizes the keys of added
 * daemons.
 */
async function makeChange(
  flags: MembersFlags,
  { answers, views, newestLists, identifiedByHello, send, query, querySemantics }: Session,
  { add, evict, ...kind }: Request,
): Promise<void> {
  const listed = newestLists.flatMap(({ list }) => hexIds(list.members));
  const left = newestLists.flatMap(({ list }) => hexIds(list.removed));
  const idOf = (preferred: NamePreference) => (text: string) =>
    daemonNamed(text, preferred, { views, listed, left, identifiedByHello });

  const added = add.map(idOf("new"));
  const { list, text, isUnchanged } = nextMembers(views, newestLists, {
    ...kind,
    queried: answers.length,
    add: added,
    evict: [...new Set(evict.map(idOf("listed")))],
    force: flags.force === true,
  });
  const outcomes = isUnchanged ? [] : await send([...COMMAND, text], list);
  checkChange(outcomes);

  const progress = showProgress(() => "waiting until a member knows the new daemon's key and accepts writes");
  const authorized = await authorizeAdded(added, {
    views,
    query,
    next: attempts(),
    send: async (command) => failureOf(await send(command, list)),
  }).finally(() => progress[Symbol.dispose]());

  if (list.number === 1 && !isUnchanged)
    await setNewestSemantics(await querySemantics(), list, async (command) =>
      failureOf(await send(command, list)),
    );
  reportListChange(flags, { isUnchanged, outcomes, authorized }, { list, hash: listHash(text, sha256) });
}

/** Sets the newest semantics version of a cluster that has no data yet. */
async function setNewestSemantics(
  reports: ReadonlyMap<string, SemanticsReport>,
  { members }: MemberList,
  send: (command: readonly string[]) => Promise<Failure | null>,
): Promise<void> {
  for (const version of versionsToSet(reports, hexIds(members))) {
    const failure = await send(["CLUSTER", "SEMANTICS", String(version)]);
    if (failure === null) continue;
    printNotice(
      `warning: the semantics version was not set to ${version}: ${failure.problem}. dbsync doctor shows the command`,
    );
    return;
  }
}

type Failed = Extract<Outcome, { status: "failed" }>;

const failedOf = (outcomes: readonly Outcome[]): readonly Failed[] =>
  outcomes.filter((outcome) => outcome.status === "failed");

const isDenied = ({ stage }: Failed): boolean => stage === "reply";

/**
 * Checks that at least one daemon has accepted the list. That daemon sends the list to the remaining daemons.
 * @throws DbsyncError  no daemon has accepted it
 */
function checkChange(outcomes: readonly Outcome[]): void {
  const failed = failedOf(outcomes);
  if (outcomes.length === 0 || failed.length < outcomes.length) return;
  const first = failed.find(isDenied);
  if (first === undefined) throw new DbsyncError("all-failed", "", { outcomes });
  throw new DbsyncError("reply", first.detail, { outcomes });
}

/** Returns the reason why no daemon has applied a command, or null if at least one has. */
function failureOf(outcomes: readonly Outcome[]): Failure | null {
  const failed = failedOf(outcomes);
  const [first] = failed;
  if (first === undefined || failed.length < outcomes.length) return null;
  const denied = failed.find(isDenied);
  return { problem: (denied ?? first).detail, isTemporary: denied === undefined };
}

interface ListChangeResult {
  readonly isUnchanged: boolean;
  readonly outcomes: readonly Outcome[];
  readonly authorized: readonly Authorization[];
}

function reportListChange(
  flags: MembersFlags,
  { isUnchanged, outcomes, authorized }: ListChangeResult,
  { list, hash }: KnownList,
): void {
  const failed = failedOf(outcomes);
  const denied = failed.filter(isDenied);
  const { number, members, removed } = list;

  if (flags.json)
    printJson({
      number,
      hash: hexOf(hash),
      members: hexIds(members),
      left: hexIds(removed),
      isKnown: isUnchanged,
      outcomes,
      authorized,
    });
  else {
    const count = `${members.length} ${members.length === 1 ? "member" : "members"}`;
    printLine(
      `${isUnchanged ? "the list already contains this change: " : ""}list ${number}, ${hexOf(hash)}: ${count}`,
    );
    for (const outcome of failed) printLine(`not reached: ${describeOutcome(outcome)}`);
    if (failed.length > denied.length)
      printLine("Daemons that were not reached receive the list from the other members.");
    for (const one of authorized) printAuthorization(one);
  }

  const isRefused = authorized.some(({ problem, isPending }) => problem !== null && !isPending);
  if (denied.length > 0 || isRefused) process.exitCode = EXIT.failed;
}

/** Prints the result. A pending authorization is only a warning, because the list is valid without it. */
function printAuthorization({ id, problem, isPending }: Authorization): void {
  const text = `${shown(id)} is ${problem === null ? "" : "not "}authorized to sign for its clients without keys`;
  if (problem === null) printLine(text);
  else if (isPending)
    printNotice(`warning: ${text}: ${problem}. Run the same command again later to authorize it`);
  else printLine(`${text}: ${problem}`);
}

/** Returns the servers and the key: an administrator's, or that of the daemon in a data folder. */
async function signingAs(
  flags: MembersFlags,
): Promise<{ readonly settings: Settings; readonly key: SigningKey }> {
  if (flags.data !== undefined) return await findOwnDaemon(flags);
  const settings = readSettings(flags);
  if (settings.key === null)
    throw new DbsyncError("bad-key", "none is set; specify an administrator's private key (-k)");
  return { settings, key: openFrom(settings).key };
}

/** Runs an action with the answers of all daemons; errors are printed with a hint. */
function administer(flags: MembersFlags, act: (session: Session) => Promise<void>): Promise<void> {
  return explainErrors(
    flags,
    async () => {
      const { settings, key } = await signingAs(flags);
      const verifies = readVerifier(flags, settings);
      const answers = await queryEach(settings, key, COMMAND);
      const views = viewsOf(answers, verifies);
      const newestLists = newestListsOf(views);

      const query = async () => viewsOf(await queryEach(settings, key, COMMAND), verifies);
      const identifiedByHello = await idsFromHellos(settings, answers, views[0].cluster);
      const idAt = new Map([...views, ...identifiedByHello].map(({ address, id }) => [address, id]));
      const querySemantics = async () => {
        const answers = await queryEach(settings, key, ["TIMELINE", "STATUS"]);
        return new Map(
          answers.flatMap(({ address, error, reply }) =>
            error === null ? [[idAt.get(address) ?? "", semanticsReport(reply)]] : [],
          ),
        );
      };

      const send = async (command: readonly string[], next: MemberList) => {
        const receivers = firstReceivers(views, newestLists, next);
        const servers = settings.servers.filter(({ text }) =>
          receivers.some(({ address }) => address === text),
        );
        return (await openFrom({ ...settings, servers }).client.sendAll(command)).outcomes;
      };

      await act({ answers, views, newestLists, identifiedByHello, send, query, querySemantics });
    },
    flags.data === undefined ? HINTS : OWN_KEY_HINTS,
  );
}

/**
 * Returns the daemons that receive a list first: the members that remain. An added daemon could not send the list to
 * those members, because they admit the daemon only once they have the list. Returns all daemons for the first list,
 * and if no remaining member has answered.
 */
function firstReceivers(
  views: readonly MemberView[],
  newestLists: readonly KnownList[],
  next: MemberList,
): readonly MemberView[] {
  const staying = views.filter(
    ({ id }) =>
      next.members.includes(rawId(id)) && newestLists.some(({ list }) => list.members.includes(rawId(id))),
  );
  return staying.length > 0 ? staying : views;
}

/** Reports the daemons that did not answer. @returns whether all answered */
function reportSilent(flags: MembersFlags, answers: readonly Answer[]): boolean {
  const silent = answers.filter(({ error }) => error !== null);
  for (const { address, error } of silent)
    if (!flags.json) printNotice(`${address}: ${error?.message ?? ""}`);
  return silent.length === 0;
}

/** What one daemon reports of the semantics and its entries. */
export interface SemanticsReport {
  /** The version in use, from 1 on; 0 if the daemon does not report it. */
  readonly semantics: number;
  readonly available: number;
  /** The number of entries with data. */
  readonly entries: number;
}

/** Reads the answer to TIMELINE STATUS. */
export function semanticsReport(reply: ReplyValue): SemanticsReport {
  const { semantics, availableSemantics, dataEntries } = readFigures(TIMELINE_FIGURES, reply);
  return { semantics, available: availableSemantics, entries: dataEntries };
}

/**
 * Returns the versions to set, in order. There are none if a member has data, or does not report.
 * @param reports  by the ids of the daemons
 * @param members  the ids of the members
 */
export function versionsToSet(
  reports: ReadonlyMap<string, SemanticsReport>,
  members: readonly string[],
): readonly number[] {
  let current = 0;
  let newest = Number.POSITIVE_INFINITY;
  for (const id of members) {
    const report = reports.get(id);
    if (report === undefined || report.semantics === 0 || report.entries > 0) return [];
    current = Math.max(current, report.semantics);
    newest = Math.min(newest, report.available);
  }
  return Array.from({ length: Math.max(0, newest - current) }, (_, index) => current + 1 + index);
}

/**
 * The command that authorizes a daemon's key; "nothing": the key is already authorized; "unknown": no daemon that
 * answered knows the key yet.
 */
type NeededAuthorization = readonly string[] | "nothing" | "unknown";

/**
 * Returns the command that authorizes an added daemon's key. A daemon that does not know the administrator's key yet
 * cannot report its own key; in that case this function uses the reports of its peers. A reported key is used only if
 * its hash is the daemon's id.
 * @param id  the added daemon's id, hexadecimal
 */
function authorizationFor(id: string, views: readonly MemberView[]): NeededAuthorization {
  const own = views.find((view) => view.id === id);
  if (own !== undefined && own.authorize === null) return "nothing";
  const seen = views.flatMap(({ peers }) => peers.filter((peer) => peer.id === id).map(({ key }) => key));
  const keys = [own?.authorize?.split(" ")[2] ?? null, ...seen].filter((key) => key !== null);
  return authorizationOf(id, keys) ?? "unknown";
}

const RETRY_MS = 250;

/**
 * Time for which `members add` and `replace` retry to authorize a new key, in milliseconds. A member that has just
 * started refuses writes for about 10 s.
 */
const AUTHORIZE_WAIT_MS = 20_000;

/**
 * Returns a function that waits until the next attempt. Its promise resolves with false once `AUTHORIZE_WAIT_MS` have
 * passed.
 */
function attempts(): () => Promise<boolean> {
  const deadline = performance.now() + AUTHORIZE_WAIT_MS;
  return async () => {
    if (performance.now() + RETRY_MS > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    return true;
  };
}

/** The result of authorizing a daemon's key; `problem` says why it failed and what to do, or is null. */
export interface Authorization {
  readonly id: string;
  readonly problem: string | null;
  /** Whether the same command may succeed later. */
  readonly isPending: boolean;
}

/** The reason why no daemon applied a command. */
export interface Failure {
  readonly problem: string;
  /** Whether the reason may be temporary, so that a retry can succeed. */
  readonly isTemporary: boolean;
}

/** The reports of the daemons, and the requests with which keys are authorized. */
interface AuthorizationContext {
  /** The latest reports of the daemons. */
  readonly views: readonly MemberView[];
  /** Requests new reports from the daemons. */
  readonly query: () => Promise<readonly MemberView[]>;
  /** Sends a command to members. @returns null if a daemon has executed it */
  readonly send: (command: readonly string[]) => Promise<Failure | null>;
  /** Waits until the next attempt. @returns false if there is no further attempt */
  readonly next: () => Promise<boolean>;
}

/**
 * Authorizes the keys of added daemons that are not authorized yet. A daemon signs with its key for clients without
 * keys (Redis, SQL, JSON, MongoDB, version 1). A new daemon refuses their writes until an administrator has signed
 * `CLUSTER ADD` for its key.
 * @param ids  ids of the added daemons, hexadecimal
 * @returns a result for each such key
 */
export async function authorizeAdded(
  ids: readonly string[],
  { views, query, send, next }: AuthorizationContext,
): Promise<readonly Authorization[]> {
  const done = new Map<string, Authorization>();
  for (let reports = views; ; reports = await query().catch(() => reports)) {
    for (const id of ids.filter((one) => done.get(one)?.problem !== null)) {
      const needed = authorizationFor(id, reports);
      if (needed === "nothing") {
        done.delete(id);
        continue;
      }
      const failure = needed === "unknown" ? UNSEEN : await send(needed);
      const command = needed === "unknown" ? "" : `. As administrator: dbsync send ${needed.join(" ")}`;
      const problem = failure === null ? null : `${failure.problem}${command}`;
      done.set(id, { id, problem, isPending: failure?.isTemporary === true });
    }
    if (![...done.values()].some(({ isPending }) => isPending) || !(await next())) return [...done.values()];
  }
}

const UNSEEN: Failure = {
  problem:
    "no member knows its key yet. If it has clients that do not sign (Redis, SQL, JSON, MongoDB), dbsync status shows the command that authorizes it",
  isTemporary: true,
};
