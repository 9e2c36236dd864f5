/**
 * The sentences for the codes of failed calls, and for the stages at which a daemon can fail, with their remedies.
 * Describes outcomes in sentences: each daemon's response to a call, and what to do about a failure. Web pages do not
 * load this (client/README.md).
 */
import { CONTROL_CHARACTERS } from "../../protocol/control-characters.js";
import { formatValue } from "./format-value.js";

/** The detail of the error of a call to a closed client. */
export const AFTER_CLOSE = "it accepts no more commands: close it after the last command";

/** The reasons why a call failed. The code is for programs, the sentence for people. */
export const CODES = {
  "bad-command": "The command cannot be sent",
  "bad-option": "An option cannot be used",
  "bad-config": "The configuration file cannot be used",
  "bad-key": "The signing key cannot be used",
  "all-failed": "No daemon answered",
  reply: "The command failed",
  refused: "No daemon accepted the command",
  "answers-differ": "The daemons' answers differ",
  "clocks-differ": "Only daemons whose clocks differ from the remaining ones answered, with nil",
  "not-all-answered": "Not every daemon answered, as the policy requires",
  "too-few-answers": "Fewer daemons answered than the policy requires",
  "late-answers":
    "Too few daemons agree, because the others received the command after later commands on its keys",
  "clusters-differ": "The servers belong to different clusters",
  busy: "Too many commands are waiting in this client",
  "too-many-clients": "Too many sets of options are in use at the same time",
  aborted: "The call was aborted",
  closed: "The client was closed",
  reset: "The call was interrupted by a reset",
} as const;

/**
 * The remedy for the stages `version` and `downgrade`. Version 1 commands can be replayed at any time, so the user must
 * explicitly allow a fallback to version 1.
 */
const ALLOW_VERSION_1 =
  'if the daemon of php-dbsync runs there on purpose, allow version 1: versions: "1" in the options, DBSYNC_VERSIONS=1, ' +
  "dbsync.versions = 1 in dbsync.ini, --versions 1, or dbsync1:// before its address (1,2: what each daemon supports)";

/** The stages at which a daemon can fail, with their meanings and remedies. */
export const STAGES = {
  dns: { meaning: "the host name was not resolved", cure: "check its spelling and this machine's DNS" },
  connect: { meaning: "no connection", cure: "is dbsyncd running there?" },
  tls: {
    meaning: "no trusted encrypted connection",
    cure: "compare its entry in the list (dbsyncs://, #sha256:…) and the option ca with what the daemon logs when it starts",
  },
  send: { meaning: "the connection broke while the command was being sent", cure: "see that daemon's log" },
  "no-reason": {
    meaning: "closed without an answer",
    cure: "version 1 cannot report the reason: a wrong or missing key, a command error or a backend error; see that daemon's log",
  },
  timeout: {
    meaning: "no answer in time",
    cure: "it may be suspended or overloaded, or started without a key (-s): see that daemon's log",
  },
  "not-awaited": {
    meaning: "the call had failed before it answered",
    cure: "see the reports of the other daemons",
  },
  garbage: {
    meaning: "the answer is not a dbsync message",
    cure: "does dbsyncd listen on this port? If it does, it is broken or lies",
  },
  busy: {
    meaning: "its queue in this client is full",
    cure: "send fewer commands at a time, or find out why it is slow",
  },
  reply: { meaning: "the command failed there", cure: "the daemon's text says why; correct the command" },
  refused: { meaning: "the daemon refused it", cure: "its text says what to do" },
  lost: { meaning: "the connection was lost before the answer", cure: "see that daemon's log" },
  version: {
    meaning:
      "it closes the connection after version 2's hello: it speaks only version 1, is at its connection limit, or an attacker hides version 2",
    cure: `is that dbsyncd's port? ${ALLOW_VERSION_1}`,
  },
  "version-1": {
    meaning: "this client speaks version 1 with that daemon, and version 1 does not support this call",
    cure: "update the daemon and allow version 2 (versions), or send only calls that version 1 supports",
  },
  downgrade: {
    meaning: "it has spoken version 2 before, and now closes the connection after version 2's hello",
    cure: "find out which program listens there; if the daemon of php-dbsync runs there on purpose, allow version 1 (versions) and restart this program",
  },
  "wrong-cluster": {
    meaning: "that daemon belongs to another cluster",
    cure: "correct the list of servers, or the option cluster",
  },
  closed: { meaning: "the client was closed first", cure: "close it after the last answer" },
} as const;

/** Returns the warning about a cluster that an attacker could have named. */
export const unprotectedCluster = (server: string, cluster: string): string =>
  `the servers named their cluster over an unprotected connection: an attacker between here and ${server} could have ` +
  `answered; configure it with the option cluster or DBSYNC_CLUSTER: ${cluster}`;

/** The part of an `Outcome` that the description uses. */
type DescribedOutcome = { readonly address: string } & (
  | { readonly status: "ok"; readonly value: string | null; readonly flags?: readonly string[] }
  | Failed
);

interface AnsweredOutcome {
  readonly status: "ok" | "failed";
  readonly flags?: readonly string[];
}

interface Failed {
  readonly status: "failed";
  readonly stage: keyof typeof STAGES;
  readonly detail: string;
  readonly effect: "not-applied" | "unknown";
}

/** Returns one line for each kind of outcome, with the addresses of all daemons that reported it. */
export function describeOutcomes(outcomes: readonly DescribedOutcome[]): string[] {
  const addresses = new Map<string, string[]>();
  for (const outcome of outcomes) {
    const text = describeWithoutAddress(outcome);
    const sameOutcome = addresses.get(text);
    if (sameOutcome === undefined) addresses.set(text, [outcome.address]);
    else sameOutcome.push(outcome.address);
  }
  return [...addresses].map(([text, sameOutcome]) => `${sameOutcome.join(", ")}: ${text}`);
}

/** The note about a write that failed as a call, although daemons have applied it. */
const STAYS_APPLIED =
  "The daemons that answered keep the write, and the remaining ones may still receive it: read the key before you repeat the command";

/** Returns the note about the effect of a failed write on the daemons that answered, or none. */
export function appliedNote(outcomes: readonly AnsweredOutcome[], isRead: boolean): string[] {
  const isApplied = outcomes.some(({ status, flags }) => status === "ok" && !flags?.includes("unmet"));
  return isApplied && !isRead ? [STAYS_APPLIED] : [];
}

/** Returns `127.0.0.1:1111: connect: no connection (ECONNREFUSED); is dbsyncd running there? [not applied there]`. */
export function describeOutcome(outcome: DescribedOutcome): string {
  return `${outcome.address}: ${describeWithoutAddress(outcome)}`;
}

function describeWithoutAddress(outcome: DescribedOutcome): string {
  if (outcome.status === "ok") {
    const value =
      outcome.value === null ? "nil" : formatValue(outcome.value).replace(CONTROL_CHARACTERS, "?");
    return `answered ${value}${outcome.flags?.includes("catching-up") ? " while catching up" : ""}`;
  }
  const { meaning } = STAGES[outcome.stage];
  const detail = outcome.detail === "" ? "" : ` (${outcome.detail.replace(CONTROL_CHARACTERS, "?")})`;
  const cure = cureIn(outcome) === null ? `; ${outcomeCure(outcome)}` : "";
  return `${outcome.stage}: ${meaning}${detail}${cure} [${effectText(outcome)}]`;
}

function effectText({ stage, detail, effect }: Omit<Failed, "status">): string {
  if (effect === "not-applied") return "not applied there";
  if (stage !== "reply") return "may have been applied there";
  return detail.startsWith("TOOLONG ") ? "applied there" : "recorded there, and may yet succeed";
}

/** The beginning of the refusal that a daemon sends on a port for another protocol. */
const OTHER_PORT = "malformed: this port serves ";

/**
 * Returns the cure of a refusal, which consists of a code, and of the reason and the cure, each as a sentence; null if
 * the failure is no refusal, or contains no cure.
 */
function cureIn({ stage, detail }: Omit<Failed, "status">): string | null {
  if (!["refused", "lost"].includes(stage) || !/^[a-z-]+: /.test(detail) || !detail.endsWith("."))
    return null;
  const end = detail.lastIndexOf(". ");
  return end < 0 ? null : detail.slice(end + 2, -1);
}

/** Returns what to do about a failure: the last sentence of a refusal, or the cure of the stage. */
export function outcomeCure(failed: Omit<Failed, "status">): string {
  if (failed.detail.startsWith(OTHER_PORT))
    return "specify the daemon's --port instead, which is 1111 by default";
  return cureIn(failed) ?? STAGES[failed.stage].cure;
}

/** Daemons wait longer than most calls do, so refusals such as `not-yet` often arrive after the call's deadline. */
const MAY_WAIT = "perhaps it does not have the write that `after` refers to";
const MAY_WAIT_FOR = {
  stable:
    "perhaps it is waiting until the write is final: dbsync status shows whether a daemon is unreachable",
  replicated:
    "perhaps it is waiting for other daemons to store the write: dbsync status shows which one is unreachable",
} as const;

/** The options of a call that the explanation uses. */
interface AwaitedOptions {
  readonly wait?: { readonly kind: keyof typeof MAY_WAIT_FOR } | null;
  readonly after?: string | null;
}

/** Returns what a silent daemon may be waiting for, or null if its answer does not have to wait. */
export function waitingReasons(options: AwaitedOptions | null): string | null {
  if (options?.wait) return MAY_WAIT_FOR[options.wait.kind];
  return options?.after == null ? null : MAY_WAIT;
}
