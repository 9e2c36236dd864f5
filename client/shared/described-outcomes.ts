/**
 * Describes outcomes in sentences: each daemon's response to a call, and what to do about a failure. Web pages do not
 * load this (client/README.md).
 */

import { CONTROL_CHARACTERS } from "../../protocol/control-characters.js";
import { formatValue } from "./format-value.js";
import { STAGES } from "./sentences.js";

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
