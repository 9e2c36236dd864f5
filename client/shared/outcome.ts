/** One daemon's outcome of one call: internally as bytes (`Report`), for callers as text (`Outcome`, in errors.ts). */
import { type ByteString, textOfBytes } from "../../protocol/byte-string.js";
import type { PlainValue } from "../../protocol/reply.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { Outcome, Stage } from "./errors.js";

/**
 * The format of a result. `text`: the value. `php-dbsync`: the text that the original driver returns to PHP,
 * `redis:5:PONG`.
 */
export type Format = "text" | "php-dbsync";

/** A format, or `bytes`: text in which each character is a byte, for callers that write it as bytes. */
export type Form = Format | "bytes";

/**
 * A successful answer. `values` has one value for each database of the daemon, and is empty for nil. In version 2 there
 * is one value, and `reply` is the original reply; in version 1 it is null. `at` is the time of the answer by the
 * client's monotonic clock, in milliseconds.
 */
export interface Answer {
  readonly ok: true;
  readonly values: readonly ByteString[];
  readonly reply: PlainValue | null;
  /** The flags, separated by spaces. */
  readonly flags: ByteString;
  /** Whether the answer is also valid for the daemon's peers, because the daemon is live and has all of their data. */
  readonly isForAll: boolean;
  readonly at: number;
}

/** A failure. `written`: whether the daemon may have applied the command or may still apply it. */
export interface Failure {
  readonly ok: false;
  readonly stage: Stage;
  readonly detail: string;
  readonly written: boolean;
  readonly at: number;
  /** The flags of the daemon's answer, if the command itself failed. */
  readonly flags?: ByteString;
}

export type Report = Answer | Failure;

/**
 * Whether the daemon had already answered a later command on the same keys. The daemon's answers then contradict the
 * order of the commands, so this answer does not count as agreement.
 */
export const isLate = ({ flags = "" }: Report): boolean => hasFlag(flags, "late");

/** Whether flags say that the daemon is missing writes that its peers have, for example after a restart. */
export const isCatchingUp = (flags: ByteString): boolean => hasFlag(flags, "catching-up");

/** Whether flags say that a condition of the unit did not hold. */
export const hasFailedCondition = (flags: ByteString): boolean => hasFlag(flags, "unmet");

/** Whether flags say that the members have decided on the position of a unit without a request of its client. */
export const isPlaced = (flags: ByteString): boolean => hasFlag(flags, "placed");

/** Whether flags contain one of them. Most answers have none. */
const hasFlag = (flags: ByteString, flag: ByteString): boolean =>
  flags !== "" && flags.split(" ").includes(flag);

/** Returns the value for the caller, that of the daemon's first database; null for nil. */
export function valueText(values: readonly ByteString[], format: Form): string | null {
  const first = values[0];
  if (first === undefined) return null;
  if (format === "bytes") return first;
  return textOfBytes(format === "text" ? first : `redis:${first.length + 1}:${first}`);
}

/** Converts a report for the caller. @param of.isRead  whether the command only reads */
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
  // People read the outcomes of an error, so they are text even if the caller requests bytes.
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

/** Returns the bytes; if they are not text, such as writers, digests and binary numbers, returns hexadecimal digits. */
function legible(bytes: ByteString): ByteString {
  return textOfBytes(bytes).includes("\ufffd") ? `0x${hexOf(bytes)}` : bytes;
}

/** Returns the text of the first command error, or "" if there is none. */
export function replyError(reports: readonly (Report | null)[]): string {
  for (const report of reports) if (report?.ok === false && report.stage === "reply") return report.detail;
  return "";
}
