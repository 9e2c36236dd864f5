/** One daemon's outcome of one call: inside, as bytes (`Report`); outside, as text (`Outcome`, in errors.ts). */
import { type ByteString, textOfBytes } from "../../protocol/byte-string.js";
import type { PlainValue } from "../../protocol/reply.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { Outcome, Stage } from "./errors.js";

/** `text`: the value. `php-dbsync`: what the original's driver hands to PHP, `redis:5:PONG`. */
export type Format = "text" | "php-dbsync";

/** `bytes`: text in which each character is a byte, for callers that write it as bytes. */
export type Form = Format | "bytes";

/**
 * An answer that is a value. `values`: one for each database of the daemon, empty for nil; in version 2 there is one,
 * and `reply` is the original reply (null: version 1). `at` is the clock's time in milliseconds.
 */
export interface Answer {
  readonly ok: true;
  readonly values: readonly ByteString[];
  readonly reply: PlainValue | null;
  /** Words separated by spaces. */
  readonly flags: ByteString;
  /** Whether the daemon speaks for its peers too: it is live, and has what they have. */
  readonly isForAll: boolean;
  readonly at: number;
}

/** `written`: whether it may have been applied there, or may yet be. */
export interface Failure {
  readonly ok: false;
  readonly stage: Stage;
  readonly detail: string;
  readonly written: boolean;
  readonly at: number;
  /** Flags of a command's own failure, as for an answer. */
  readonly flags?: ByteString;
}

export type Report = Answer | Failure;

/**
 * Whether a daemon had answered a later command on the same keys before this one. The two answers are inconsistent,
 * so this one does not count where daemons are to agree.
 */
export const isLate = ({ flags = "" }: Report): boolean => flags !== "" && flags.split(" ").includes("late");

/** Whether flags say that the daemon is missing writes that its peers have, as after a restart. */
export const isBehind = (flags: ByteString): boolean =>
  flags !== "" && flags.split(" ").includes("catching-up");

/** Whether flags say that a condition of the unit did not hold. */
export const isUnmet = (flags: ByteString): boolean => flags !== "" && flags.split(" ").includes("unmet");

/** The value handed to the caller: that of the daemon's first database; null for nil. */
export function valueText(values: readonly ByteString[], format: Form): string | null {
  const first = values[0];
  if (first === undefined) return null;
  if (format === "bytes") return first;
  return textOfBytes(format === "text" ? first : `redis:${first.length + 1}:${first}`);
}

/** @param of.isRead  whether the command changes nothing, wherever it arrives */
export function outcomeOf(
  report: Report,
  of: {
    readonly address: string;
    readonly startedAt: number;
    readonly format: Form;
    /** The form in which the caller wants the result. */
    readonly shape: string;
    readonly isRead: boolean;
  },
): Outcome {
  const { address, startedAt, shape, isRead } = of;
  // Those of an error are for people.
  const format = of.format === "bytes" && shape !== "outcomes" ? "text" : of.format;
  const ms = Math.max(0, report.at - startedAt);
  if (report.ok) {
    const bytes = shape === "outcomes" ? report.values : report.values.map(legible);
    const values = format === "bytes" ? bytes : bytes.map(textOfBytes);
    const version = report.reply === null ? 1 : 2;
    const flags = report.flags === "" ? [] : report.flags.split(" ");
    return { address, status: "ok", value: valueText(bytes, format), values, version, flags, ms };
  }
  const effect = report.written && !isRead ? "unknown" : "not-applied";
  return { address, status: "failed", stage: report.stage, detail: report.detail, effect, ms };
}

/** Returns the bytes, or hexadecimal digits where they are no text: writers, digests, numbers in binary. */
function legible(bytes: ByteString): ByteString {
  return textOfBytes(bytes).includes("\ufffd") ? `0x${hexOf(bytes)}` : bytes;
}

/** The text of the first error that a command replied. */
export function replyError(reports: readonly (Report | null)[]): string {
  for (const report of reports) if (report?.ok === false && report.stage === "reply") return report.detail;
  return "";
}
