/** Formats the keys of a key ring as text. */

import { shownLines } from "../../../daemon/net/terminal/escaped-text.js";
import { formatHeadedTable, formatTable } from "../../../daemon/net/terminal/text-table.js";
import { formatDate } from "../shared/date-text.js";
import type { RingKey } from "./fetch-key-rings.js";

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
