/**
 * What one daemon made of one call: inside, as bytes (`Report`); outside, as text (`Outcome`, in errors.ts).
 */
import { type ByteString, textOfBytes } from "../protocol/byte-string.js";
import type { Outcome, Stage } from "./errors.js";

/** `text`: the value. `php-dbsync`: what the original's driver hands to PHP, `redis:5:PONG`. */
export type Format = "text" | "php-dbsync";

/**
 * `at` is the clock's time in milliseconds. `values`: one for each database behind the daemon, empty for nil.
 */
export type Report =
  | { readonly ok: true; readonly values: readonly ByteString[]; readonly at: number }
  | {
      readonly ok: false;
      readonly stage: Stage;
      readonly detail: string;
      readonly written: boolean;
      readonly at: number;
    };

/** The value handed to the caller: that of the daemon's first database; null for nil. */
export function valueText(values: readonly ByteString[], format: Format): string | null {
  const first = values[0];
  if (first === undefined) return null;
  return textOfBytes(format === "text" ? first : `redis:${first.length + 1}:${first}`);
}

export function outcomeOf(report: Report, address: string, startedAt: number, format: Format): Outcome {
  const ms = Math.max(0, report.at - startedAt);
  if (report.ok) {
    const values = report.values.map(textOfBytes);
    return { address, status: "ok", value: valueText(report.values, format), values, ms };
  }
  const effect = report.written ? "unknown" : "not-applied";
  return { address, status: "failed", stage: report.stage, detail: report.detail, effect, ms };
}
