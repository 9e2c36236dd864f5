/** Formats keys of the ring for users. */

import { formatHeadedTable, formatTable } from "../../net/terminal/table.js";
import { formatDate } from "../shared/dates.js";
import type { RingKey } from "./key-ring.js";

/** Hexadecimal digits of an id in a table: enough to name the key by. */
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

/** @param publicKey  PEM text */
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
    ["added by", key.addedBy ?? "the daemons were started with it"],
  ];
  return `${formatTable(rows)}${publicKey.trimEnd()}\n`;
}

/** Formats the state of a key; capitals make revoked keys easy to see. */
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
