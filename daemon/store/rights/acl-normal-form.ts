/**
 * Formats rules in the normal form of Redis (7.2): first the keys, then all commands or none, then the exceptions, with
 * each command or category once. Parsing the normal form yields rules with the same meaning.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Rule } from "./acl-rules.js";

/** The rules of one selector, or those outside all selectors. */
export interface NormalRules {
  /** For example `~a* %R~b`; empty if there are no keys. */
  readonly keys: ByteString;
  /** For example `-@all +@read -get`. */
  readonly commands: ByteString;
}

export function normalForm(rules: readonly Rule[]): NormalRules {
  return { keys: keysOf(rules), commands: commandsOf(rules) };
}

function keysOf(rules: readonly Rule[]): ByteString {
  const permissions = new Map<ByteString, { read: boolean; write: boolean }>();
  let isAll = false;
  for (const rule of rules) {
    if (rule.kind === "all-keys" || rule.kind === "reset-keys") {
      isAll = rule.kind === "all-keys";
      permissions.clear();
    } else if (rule.kind === "pattern") {
      const { glob, read, write } = rule.pattern;
      const before = permissions.get(glob);
      permissions.set(glob, { read: read || before?.read === true, write: write || before?.write === true });
    }
  }
  if (isAll) return "~*";
  return [...permissions]
    .map(([glob, { read, write }]) => `${read && write ? "" : read ? "%R" : "%W"}~${glob}`)
    .join(" ");
}

function commandsOf(rules: readonly Rule[]): ByteString {
  let base = "-@all";
  let others: ByteString[] = [];
  for (const rule of rules) {
    if (rule.kind === "all") {
      base = rule.allow ? "+@all" : "-@all";
      others = [];
    } else if (rule.kind === "category" || rule.kind === "command") {
      const name = rule.kind === "category" ? `@${rule.category}` : rule.name.toLowerCase();
      // A rule for a command also applies to its subcommands.
      others = others.filter((one) => one.slice(1) !== name && !one.slice(1).startsWith(`${name}|`));
      others.push((rule.allow ? "+" : "-") + name);
    }
  }
  return [base, ...others].join(" ");
}
