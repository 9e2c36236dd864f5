/**
 * Everything that can go wrong for a caller, in one table: codes of errors, stages at which a daemon can
 * fail, and what to do about each. What to do about refusals is in refusal-cures.ts; no other file of client/ makes up such a sentence. A test compares these
 * tables with the list in README.md.
 */
import { REFUSAL_CURES } from "./refusal-cures.js";

/** Why a call failed as a whole. For programs; the sentence is for people. */
const CODES = {
  "bad-command": "The command cannot be sent",
  "bad-option": "An option cannot be used",
  "bad-config": "The configuration file cannot be used",
  "bad-key": "The signing key cannot be used",
  "all-failed": "No daemon answered",
  reply: "The command failed",
  refused: "No daemon took the command",
  "answers-differ": "The daemons' answers differ",
  "clocks-differ": "Only daemons whose clocks differ from others' answered, and found nothing",
  "not-all-answered": "Not every daemon answered, as the policy requires",
  "too-few-answers": "Fewer daemons answered than the policy requires",
  "late-answers": "Too few daemons agree, as it reached others behind later commands on its keys",
  "clusters-differ": "The servers belong to different clusters",
  busy: "Too many commands wait in this client",
  "too-many-clients": "Too many sets of options are in use at once",
  closed: "The client was closed",
  reset: "The call was cut off by a reset",
} as const;

export type ErrorCode = keyof typeof CODES;

/** All codes there are, for the test that compares them with README.md. */
export const ERROR_CODES: readonly string[] = Object.keys(CODES);

/** Who falls back to version 1 sends what can be replayed for ever, so it takes somebody who says so. */
export const ALLOW_VERSION_1 =
  'if an older daemon is there on purpose, allow version 1: versions: "1" in the options, DBSYNC_VERSIONS=1, ' +
  "dbsync.versions = 1 in dbsync.ini, --versions 1, or dbsync1:// before its address (1,2: as each daemon can)";

/** At which step one daemon failed; what that means; what to do. */
export const STAGES = {
  dns: { meaning: "the host name was not resolved", cure: "check its spelling and this machine's DNS" },
  connect: { meaning: "no connection", cure: "is dbsyncd running there?" },
  tls: {
    meaning: "no trusted encrypted connection",
    cure: "compare its entry in the list (dbsyncs://, #sha256:…) and the option ca with what that daemon prints at its start",
  },
  send: { meaning: "the connection broke while the command was being sent", cure: "see that daemon's log" },
  "no-reason": {
    meaning: "closed without an answer",
    cure: "version 1 cannot say why: wrong key or none, command error or backend; see that daemon's log",
  },
  timeout: {
    meaning: "no answer in time",
    cure: "is it stopped, overloaded or unsigned? see that daemon's log",
  },
  garbage: { meaning: "the answer is not dbsync's", cure: "is it really dbsyncd that listens there?" },
  busy: {
    meaning: "its queue in this client is full",
    cure: "send less at once, or find out why it is slow",
  },
  reply: { meaning: "the command failed there", cure: "the text is the daemon's, mend the command" },
  refused: { meaning: "the daemon refused it", cure: "docs/protocol-v2.md, Refusals, says what to do" },
  lost: { meaning: "the connection was lost before the answer", cure: "see that daemon's log" },
  version: {
    meaning:
      "it closes on version 2's hello: it speaks version 1 only, has no room, or somebody hides version 2 from you",
    cure: ALLOW_VERSION_1,
  },
  "version-1": {
    meaning: "that daemon is sent version 1, which cannot carry this",
    cure: "update it and let it have version 2 (versions), or send what version 1 can carry",
  },
  downgrade: {
    meaning: "it has spoken version 2 before and closes on it now",
    cure: "find out who listens there; if an older daemon is there on purpose, allow version 1 (versions) and start this program anew",
  },
  "wrong-cluster": {
    meaning: "that daemon belongs to another cluster",
    cure: "mend the list of servers, or the option cluster",
  },
  closed: { meaning: "the client was closed first", cure: "close it after the last answer" },
} as const;

export type Stage = keyof typeof STAGES;

/**
 * What one daemon made of a call. `ms` is the time from the call to this outcome. `value` is null for nil.
 * `values` has one text for each database behind the daemon, `value` being the first; in version 2 there is one.
 * `flags`: what version 2 says about the answer (`late`, `unmet`, `provisional`). `effect`: `not-applied` if it is certain
 * that this daemon has changed nothing, and will not; `unknown` if the command was written to it, and what comes of it is
 * not known: also when it failed there and is recorded, as a write that comes late may change what it failed at.
 */
export type Outcome =
  | {
      readonly address: string;
      readonly status: "ok";
      readonly value: string | null;
      readonly values: readonly string[];
      readonly version: 1 | 2;
      readonly flags: readonly string[];
      readonly ms: number;
    }
  | {
      readonly address: string;
      readonly status: "failed";
      readonly stage: Stage;
      /** What was observed: `ECONNREFUSED`, a refusal's `code: sentence`, the offset of a bad byte … May be empty. */
      readonly detail: string;
      readonly effect: "not-applied" | "unknown";
      readonly ms: number;
    };

/**
 * The only error that leaves the library. `outcomes` is empty for mistakes found before anything was sent.
 */
export class DbsyncError extends Error {
  override readonly name = "DbsyncError";
  readonly code: ErrorCode;
  readonly outcomes: readonly Outcome[];
  /** `not-applied`: no daemon has changed, or will change, anything. */
  readonly effect: "not-applied" | "unknown";

  constructor(
    code: ErrorCode,
    detail: string,
    extra: { outcomes?: readonly Outcome[]; isRead?: boolean; cause?: unknown } = {},
  ) {
    const outcomes = extra.outcomes ?? [];
    const head = detail === "" ? CODES[code] : `${CODES[code]}: ${detail}`;
    // A command's own failure is told in full by the daemon's text.
    const lines = code === "reply" ? [] : describeOutcomes(outcomes).map((line) => `\n  ${line}`);
    super(
      head + (lines.length > 0 ? `:${lines.join("")}` : ""),
      extra.cause === undefined ? {} : { cause: extra.cause },
    );
    this.code = code;
    this.outcomes = outcomes;
    const isUntouched = (outcome: Outcome) => outcome.status === "failed" && outcome.effect === "not-applied";
    // What was only read is answered, and has changed nothing.
    this.effect = extra.isRead === true || outcomes.every(isUntouched) ? "not-applied" : "unknown";
  }
}

/** An option with a value it cannot have. */
export function badOption(option: string, value: unknown, allowed: string): DbsyncError {
  return new DbsyncError("bad-option", `${option} is ${show(value)}, allowed: ${allowed}`);
}

/** As `badOption`, for a value that no message may show. */
export function badSecret(option: string, allowed: string): DbsyncError {
  return new DbsyncError("bad-option", `${option} is of the wrong kind, allowed: ${allowed}`);
}

/** For a call that version 1 cannot carry. */
export function needsVersion2(hasKey: boolean): DbsyncError {
  const missing = hasKey ? "a daemon that speaks it, and is not told to be sent version 1 alone" : "a key";
  return new DbsyncError("bad-command", `it needs version 2 of the protocol, and that needs ${missing}`);
}

/** One line for each kind of outcome, which names all daemons it is true of. */
export function describeOutcomes(outcomes: readonly Outcome[]): string[] {
  const addresses = new Map<string, string[]>();
  for (const outcome of outcomes) {
    const text = describeWithoutAddress(outcome);
    const alike = addresses.get(text);
    if (alike === undefined) addresses.set(text, [outcome.address]);
    else alike.push(outcome.address);
  }
  return [...addresses].map(([text, alike]) => `${alike.join(", ")}: ${text}`);
}

/** `127.0.0.1:1111: connect: no connection (ECONNREFUSED); is dbsyncd running there? [not applied there]` */
export function describeOutcome(outcome: Outcome): string {
  return `${outcome.address}: ${describeWithoutAddress(outcome)}`;
}

function describeWithoutAddress(outcome: Outcome): string {
  if (outcome.status === "ok") return `answered ${outcome.value === null ? "nil" : show(outcome.value)}`;
  const { meaning } = STAGES[outcome.stage];
  const detail = outcome.detail === "" ? "" : ` (${outcome.detail})`;
  return `${outcome.stage}: ${meaning}${detail}; ${outcomeCure(outcome)} [${effectText(outcome)}]`;
}

function effectText({ stage, detail, effect }: Extract<Outcome, { status: "failed" }>): string {
  if (effect === "not-applied") return "not applied there";
  if (stage !== "reply") return "may have been applied there";
  return detail.startsWith("TOOLONG ") ? "applied there" : "recorded there, and may yet succeed";
}

/** What to do about a failure; of a refusal, by its code. */
export function outcomeCure({ stage, detail }: Extract<Outcome, { status: "failed" }>): string {
  const code = detail.split(":", 1)[0] ?? "";
  return (stage === "refused" ? REFUSAL_CURES[code] : undefined) ?? STAGES[stage].cure;
}

/** Characters of a value that a message shows. */
const MAX_SHOWN_CHARS = 80;

function show(value: unknown): string {
  const text =
    typeof value === "string"
      ? JSON.stringify(value)
      : Array.isArray(value)
        ? JSON.stringify(value)
        : String(value);
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text;
}
