/**
 * The language of rules: Redis's ACL rules (7.0) for commands, categories, keys and channels, parsed strictly. acl.ts
 * defines the effect of each rule on a command. Passwords, `on`, `off` and `reset` are rejected, because they do not
 * apply to a signing key.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { didYouMean, nearestName } from "../../../protocol/nearest-name.js";
import { CommandFailure, echoed } from "../arguments/command-errors.js";
import { ABSENT_COMMANDS } from "../rows/absent-commands.js";
import type { CommandTable } from "../rows/command-row.js";
import type { KeyPattern } from "./patterns.js";

export type Rule = { readonly text: ByteString } & (
  | { readonly kind: "all"; readonly allow: boolean }
  | { readonly kind: "category"; readonly allow: boolean; readonly category: string }
  /** `name` is in upper case; the command need not be in the table. A container's name includes its subcommands. */
  | { readonly kind: "command"; readonly allow: boolean; readonly name: string }
  | { readonly kind: "pattern"; readonly pattern: KeyPattern }
  | { readonly kind: "all-keys" }
  | { readonly kind: "reset-keys" }
  /** A rule for channels. If `pattern` is null, it is for all channels. */
  | { readonly kind: "channel"; readonly pattern: ByteString | null }
  | { readonly kind: "reset-channels" }
  | { readonly kind: "selector"; readonly rules: readonly Rule[] }
  | { readonly kind: "clear-selectors" }
);

/** All categories of Redis 7.0, even those whose commands do not exist here yet, and dbsync's own categories. */
export const CATEGORIES: readonly string[] = [
  ...["keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog"],
  ...["geo", "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection"],
  ...["transaction", "scripting", "dbsync", "document", "sql", "mongo"],
];

/** The error for a selector without an end. */
export const UNCLOSED = "its parenthesis is not closed";

/** Maximum number of rules of one key, including those in selectors. */
const RULES_MAX = 128;
const RULES_BYTES_MAX = 8192;

/** Redis's errors for invalid rules. */
export const RULE_MISTAKES = {
  unknown: "Unknown command or category name in ACL",
  syntax: "Syntax error",
  pattern:
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to " +
    "start with an empty list of patterns",
  channel:
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try " +
    "'resetchannels' to start with an empty list of channels",
  argument: "Allowing first-arg of a subcommand is not supported",
  password: "The password you are trying to remove from the user does not exist",
  hash: "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters",
} as const;

/** An invalid rule. The message says how to correct it; Redis clients receive Redis's wording. */
export class WrongRule extends CommandFailure {
  /** The invalid rule: its complete word, or the complete selector that contains it. */
  readonly modifier: ByteString;
  readonly problem: string;
  /** The key of Redis's wording in RULE_MISTAKES, or null if Redis accepts the rule or has no wording for the error. */
  readonly mistake: keyof typeof RULE_MISTAKES | null;

  constructor(text: string, modifier: ByteString, problem: string, mistake: WrongRule["mistake"]) {
    super(`ERR ${text}`);
    this.problem = problem;
    this.mistake = mistake;
    this.modifier = modifier;
  }
}

const wrongRule = (text: ByteString, problem: string, mistake: WrongRule["mistake"] = "syntax") =>
  new WrongRule(`rule '${echoed(text)}': ${problem}`, text, problem, mistake);

/**
 * Parses rules from left to right.
 * @param texts each contains one or more rules, separated by spaces; a selector may extend over several texts
 * @throws CommandFailure that names the first invalid rule
 */
export function parseRules(texts: readonly ByteString[], table: CommandTable): Rule[] {
  const text = texts.join(" ");
  if (text.length > RULES_BYTES_MAX)
    throw new CommandFailure(`ERR rules of ${text.length} bytes, above ${RULES_BYTES_MAX}`);
  // Redis's patterns cannot contain white space either.
  if (/[\0-\x1f\x7f]/.test(text)) throw wrongRule(text, "a rule cannot contain control characters");
  const words = text.split(" ").filter((word) => word !== "");
  if (words.length > RULES_MAX) throw new CommandFailure(`ERR ${words.length} rules, above ${RULES_MAX}`);
  const rules = groupSelectors(words).map((group) =>
    typeof group === "string" ? parseRule(group, table) : parseSelector(group, table),
  );
  checkPatterns(rules);
  return rules;
}

/** Returns each word outside selectors, and for each selector a list of its words without the parentheses. */
function groupSelectors(words: readonly ByteString[]): (ByteString | readonly ByteString[])[] {
  const groups: (ByteString | readonly ByteString[])[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as ByteString;
    if (!word.startsWith("(")) {
      groups.push(word);
      continue;
    }

    const start = i;
    while (i < words.length && !words[i]?.endsWith(")")) i++;
    if (i === words.length) throw wrongRule(word, UNCLOSED, null);

    const inside = words
      .slice(start, i + 1)
      .join(" ")
      .slice(1, -1);
    groups.push(inside.split(" ").filter((part) => part !== ""));
  }

  return groups;
}

function parseSelector(words: readonly ByteString[], table: CommandTable): Rule {
  try {
    return selectorOf(words, table);
  } catch (failure) {
    if (!(failure instanceof WrongRule)) throw failure;
    const { problem, mistake, message } = failure;
    throw new WrongRule(message.replace(/^ERR /, ""), `(${words.join(" ")})`, problem, mistake);
  }
}

function selectorOf(words: readonly ByteString[], table: CommandTable): Rule {
  const rules = words.map((word) => {
    if (word.startsWith("(")) throw wrongRule(word, "a selector cannot contain a selector");
    const rule = parseRule(word, table);
    if (rule.kind === "clear-selectors" || rule.kind === "channel" || rule.kind === "reset-channels")
      throw wrongRule(word, "is not permitted in a selector");
    return rule;
  });
  checkPatterns(rules);
  return { kind: "selector", text: `(${words.join(" ")})`, rules };
}

function parseRule(text: ByteString, table: CommandTable): Rule {
  switch (text.toLowerCase()) {
    case "allcommands":
      return { kind: "all", text, allow: true };
    case "nocommands":
      return { kind: "all", text, allow: false };
    case "allkeys":
    case "~*":
      return { kind: "all-keys", text };
    case "resetkeys":
      return { kind: "reset-keys", text };
    case "allchannels":
    case "&*":
      return { kind: "channel", text, pattern: null };
    case "resetchannels":
      return { kind: "reset-channels", text };
    case "clearselectors":
      return { kind: "clear-selectors", text };
  }

  switch (text[0]) {
    case "+":
    case "-":
      return parseCommandRule(text, table);
    case "~":
      return { kind: "pattern", text, pattern: { read: true, write: true, glob: text.slice(1) } };
    case "%":
      return parsePermissionRule(text);
    case "&":
      return { kind: "channel", text, pattern: text.slice(1) };
  }

  if (/^([<>#!]|on$|off$|(no|reset)pass$|reset$|(skip-)?sanitize-payload$)/i.test(text)) {
    throw wrongRule(text, "passwords and switches of users do not apply to keys; KEY REVOKE revokes a key");
  }
  throw wrongRule(text, "unknown; rules begin with + - ~ % & or (, or are words such as allkeys");
}

function parseCommandRule(text: ByteString, table: CommandTable): Rule {
  const allow = text[0] === "+";
  if (text[1] === "@") {
    const category = text.slice(2).toLowerCase();
    if (category === "all") return { kind: "all", text, allow };
    if (!CATEGORIES.includes(category)) throw wrongRule(text, noSuchCategory(category), "unknown");
    return { kind: "category", text, allow, category };
  }

  const name = text.slice(1).toUpperCase();
  if (table.find(name) !== undefined || ABSENT_COMMANDS.has(name))
    return { kind: "command", text, allow, name };

  const [container = ""] = name.split("|");
  if (name.includes("|") && (table.find(container) !== undefined || ABSENT_COMMANDS.has(container))) {
    const isOfContainer = (one: string) => one.startsWith(`${container}|`);
    const hasSubcommands =
      table.all().some((command) => isOfContainer(command.name)) || [...ABSENT_COMMANDS].some(isOfContainer);
    const mistake = name.split("|").length > 2 ? "argument" : hasSubcommands ? "unknown" : null;
    throw wrongRule(
      text,
      `${container} has no such subcommand, and first arguments are not distinguished`,
      mistake,
    );
  }

  const nearest = nearestName(
    name,
    table.all().map((command) => command.name),
  );
  const suggestion = nearest === null ? "" : `; did you mean ${nearest}?`;
  throw wrongRule(text, `there is no such command${suggestion}`, "unknown");
}

/** Returns the problem of a rule with an unknown category. */
function noSuchCategory(category: string): string {
  const suggestion = didYouMean(category, CATEGORIES);
  return `there is no such category; ${suggestion}the categories are all, ${CATEGORIES.join(", ")}`;
}

/** `%R~pattern`, `%W~pattern`, `%RW~pattern`. */
function parsePermissionRule(text: ByteString): Rule {
  const [, letters, glob] = /^%(r|w|rw|wr)~(.*)$/i.exec(text) ?? [];
  if (letters === undefined || glob === undefined)
    throw wrongRule(text, "expected %R~pattern, %W~pattern or %RW~pattern");
  const read = /r/i.test(letters);
  const write = /w/i.test(letters);
  return { kind: "pattern", text, pattern: { read, write, glob } };
}

/** Rejects a pattern after "all keys" or "all channels": it looks like a restriction but has no effect. */
function checkPatterns(rules: readonly Rule[]): void {
  let allKeys: Rule | null = null;
  let allChannels: Rule | null = null;
  for (const rule of rules) {
    if (rule.kind === "all-keys") allKeys = rule;
    else if (rule.kind === "reset-keys") allKeys = null;
    else if (rule.kind === "reset-channels") allChannels = null;
    else if (rule.kind === "channel" && rule.pattern === null) allChannels = rule;
    else if (rule.kind === "channel" && allChannels !== null) {
      const problem = `after ${allChannels.text} it has no effect; resetchannels revokes that`;
      throw wrongRule(rule.text, problem, "channel");
    } else if (rule.kind === "pattern" && allKeys !== null) {
      throw wrongRule(rule.text, `after ${allKeys.text} it has no effect; resetkeys revokes that`, "pattern");
    }
  }
}

/** The rules of one selector, or those outside all selectors. */
export interface NormalRules {
  /** For example `~a* %R~b`; empty if there are no keys. */
  readonly keys: ByteString;
  /** For example `-@all +@read -get`. */
  readonly commands: ByteString;
}

/**
 * Formats rules in the normal form of Redis (7.2): first the keys, then all commands or none, then the exceptions, with
 * each command or category once. Parsing the normal form yields rules with the same meaning.
 */
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
