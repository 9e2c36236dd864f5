/**
 * The errors of the library: their codes, and the stages at which a daemon can fail. Their sentences and remedies are
 * in sentences.ts, which also combines them; a refusal has its text from the daemon. No other file of client/ contains
 * such sentences. A test compares these tables with the list in README.md.
 */

import { formatValue } from "./format-value.js";
import { AFTER_CLOSE, appliedNote, CODES, describeOutcomes, type STAGES } from "./sentences.js";

export type ErrorCode = keyof typeof CODES;

/** All codes, for the test that compares them with README.md. */
export const ERROR_CODES: readonly string[] = Object.keys(CODES);

export type Stage = keyof typeof STAGES;

/**
 * One daemon's outcome of a call. `ms` is the time from the call to this outcome. `value` is null for nil. `values`
 * has one text for each database of the daemon, and `value` is the first; in version 2 there is one. `flags` contains
 * what version 2 reports about the answer (`late`, `unmet`, `provisional`). `effect` is `not-applied` if this daemon
 * has certainly changed nothing, and will not; it is `unknown` if the command was sent and its effect is not known.
 * The latter includes a command that failed and is recorded, because a late write may remove the cause.
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
      /**
       * The observed cause, such as `ECONNREFUSED`, a refusal's `code: sentence`, or the offset of a bad byte. May be
       * empty.
       */
      readonly detail: string;
      readonly effect: "not-applied" | "unknown";
      readonly ms: number;
    };

/** The only error type of the library. `outcomes` is empty for errors found before anything was sent. */
export class DbsyncError extends Error {
  override readonly name = "DbsyncError";
  readonly code: ErrorCode;
  /**
   * The name and first key, never a value, of the failed command (for `multi`, of the first one). It is null if the
   * error concerns no command or occurred in a web page.
   */
  readonly command: string | null;
  readonly outcomes: readonly Outcome[];
  /** `not-applied` if no daemon has changed or will change anything; otherwise `unknown`. */
  readonly effect: "not-applied" | "unknown";

  constructor(
    code: ErrorCode,
    detail: string,
    extra: { outcomes?: readonly Outcome[]; isRead?: boolean; cause?: unknown; command?: string } = {},
  ) {
    const outcomes = extra.outcomes ?? [];
    const { command = "" } = extra;
    const title = command === "" ? CODES[code] : `${CODES[code]} (${command})`;
    const head = detail === "" ? title : `${title}: ${detail}`;

    // The daemon's text describes the failure of a command completely.
    const described = [...describeOutcomes(outcomes), ...appliedNote(outcomes, extra.isRead === true)];
    const lines = code === "reply" ? [] : described.map((line) => `\n  ${line}`);

    super(
      head + (lines.length > 0 ? `:${lines.join("")}` : ""),
      extra.cause === undefined ? {} : { cause: extra.cause },
    );

    this.code = code;
    this.command = command === "" ? null : command;
    this.outcomes = outcomes;
    const isUntouched = (outcome: Outcome) => outcome.status === "failed" && outcome.effect === "not-applied";
    // A read changes nothing, even if daemons have answered it.
    this.effect = extra.isRead === true || outcomes.every(isUntouched) ? "not-applied" : "unknown";
  }
}

/** Returns the error about an invalid value of an option. */
export function badOption(option: string, value: unknown, allowed: string, cause?: unknown): DbsyncError {
  return new DbsyncError("bad-option", `${option} is ${formatValue(value)}, allowed: ${allowed}`, { cause });
}

/** Returns the error about an invalid value that messages must not show. */
export function badSecret(option: string, allowed: string): DbsyncError {
  return new DbsyncError("bad-option", `${option} has the wrong type, allowed: ${allowed}`);
}

/** Returns the error of a call that version 1 does not support. */
export function needsVersion2(command: string): DbsyncError {
  const missing = "a daemon that speaks it, and no option that restricts that daemon to version 1";
  return new DbsyncError("bad-command", `it requires version 2 of the protocol, and thus ${missing}`, {
    command,
  });
}

/** Returns the error of a call whose signal was aborted before any daemon received the call. */
export function abortedCall({ reason }: AbortSignal, command: string): DbsyncError {
  return new DbsyncError("aborted", abortDetail(reason), { command, cause: reason });
}

/** Returns the text of a signal's reason, which may be any value. */
export const abortDetail = (reason: unknown): string => (reason instanceof Error ? reason.message : "");

export function closedClient(by: "closed" | "reset", command: string): DbsyncError {
  return new DbsyncError(by, AFTER_CLOSE, { command });
}
