/** Formats the keys of a key ring as text. */

import { DbsyncError, type Outcome } from "../../../client/shared/errors.js";
import { shownLines } from "../../../daemon/net/terminal/terminal-text.js";
import { formatHeadedTable, formatTable } from "../../../daemon/net/terminal/text-table.js";
import { formatDate } from "../shared/date-text.js";
import { EXIT } from "../shared/exit-codes.js";
import { outcomeLine, printJson, printLine } from "../shared/output.js";
import type { DaemonRing, RingKey } from "./fetch-key-rings.js";

/** Number of hexadecimal digits of an id in a table, enough to identify the key. */
const SHORT_DIGITS = 16;

export function formatKeys(keys: readonly RingKey[]): string {
  const head = ["ID", "LABEL", "ROLE", "KIND", "STATE", "VALID", "RATE", "RULES"];
  const rows = keys.map((key) => [
    key.id.slice(0, SHORT_DIGITS),
    key.label || "-",
    key.role,
    kindOf(key),
    stateOf(key),
    validityOf(key),
    key.rate === 0 ? "-" : `${key.rate}/s`,
    key.rules.join(" "),
  ]);
  return formatHeadedTable([head, ...rows], (row) => (keys[row]?.revoked == null ? "plain" : "bad"));
}

/** Formats one key in full. @param publicKey  PEM text */
export function formatKey(key: RingKey, publicKey: string): string {
  const rows = [
    ["id", key.id],
    ["label", key.label || "-"],
    ["role", key.role],
    ["kind", kindOf(key)],
    ["state", stateOf(key)],
    ["valid", validityOf(key)],
    ["rate", key.rate === 0 ? "no limit" : `${key.rate} envelopes a second`],
    ["rules", key.rules.join(" ")],
    ["added by", key.addedBy ?? "the options of the daemons"],
  ];
  return `${formatTable(rows)}${shownLines(publicKey.trimEnd())}\n`;
}

/** Formats the state of a key, with capitals for revoked keys. */
function stateOf({ state, revoked }: RingKey): string {
  return revoked === null ? state : `REVOKED ${formatDate(revoked)}`;
}

function kindOf({ algorithm, bits }: RingKey): string {
  return algorithm === "rsa" ? `rsa ${bits}` : algorithm;
}

function validityOf({ from, until }: RingKey): string {
  if (from === null) return until === null ? "always" : `to ${formatDate(until)}`;
  return until === null ? `from ${formatDate(from)}` : `${formatDate(from)} to ${formatDate(until)}`;
}

/** The beginning of the error for an envelope that the daemon already has. */
const ALREADY_APPLIED = "answer-not-kept:";

/** Prints the outcome of a change. @throws DbsyncError  no daemon has applied it */
export function reportKeyChange(
  flags: { readonly json?: boolean },
  outcomes: readonly Outcome[],
  done: (value: string) => string,
): void {
  const first = outcomes.find(({ status }) => status === "ok");
  // A daemon may have received the envelope from a peer and restarted before the client's copy arrived.
  const isApplied = (outcome: Outcome) =>
    first !== undefined && outcome.status === "failed" && outcome.detail.startsWith(ALREADY_APPLIED);
  const failed = outcomes.filter(
    (outcome): outcome is Extract<Outcome, { status: "failed" }> =>
      outcome.status === "failed" && !isApplied(outcome),
  );
  if (failed.length === outcomes.length) {
    if (!failed.every(({ stage }) => stage === "reply"))
      throw new DbsyncError("all-failed", "", { outcomes });
    const isSame = new Set(failed.map(({ detail }) => detail)).size === 1;
    const details = isSame
      ? failed[0]?.detail
      : failed.map(({ address, detail }) => `${address}: ${detail}`).join("; ");
    throw new DbsyncError("reply", details ?? "", { outcomes });
  }
  if (flags.json) printJson({ done: failed.length === 0, outcomes });
  else if (failed.length === 0) {
    const value = first?.status === "ok" ? (first.value ?? "") : "";
    printLine(`${done(value)}${outcomes.length > 1 ? `, on all ${outcomes.length} daemons` : ""}`);
  } else {
    for (const outcome of outcomes) printLine(outcomeLine(outcome));
    const denied = failed.filter(({ stage }) => stage === "reply").map(({ address }) => address);
    printLine(
      denied.length === 0
        ? "Not all daemons made the change. You may repeat the command: the other daemons ignore the repetition."
        : `Not all daemons made the change: ${denied.join(", ")} refused it, and would refuse it again. dbsync keys list shows the differences.`,
    );
  }
  if (failed.length > 0) process.exitCode = EXIT.failed;
}

interface KeyDifference {
  readonly id: string;
  readonly label: string;
  /** Addresses of the daemons that do not know the key. */
  readonly missingOn: readonly string[];
  /** The fields that differ between the remaining daemons, with their values; empty if no field differs. */
  readonly held: readonly { readonly address: string; readonly differing: Partial<RingKey> }[];
}

/**
 * Finds differences between the key rings of daemons: keys that are missing from a daemon, and keys whose fields
 * differ. Returns the keys that some daemons do not know, or that have different fields on different daemons.
 */
export function differencesOf(rings: readonly DaemonRing[]): KeyDifference[] {
  const ids = new Set(rings.flatMap(({ keys }) => keys.map(({ id }) => id)));
  return [...ids].flatMap((id) => {
    const records = rings.map(({ address, keys }) => ({ address, key: keys.find((key) => key.id === id) }));
    const holders = records.flatMap(({ address, key }) => (key === undefined ? [] : [{ address, key }]));
    const missingOn = records.filter(({ key }) => key === undefined).map(({ address }) => address);
    const names = differingNames(holders.map(({ key }) => key));
    if (missingOn.length === 0 && names.length === 0) return [];
    const held =
      names.length === 0
        ? []
        : holders.map(({ address, key }) => ({ address, differing: pickFields(key, names) }));
    return [{ id, label: holders[0]?.key.label ?? "", missingOn, held }];
  });
}

/** Formats differences as lines for a terminal. */
export function differenceLines(differences: readonly KeyDifference[]): string[] {
  return differences.flatMap(({ id, label, missingOn, held }) => {
    const key = `${id.slice(0, 16)}${label === "" ? "" : ` (${label})`}`;
    const lines = missingOn.length === 0 ? [] : [`${key}: unknown to ${missingOn.join(", ")}`];
    for (const { address, differing } of held) {
      const fields = Object.entries(differing).map(([name, value]) => `${name} ${shown(value)}`);
      lines.push(`${key}: on ${address} ${fields.join(", ")}`);
    }
    return lines;
  });
}

function differingNames([first, ...remaining]: readonly RingKey[]): (keyof RingKey)[] {
  if (first === undefined) return [];
  const text = (key: RingKey, name: keyof RingKey) => JSON.stringify(key[name]);
  return (Object.keys(first) as (keyof RingKey)[]).filter((name) =>
    remaining.some((other) => text(other, name) !== text(first, name)),
  );
}

function pickFields(key: RingKey, names: readonly (keyof RingKey)[]): Partial<RingKey> {
  return Object.fromEntries(names.map((name) => [name, key[name]]));
}

function shown(value: unknown): string {
  return Array.isArray(value) ? value.join(" ") : String(value ?? "none");
}
