/** Describes outcomes in sentences: what each daemon did with a call, and what to do about a failure. Pages do not load this (decision 23). */
import { REFUSAL_CURES } from "./refusal-cures.js";
import { STAGES } from "./sentences.js";
import { shown } from "./shown.js";

/** Control characters, which a daemon must not write to terminals and logs. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/** The part of an `Outcome` that is described. */
type Told = { readonly address: string } & (
  | { readonly status: "ok"; readonly value: string | null }
  | Failed
);

interface Failed {
  readonly status: "failed";
  readonly stage: keyof typeof STAGES;
  readonly detail: string;
  readonly effect: "not-applied" | "unknown";
}

/** One line for each kind of outcome, with the names of all daemons that had it. */
export function describeOutcomes(outcomes: readonly Told[]): string[] {
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
export function describeOutcome(outcome: Told): string {
  return `${outcome.address}: ${describeWithoutAddress(outcome)}`;
}

function describeWithoutAddress(outcome: Told): string {
  if (outcome.status === "ok")
    return `answered ${outcome.value === null ? "nil" : shown(outcome.value).replace(CONTROL, "?")}`;
  const { meaning } = STAGES[outcome.stage];
  const detail = outcome.detail === "" ? "" : ` (${outcome.detail.replace(CONTROL, "?")})`;
  return `${outcome.stage}: ${meaning}${detail}; ${outcomeCure(outcome)} [${effectText(outcome)}]`;
}

function effectText({ stage, detail, effect }: Omit<Failed, "status">): string {
  if (effect === "not-applied") return "not applied there";
  if (stage !== "reply") return "may have been applied there";
  return detail.startsWith("TOOLONG ") ? "applied there" : "recorded there, and may yet succeed";
}

/** Returns what to do about a failure; for a refusal, by its code. */
export function outcomeCure({ stage, detail }: Omit<Failed, "status">): string {
  const code = detail.split(":", 1)[0] ?? "";
  const isRefused = stage === "refused" || (stage === "lost" && Object.hasOwn(REFUSAL_CURES, code));
  return (isRefused ? REFUSAL_CURES[code] : undefined) ?? STAGES[stage].cure;
}
