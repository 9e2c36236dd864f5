/**
 * Decides what the rules of one key permit, as Redis 7 does. The last matching rule for a command applies; keys are
 * matched by patterns, one of which must grant the complete permission; a selector is an additional set of rules, and
 * one set must permit a command with all its keys. Source: redis-server 7.0, test/daemon/store/rights/acl.test.ts.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { echoed } from "../arguments/command-errors.js";
import { ABSENT_COMMANDS, administers } from "../rows/absent-commands.js";
import { type Command, type CommandTable, categoriesOf } from "../rows/command-row.js";
import { type Permission, permissionFor, type Touch, touchesOf } from "../rows/key-spec.js";
import { type NormalRules, normalForm, parseRules, type Rule } from "./acl-rules.js";
import { allows, allowsAll, allowsBeginning, forbiddenChannel, type KeyPattern } from "./patterns.js";

const VERBS: Readonly<Record<Permission, string>> = {
  "": "touch",
  R: "read",
  W: "write",
  RW: "read and write",
};

/**
 * The part of a command that is not permitted: the command itself, one of its keys or one of its channels. The key `*`
 * means a complete database.
 */
export type AclRefusal =
  | { readonly what: "command" }
  | { readonly what: "key"; readonly key: ByteString }
  | { readonly what: "channel"; readonly channel: ByteString };

const WHOLE_COMMAND: AclRefusal = { what: "command" };

export class Acl {
  /** The original texts of the rules, one each. */
  readonly rules: readonly ByteString[];
  /** Whether everything is permitted, including commands that the table does not know. */
  readonly isUnlimited: boolean;
  /** Whether one of the sets permits reading the history of all keys. */
  readonly mayReadAll: boolean;
  /**
   * Patterns of the channels that the key may use, if a rule names channels; null means all channels, and undefined
   * that no rule names channels.
   */
  readonly #channels: readonly ByteString[] | null | undefined;
  /** The parsed rules; those outside all selectors are first. */
  readonly #rules: readonly (readonly Rule[])[];
  /** The sets made from `#rules`, in the same order. */
  readonly #sets: readonly RuleSet[];

  /** @throws CommandFailure that names the first invalid rule */
  constructor(texts: readonly ByteString[], table: CommandTable) {
    const rules = parseRules(texts, table);
    this.rules = rules.map(({ text }) => text);
    const outside = rules.filter(({ kind }) => kind !== "selector" && kind !== "clear-selectors");
    const cleared = rules.findLastIndex(({ kind }) => kind === "clear-selectors");
    const selectors = rules
      .slice(cleared + 1)
      .flatMap((rule) => (rule.kind === "selector" ? [rule.rules] : []));
    this.#rules = [outside, ...selectors];
    this.#sets = this.#rules.map((set) => new RuleSet(set, table));
    this.#channels = channelsOf(rules);
    this.isUnlimited = this.#channels == null && this.#sets.some((set) => set.isUnlimited);
    const blame = table.find("TIMELINE|BLAME");
    this.mayReadAll =
      blame !== undefined && this.#sets.some((set) => set.readsAll && set.permitsCommand(blame));
  }

  /** The effect of the rules in Redis's form; those outside all selectors are first, followed by each selector. */
  get normalForm(): readonly NormalRules[] {
    return this.#rules.map(normalForm);
  }

  /** Returns the part of a command that is not permitted, or null if the command is permitted. */
  refusal(command: Command, argv: readonly ByteString[]): AclRefusal | null {
    for (const set of this.#sets) if (set.permits(command, argv)) return null;
    const { touch } = this.#closest(command, argv);
    return touch === undefined
      ? WHOLE_COMMAND
      : { what: "key", key: touch.key ?? `${touch.beginning ?? ""}*` };
  }

  /** Returns why a command is not permitted, as a continuation of "this key may not ", or null if it is permitted. */
  denial(command: Command, argv: readonly ByteString[]): string | null {
    for (const set of this.#sets) if (set.permits(command, argv)) return null;
    const { set, touch } = this.#closest(command, argv);
    return set.denial(command, touch);
  }

  /**
   * Returns the set that comes closest to permitting a command that no set permits, and the key that it rejects first;
   * undefined: it rejects the command. As in Redis, the closest set is the one whose rejected key comes last in the
   * arguments; among equals, the first set.
   */
  #closest(command: Command, argv: readonly ByteString[]): Closest {
    const touches = touchesOf(command.keys, argv);
    let [closest, last] = [this.#sets[0] as RuleSet, -1];
    for (const set of this.#sets) {
      if (!set.permitsCommand(command)) continue;
      const rejected = touches.findIndex((touch) => !set.permitsTouch(touch));
      if (rejected > last) [closest, last] = [set, rejected];
    }
    return { set: closest, touch: touches[last] };
  }

  /**
   * Returns why the channels that a command names are not permitted, or null if they are permitted. Rules that name no
   * channels, such as those from before rules could name channels, permit all channels to users that may access all
   * keys, and no channels to other users.
   */
  channelDenial(command: Command, argv: readonly ByteString[]): string | null {
    const isOpen =
      this.#channels === undefined && this.#sets.some((set) => set.touchesAll && set.permitsCommand(command));
    if (this.#channels === null || isOpen) return null;
    const channel = forbiddenChannel(this.#channels ?? [], command, argv);
    return channel === null ? null : `use channel '${echoed(channel)}': no rule allows it`;
  }

  /**
   * Returns why a command that is not in the table is not permitted, or null if it is permitted.
   * @param name the command's name
   */
  foreignDenial(name: ByteString): string | null {
    if (this.#sets.some((set) => set.permitsForeign(name))) return null;
    const rule =
      this.#sets[0]?.ruleAgainstForeign(name) ??
      (administers(name) ? this.#sets[0]?.ruleAgainstAdministration : undefined);
    const unknown = administers(name) ? "it administers" : "its keys are not known here";
    const reason =
      rule === undefined ? `${unknown}, and not all commands are allowed` : `rule ${echoed(rule)} denies it`;
    return `run '${echoed(name)}': ${reason}`;
  }

  /** Whether a set permits reading all keys with a common beginning. */
  mayReadBeginning(beginning: ByteString): boolean {
    return this.#sets.some((set) => set.permitsTouch({ db: null, key: null, beginning, access: "read" }));
  }

  /** Whether a set permits reading a key. The keys of conditions (`if`) require this permission. */
  mayRead(key: ByteString): boolean {
    return this.#sets.some((set) => set.permitsKey(key, "R"));
  }
}

type CommandRule = Extract<Rule, { kind: "all" | "category" | "command" }>;

/**
 * The permission for commands that are not in the table. Such a command may belong to any category, except that the
 * commands of `admin` are known by name (rows/absent-commands.ts).
 */
type Foreign = "none" | "all" | "all but admin";

/** The categories that include every administrative command. */
const ADMINISTERING_CATEGORIES: ReadonlySet<string> = new Set(["admin", "dangerous"]);

interface Verdict {
  readonly allow: boolean;
  /** The last rule that applies to the command. */
  readonly rule: ByteString;
}

/** The set that comes closest to permitting a command, and the key that it rejects; undefined: the command. */
interface Closest {
  readonly set: RuleSet;
  readonly touch: Touch | undefined;
}

/** The rules of one selector, or those outside all selectors. */
class RuleSet {
  readonly isUnlimited: boolean;
  readonly #verdicts = new Map<Command, Verdict>();
  #patterns: KeyPattern[] = [];
  #allKeys = false;
  #foreign: Foreign = "none";
  /** Verdicts of rules that name commands. */
  readonly #named = new Map<ByteString, Verdict>();
  /** The last rule that denies administrative commands. It applies to those that are not in the table. */
  ruleAgainstAdministration: ByteString | undefined;

  constructor(rules: readonly Rule[], table: CommandTable) {
    for (const rule of rules) this.#add(rule, table);
    const last = rules.findLast(({ kind }) => kind === "all" || kind === "category" || kind === "command");
    this.isUnlimited = this.#allKeys && last?.kind === "all" && last.allow;
  }

  permitsCommand(command: Command): boolean {
    // As in Redis, commands that are available before a login are permitted to all users.
    return this.#verdicts.get(command)?.allow === true || command.flags.includes("no_auth");
  }

  permits(command: Command, argv: readonly ByteString[]): boolean {
    if (!this.permitsCommand(command)) return false;
    return this.#allKeys || touchesOf(command.keys, argv).every((touch) => this.permitsTouch(touch));
  }

  permitsForeign(name: ByteString): boolean {
    if (!this.#allKeys) return false;
    const verdict = this.#named.get(name.toUpperCase());
    if (verdict !== undefined) return verdict.allow;
    return this.#foreign === "all" || (this.#foreign === "all but admin" && !administers(name));
  }

  /** Returns the rule that names a command that is not in the table and denies it, or undefined if there is none. */
  ruleAgainstForeign(name: ByteString): ByteString | undefined {
    const verdict = this.#named.get(name.toUpperCase());
    return verdict?.allow === false ? verdict.rule : undefined;
  }

  permitsKey(key: ByteString, needs: Permission): boolean {
    return this.#allKeys || allows(this.#patterns, key, needs);
  }

  get touchesAll(): boolean {
    return this.#allKeys;
  }

  get readsAll(): boolean {
    return this.#allKeys || allowsAll(this.#patterns, "R");
  }

  /** Returns why this set does not permit a command. @param touch  the key that it rejects */
  denial(command: Command, touch: Touch | undefined): string {
    const name = command.name.toLowerCase().replace("|", " ");
    if (touch === undefined) {
      const verdict = this.#verdicts.get(command);
      const reason = verdict === undefined ? "no rule allows it" : `rule ${echoed(verdict.rule)} denies it`;
      return `run '${name}': ${reason}`;
    }
    const verb = VERBS[permissionFor(touch)];
    if (touch.key === null) {
      const which =
        touch.beginning === undefined ? "all keys" : `all keys that begin with '${echoed(touch.beginning)}'`;
      return `run '${name}': it may ${verb} ${which}, and no rule allows that`;
    }
    return `${verb} key '${echoed(touch.key)}', which '${name}' needs: no rule allows it`;
  }

  permitsTouch(touch: Touch): boolean {
    const needs = permissionFor(touch);
    if (this.#allKeys || touch.isCovered === true) return true;
    if (touch.key !== null) return allows(this.#patterns, touch.key, needs);
    return touch.beginning === undefined
      ? allowsAll(this.#patterns, needs)
      : allowsBeginning(this.#patterns, touch.beginning, needs);
  }

  #add(rule: Rule, table: CommandTable): void {
    switch (rule.kind) {
      case "all-keys":
      case "reset-keys":
        this.#allKeys = rule.kind === "all-keys";
        this.#patterns = [];
        break;
      case "pattern":
        this.#addPattern(rule.pattern);
        break;
      case "all":
      case "category":
      case "command": {
        const verdict = { allow: rule.allow, rule: rule.text };
        this.#foreign = foreignAfter(rule, this.#foreign);
        if (rule.kind === "all") this.ruleAgainstAdministration = rule.allow ? undefined : rule.text;
        else if (rule.kind === "category" && !rule.allow && ADMINISTERING_CATEGORIES.has(rule.category))
          this.ruleAgainstAdministration = rule.text;
        for (const command of table.all()) if (isMeant(command, rule)) this.#verdicts.set(command, verdict);
        this.#noteForeign(rule, verdict);
        break;
      }
    }
  }

  /**
   * Records the effect of a rule on commands that are not in the table. Their subcommands are not distinguished: a rule
   * that denies one subcommand denies the complete command, and a rule that allows one subcommand has no effect.
   */
  #noteForeign(rule: CommandRule, verdict: Verdict): void {
    if (rule.kind === "all") this.#named.clear();
    else if (rule.kind === "category" && !rule.allow) {
      // A command that an earlier rule allowed by name may belong to the denied category.
      for (const [name, { allow }] of this.#named) if (allow) this.#named.delete(name);
    } else if (rule.kind === "command" && ABSENT_COMMANDS.has(rule.name)) {
      const [container = "", ...subcommand] = rule.name.split("|");
      if (subcommand.length === 0 || !rule.allow) this.#named.set(container, verdict);
    }
  }

  /** Adds a pattern. As in Redis, a repeated pattern extends the permission: `%R~a %W~a` equals `~a`. */
  #addPattern({ read, write, glob }: KeyPattern): void {
    const same = this.#patterns.findIndex((pattern) => pattern.glob === glob);
    const before = this.#patterns[same];
    if (before === undefined) this.#patterns.push({ read, write, glob });
    else this.#patterns[same] = { read: read || before.read, write: write || before.write, glob };
  }
}

/** Returns the channel patterns that result from the rules, or undefined if no rule names channels. */
function channelsOf(rules: readonly Rule[]): readonly ByteString[] | null | undefined {
  let channels: readonly ByteString[] | null | undefined;
  for (const rule of rules) {
    if (rule.kind === "reset-channels") channels = [];
    else if (rule.kind === "channel")
      channels = rule.pattern === null ? null : [...(channels ?? []), rule.pattern];
  }
  return channels;
}

/**
 * Returns the permission for commands that are not in the table after a further rule has been applied. If such a
 * command may belong to a category that the rule denies, the result is "none".
 */
function foreignAfter(rule: CommandRule, before: Foreign): Foreign {
  if (rule.kind === "all") return rule.allow ? "all" : "none";
  if (rule.kind === "command" || rule.allow || before === "none") return before;
  return rule.category === "admin" ? "all but admin" : "none";
}

function isMeant(command: Command, rule: CommandRule): boolean {
  if (rule.kind === "all") return true;
  if (rule.kind === "category") return categoriesOf(command).includes(rule.category);
  return command.name === rule.name || command.name.startsWith(`${rule.name}|`);
}
