/** `dbsync members`: manages the list, signed by an administrator, of the daemons that form the cluster. */
import { type Command, Option } from "commander";
import type { Settings } from "../../client/settings/options.js";
import { publicKeyOf } from "../../client/settings/signing-key.js";
import { describeOutcome } from "../../client/shared/described-outcomes.js";
import { DbsyncError, type Outcome } from "../../client/shared/errors.js";
import { loadPublicKeys } from "../../keys/key-set.js";
import { listHash, type MemberList } from "../../protocol/members/member-list.js";
import type { KnownList } from "../../protocol/members/succession.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import { explaining, type Hint } from "../keys/key-errors.js";
import { type Answer, askEach } from "../keys/key-ring.js";
import { addClientOptions, type ClientFlags, openFrom, readSettings } from "../shared/client-options.js";
import { EXIT, exitCodeHelp } from "../shared/exit-codes.js";
import { JSON_FLAG, printJson, printLine } from "../shared/output.js";
import { showProgress } from "../shared/progress.js";
import {
  AUTHORIZE_WAIT_MS,
  type Authorization,
  attempts,
  authorizeAdded,
  type Failure,
} from "./authorizing.js";
import { type Greeted, greetedOf } from "./greeted.js";
import { daemonMeant, type Meant } from "./member-names.js";
import { printMembers } from "./member-report.js";
import { headsOf, type MemberView, rawId, viewsOf } from "./member-views.js";
import { type Change, hexIds, nextMembers, shown } from "./next-members.js";
import { type ReportedList, sha256, type VerifiesList, verifierBy } from "./reported-list.js";

const COMMAND = ["CLUSTER", "MEMBERS"];

interface MembersFlags extends ClientFlags {
  readonly force?: boolean;
  readonly rootKey?: readonly string[];
}

const ROOT =
  "sign with an administrator's private key, -k root-private.pem: the daemons were started with its public half, --root-key";

/** The first one that matches is used. */
const HINTS: readonly Hint[] = [
  [/there is none; name an administrator|NOPERM|unknown-key/, ROOT],
  [
    /unknown (sub)?command|CLUSTER MEMBERS is answered by/i,
    "members by list need daemons with --data and --peer, of this version: update them",
  ],
];

/** What all actions need. */
interface Asked {
  readonly answers: readonly Answer[];
  readonly views: readonly MemberView[];
  readonly heads: readonly ReportedList[];
  /** Daemons that do not know the administrator's key, known from their hello. */
  readonly greeted: readonly Greeted[];
  /** Sends a command to the members that the next list keeps, with one signature. */
  readonly send: (command: readonly string[], next: MemberList) => Promise<Outcome[]>;
  /** Requests the current views of all daemons. */
  readonly ask: () => Promise<readonly MemberView[]>;
}

export function addMembers(program: Command): void {
  const members = program
    .command("members")
    .description("list, add, evict and replace the members of the cluster")
    .enablePositionalOptions()
    .addHelpText(
      "after",
      `
For administrators. A list names the daemons by their ids; it is signed, and daemons give it to each other. What is final
needs all that it names, and none besides: evict one that does not come back. Daemons need --data to be on it.
A daemon: its id, the first digits of that, or its address as host:port. Ask as many daemons as you can (-s):
a list is signed after one whose signature holds, and of which more than half of those that stay say that it is the
newest. One that is proved only by another administrator's key needs that (--root-key).
The same command can be typed again: where the list already says so, it signs none. add and replace also authorize the
new daemon's key, and retry for ${AUTHORIZE_WAIT_MS / 1000} s; if that is not enough they print a warning, and exit 0.

Examples:
  dbsync members add db1:1111 db2:1111 db3:1111 -k root-private.pem
  dbsync members list -k root-private.pem
  dbsync members evict db3:1111 -k root-private.pem
  dbsync members replace db3:1111 4f3a9c0e77b1… -k root-private.pem
${exitCodeHelp("nothing was changed, or the daemons go by different lists")}`,
    );
  addList(members);
  addChange(members, ["add <daemon...>", "let daemons in; the first list names all of them"], {
    example: "  dbsync members add db4:1111 -s db1:1111,db2:1111,db4:1111 -k root-private.pem",
    change: (daemons) => ({ add: daemons, leave: [], isReplacing: false, isAnew: false }),
  });
  addChange(members, ["evict <daemon...>", "leave daemons out permanently"], {
    example: "  dbsync members evict db3:1111 -k root-private.pem",
    change: (daemons) => ({ add: [], leave: daemons, isReplacing: false, isAnew: false }),
  });
  addChange(members, ["replace <old> <new>", "leave one out whose folder is lost, and let another in"], {
    example: "  dbsync members replace 4f3a9c0e db3:1111 -k root-private.pem",
    change: ([old = "", other = ""]) => ({ add: [other], leave: [old], isReplacing: true, isAnew: false }),
  });
  addChange(
    members,
    ["sign", "sign the list again as it is: before you revoke the key that has signed it, or after"],
    {
      example: "  dbsync members sign -k root-private.pem --root-key old-root-public.pem",
      change: () => ({ add: [], leave: [], isReplacing: false, isAnew: true }),
    },
  );
  addChange(
    members,
    ["merge", "make one of two lists that were signed at the same time: of the daemons that both name"],
    {
      example: "  dbsync members merge -k root-private.pem",
      change: () => ({ add: [], leave: [], isReplacing: false, isAnew: false }),
    },
  );
}

function addMembersOptions(command: Command): Command {
  return addClientOptions(command).addOption(
    new Option(
      "--root-key <file>",
      "another administrator's public key, by which lists may be signed (repeatable; your own, -k, is known)",
    ).argParser((text, before: readonly string[] = []) => [...before, text]),
  );
}

/** @throws DbsyncError */
function readVerifier({ rootKey = [] }: MembersFlags, settings: Settings): VerifiesList {
  const own = publicKeyOf(settings);
  const { keys } = loadPublicKeys(rootKey, { kinds: ["rsa", "ed25519"] });
  return verifierBy([...(own === null ? [] : [own]), ...keys.map(({ key }) => key)]);
}

function addList(members: Command): void {
  addMembersOptions(members.command("list").description("show the list, and the states of its daemons"))
    .option(JSON_FLAG, "print JSON; ids in full")
    .addHelpText(
      "after",
      `\nExamples:\n  dbsync members list -k root-private.pem\n${exitCodeHelp("a daemon does not answer, or they go by different lists")}`,
    )
    .action((flags: MembersFlags) =>
      administer(flags, async ({ answers, views, heads }) => {
        const isOne = printMembers(views, heads, flags.json === true);
        const isWhole = reportSilent(flags, answers);
        if (!isOne || !isWhole) process.exitCode = EXIT.failed;
      }),
    );
}

type Asking = Omit<Change, "force">;

function addChange(
  members: Command,
  [usage, description]: readonly [usage: string, description: string],
  { example, change }: { readonly example: string; readonly change: (daemons: readonly string[]) => Asking },
): void {
  addMembersOptions(members.command(usage).description(description))
    .option(
      "--force",
      "also if no daemon that stays is caught up, daemons go by different lists, too few of them were asked, the signer of the last list is not known, or the first list would reject a daemon",
    )
    .option(JSON_FLAG, "print JSON; ids in full")
    .addHelpText(
      "after",
      `\nExamples:\n${example}\n${exitCodeHelp("nothing was changed, or not everywhere")}`,
    )
    .action((...given: readonly unknown[]) => {
      const flags = given.at(-2) as MembersFlags;
      const daemons = given.slice(0, -2).flat().map(String);
      return administer(flags, (asked) => makeChange(flags, asked, change(daemons)));
    });
}

/** Signs the next list and sends it, unless the list already says so, and authorizes the keys of the added daemons. */
async function makeChange(
  flags: MembersFlags,
  { views, heads, greeted, send, ask }: Asked,
  { add, leave, ...kind }: Asking,
): Promise<void> {
  const listed = heads.flatMap(({ list }) => hexIds(list.members));
  const left = heads.flatMap(({ list }) => hexIds(list.left));
  const meant = (which: Meant) => (text: string) =>
    daemonMeant(text, which, { views, listed, left, greeted });
  const added = add.map(meant("new"));
  const { list, text, isKnown } = nextMembers(views, heads, {
    ...kind,
    add: added,
    leave: [...new Set(leave.map(meant("listed")))],
    force: flags.force === true,
  });
  const outcomes = isKnown ? [] : await send([...COMMAND, text], list);
  checkChange(outcomes);
  const progress = showProgress(
    () => "waiting until a member has seen the new daemon's key and takes writes",
  );
  const authorized = await authorizeAdded(added, {
    views,
    ask,
    next: attempts(),
    send: async (command) => failureOf(await send(command, list)),
  }).finally(() => progress[Symbol.dispose]());
  reportChange(flags, { isKnown, outcomes, authorized }, { list, hash: listHash(text, sha256) });
}

type Failed = Extract<Outcome, { status: "failed" }>;

const failedOf = (outcomes: readonly Outcome[]): readonly Failed[] =>
  outcomes.filter((outcome) => outcome.status === "failed");

const isDenied = ({ stage }: Failed): boolean => stage === "reply";

/**
 * Checks that at least one daemon has accepted a list; it sends the list to the remaining ones. @throws DbsyncError  none
 * has accepted it
 */
function checkChange(outcomes: readonly Outcome[]): void {
  const failed = failedOf(outcomes);
  if (outcomes.length === 0 || failed.length < outcomes.length) return;
  const first = failed.find(isDenied);
  if (first === undefined) throw new DbsyncError("all-failed", "", { outcomes });
  throw new DbsyncError("reply", first.detail, { outcomes });
}

/** Returns why no daemon has carried out a command; null: one has. */
function failureOf(outcomes: readonly Outcome[]): Failure | null {
  const failed = failedOf(outcomes);
  const [first] = failed;
  if (first === undefined || failed.length < outcomes.length) return null;
  const denied = failed.find(isDenied);
  return { problem: (denied ?? first).detail, isPassing: denied === undefined };
}

interface Done {
  readonly isKnown: boolean;
  readonly outcomes: readonly Outcome[];
  readonly authorized: readonly Authorization[];
}

function reportChange(
  flags: MembersFlags,
  { isKnown, outcomes, authorized }: Done,
  { list, hash }: KnownList,
): void {
  const failed = failedOf(outcomes);
  const denied = failed.filter(isDenied);
  const { number, members, left } = list;
  if (flags.json)
    printJson({
      number,
      hash: hexOf(hash),
      members: hexIds(members),
      left: hexIds(left),
      isKnown,
      outcomes,
      authorized,
    });
  else {
    const count = `${members.length} ${members.length === 1 ? "member" : "members"}`;
    printLine(`${isKnown ? "the list says so already: " : ""}list ${number}, ${hexOf(hash)}: ${count}`);
    for (const outcome of failed) printLine(`not reached: ${describeOutcome(outcome)}`);
    if (failed.length > denied.length)
      printLine("A daemon of the list that was not reached receives it from the remaining ones.");
    for (const one of authorized) printAuthorization(one);
  }
  const isRefused = authorized.some(({ problem, isPending }) => problem !== null && !isPending);
  if (denied.length > 0 || isRefused) process.exitCode = EXIT.failed;
}

/** The list is valid without the authorization, so an authorization that is only late causes a warning. */
function printAuthorization({ id, problem, isPending }: Authorization): void {
  const text = `${shown(id)} is ${problem === null ? "" : "not "}authorized to sign for its clients without keys`;
  if (problem === null) printLine(text);
  else if (isPending)
    process.stderr.write(
      `dbsync: warning: ${text}: ${problem}. The same command, typed again, authorizes it\n`,
    );
  else printLine(`${text}: ${problem}`);
}

/** Runs an action with the views of all daemons; errors get a matching hint. */
function administer(flags: MembersFlags, act: (asked: Asked) => Promise<void>): Promise<void> {
  return explaining(
    flags,
    async () => {
      const settings = readSettings(flags);
      if (settings.key === null)
        throw new DbsyncError("bad-key", "there is none; name an administrator's private key (-k)");
      const { key } = openFrom(settings);
      const verifies = readVerifier(flags, settings);
      const answers = await askEach(settings, key, COMMAND);
      const views = viewsOf(answers, verifies);
      const heads = headsOf(views);
      const ask = async () => viewsOf(await askEach(settings, key, COMMAND), verifies);
      const greeted = await greetedOf(settings, answers, views[0].cluster);
      const send = async (command: readonly string[], next: MemberList) => {
        const receivers = firstReceivers(views, heads, next);
        const servers = settings.servers.filter(({ text }) =>
          receivers.some(({ address }) => address === text),
        );
        return (await openFrom({ ...settings, servers }).client.sendAll(command)).outcomes;
      };
      await act({ answers, views, heads, greeted, send, ask });
    },
    HINTS,
  );
}

/**
 * Returns the daemons that receive a list first: the members that remain. A daemon that the list adds could not send it to them, because they
 * admit it only once they have the list. The first list, and a list none of whose members has answered, is sent to all.
 */
function firstReceivers(
  views: readonly MemberView[],
  heads: readonly KnownList[],
  next: MemberList,
): readonly MemberView[] {
  const staying = views.filter(
    ({ id }) =>
      next.members.includes(rawId(id)) && heads.some(({ list }) => list.members.includes(rawId(id))),
  );
  return staying.length > 0 ? staying : views;
}

/** Reports the daemons that did not answer, if others did. @returns whether all did */
function reportSilent(flags: MembersFlags, answers: readonly Answer[]): boolean {
  const silent = answers.filter(({ error }) => error !== null);
  for (const { address, error } of silent)
    if (!flags.json) process.stderr.write(`dbsync: ${address}: ${error?.message ?? ""}\n`);
  return silent.length === 0;
}
