/**
 * The errors of the library: codes, and stages at which a daemon can fail. Their sentences, with what to do, are in
 * sentences.ts, those of refusals in refusal-cures.ts; no other file of client/ has such sentences, and
 * described-outcomes.ts combines them. A test compares these tables with the list in README.md.
 */
import { describeOutcomes } from "./described-outcomes.js";
import { CODES, type STAGES } from "./sentences.js";
import { shown } from "./shown.js";

export type ErrorCode = keyof typeof CODES;

/** All codes there are, for the test that compares them with README.md. */
export const ERROR_CODES: readonly string[] = Object.keys(CODES);

export type Stage = keyof typeof STAGES;

/**
 * One daemon's outcome of a call. `ms` is the time from the call to this outcome. `value` is null for nil. `values`
 * has one text for each database of the daemon, `value` being the first; in version 2 there is one. `flags`: what
 * version 2 says about the answer (`late`, `unmet`, `provisional`). `effect`: `not-applied` if it is certain that
 * this daemon has changed nothing, and will not; `unknown` if the command was written to it and its effect is not
 * known: also when it failed there and is recorded, because a write that comes late may change the cause.
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
      /** The observed cause: `ECONNREFUSED`, a refusal's `code: sentence`, the offset of a bad byte … May be empty. */
      readonly detail: string;
      readonly effect: "not-applied" | "unknown";
      readonly ms: number;
    };

/** The only error type of the library. `outcomes` is empty for errors found before anything was sent. */
export class DbsyncError extends Error {
  override readonly name = "DbsyncError";
  readonly code: ErrorCode;
  /** Name and first key of the command that failed, of `multi` of its first; never a value. null: it is about none, or in a page. */
  readonly command: string | null;
  readonly outcomes: readonly Outcome[];
  /** `not-applied`: no daemon has changed, or will change, anything. */
  readonly effect: "not-applied" | "unknown";

  constructor(
    code: ErrorCode,
    detail: string,
    extra: { outcomes?: readonly Outcome[]; isRead?: boolean; cause?: unknown; command?: string } = {},
  ) {
    const outcomes = extra.outcomes ?? [];
    const { command = "" } = extra;
    const what = command === "" ? CODES[code] : `${CODES[code]} (${command})`;
    const head = detail === "" ? what : `${what}: ${detail}`;
    // The daemon's text describes a command's own failure completely.
    const lines = code === "reply" ? [] : describeOutcomes(outcomes).map((line) => `\n  ${line}`);
    super(
      head + (lines.length > 0 ? `:${lines.join("")}` : ""),
      extra.cause === undefined ? {} : { cause: extra.cause },
    );
    this.code = code;
    this.command = command === "" ? null : command;
    this.outcomes = outcomes;
    const isUntouched = (outcome: Outcome) => outcome.status === "failed" && outcome.effect === "not-applied";
    // What was only read is answered, and has changed nothing.
    this.effect = extra.isRead === true || outcomes.every(isUntouched) ? "not-applied" : "unknown";
  }
}

/** An option with a value it cannot have. */
export function badOption(option: string, value: unknown, allowed: string): DbsyncError {
  return new DbsyncError("bad-option", `${option} is ${shown(value)}, allowed: ${allowed}`);
}

/** Returns a `badOption` for a value that no message may show. */
export function badSecret(option: string, allowed: string): DbsyncError {
  return new DbsyncError("bad-option", `${option} is of the wrong kind, allowed: ${allowed}`);
}

/** Returns the error of a call that version 1 cannot carry. */
export function needsVersion2(command: string): DbsyncError {
  const missing = "a daemon that speaks it, and no option that restricts that daemon to version 1";
  return new DbsyncError("bad-command", `it needs version 2 of the protocol, and that needs ${missing}`, {
    command,
  });
}

export function closedClient(by: "closed" | "reset", command: string): DbsyncError {
  return new DbsyncError(by, "it accepts no more commands: close it after the last one", { command });
}
