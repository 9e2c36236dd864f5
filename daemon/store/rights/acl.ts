/**
 * Decides what the rules of one public key permit, as Redis 7 does. The last matching rule for a command applies.
 * Patterns match the database keys, and one pattern must grant the complete permission: `%R~a` and `%W~*` together do
 * not permit reading and writing `a`. A selector is an additional set of rules, and one set must permit a command with
 * all its database keys and channels. Below, "key" means a database key. Source: redis-server 7.0,
 * test/daemon/store/rights/acl.test.ts.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { echoed } from "../arguments/command-errors.js";
import { ABSENT_COMMANDS, administers } from "../rows/absent-commands.js";
import { type Command, type CommandTable, categoriesOf } from "../rows/command-row.js";
import {
  type KeySpec,
  lastKeyOf,
  type Permission,
  permissionFor,
  rangesOf,
  type Touch,
  touchesOf,
} from "../rows/key-spec.js";
import {
  KEY_RULES,
  type NormalRules,
  normalForm,
  parseRules,
  type Rule,
  type RuleLimits,
} from "./acl-rules.js";
import {
  allows,
  allowsAll,
  allowsBeginning,
  allowsChannel,
  channelsNamed,
  type KeyPattern,
} from "./patterns.js";

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

const REFUSED_COMMAND: AclRefusal = { what: "command" };

export class Acl {
  /** The original texts of the rules, one each. */
  readonly rules: readonly ByteString[];
  /** Whether everything is permitted, including commands that the table does not know. */
  readonly isUnlimited: boolean;
  /** Whether one of the sets permits reading the recorded commands and all keys. */
  readonly mayReadAll: boolean;
  /** The parsed rules; those outside all selectors are first. */
  readonly #rules: readonly (readonly Rule[])[];
  /** The sets made from `#rules`, in the same order. */
  readonly #sets: readonly RuleSet[];
  /** The sets that permit reading the recorded commands; the history omits keys that only other sets permit. */
  readonly #historySets: readonly RuleSet[];

  /** @throws CommandFailure that names the first invalid rule */
  constructor(texts: readonly ByteString[], table: CommandTable, limits: RuleLimits = KEY_RULES) {
    const rules = parseRules(texts, table, limits);
    this.rules = rules.map(({ text }) => text);
    const outside = rules.filter(({ kind }) => kind !== "selector" && kind !== "clear-selectors");
    const cleared = rules.findLastIndex(({ kind }) => kind === "clear-selectors");
    const selectors = rules
      .slice(cleared + 1)
      .flatMap((rule) => (rule.kind === "selector" ? [rule.rules] : []));
    this.#rules = [outside, ...selectors];
    const namesChannels = this.#rules.some((set) => set.some(isOnChannels));
    this.#sets = this.#rules.map((set) => new RuleSet(set, table, namesChannels));
    this.isUnlimited = this.#sets.some((set) => set.isUnlimited);
    const history = HISTORY_COMMANDS.flatMap((name) => table.find(name) ?? []);
    this.#historySets = this.#sets.filter((set) => history.some((command) => set.permitsCommand(command)));
    this.mayReadAll = this.#historySets.some((set) => set.permitsReadingAllKeys);
  }

  /** The effect of the rules in Redis's form; those outside all selectors are first, followed by each selector. */
  get normalForm(): readonly NormalRules[] {
    return this.#rules.map(normalForm);
  }

  /** Returns the part of a command that is not permitted, or null if the command is permitted. */
  refusedPart(command: Command, argv: readonly ByteString[]): AclRefusal | null {
    if (this.isUnlimited || this.#permits(command, argv)) return null;
    const { rejection } = this.#closest(command, argv);
    switch (rejection.what) {
      case "command":
        return REFUSED_COMMAND;
      case "key":
        return { what: "key", key: rejection.touch.key ?? `${rejection.touch.beginning ?? ""}*` };
      case "channel":
        return { what: "channel", channel: rejection.channel };
    }
  }

  /** Returns why a command is not permitted, as a continuation of "this key may not ", or null if it is permitted. */
  denial(command: Command, argv: readonly ByteString[]): string | null {
    if (this.#permits(command, argv)) return null;
    const { set, rejection } = this.#closest(command, argv);
    return set.denial(command, rejection);
  }

  #permits(command: Command, argv: readonly ByteString[]): boolean {
    for (const set of this.#sets) if (set.rejection(command, argv) === null) return true;
    return false;
  }

  /**
   * Returns the set that comes closest to permitting a command that no set permits, and what it rejects first. As in
   * Redis, the closest set is one that rejects only a channel, or else a key; among these, the one whose rejected key
   * or channel comes last in the arguments; among equals, the first set.
   */
  #closest(command: Command, argv: readonly ByteString[]): Closest {
    let set = this.#sets[0] as RuleSet;
    let rejection: Rejection = REJECTED_COMMAND;
    for (const each of this.#sets) {
      const other = each.rejection(command, argv);
      if (other === null || !isCloser(other, rejection)) continue;
      rejection = other;
      set = each;
    }

    return { set, rejection };
  }

  /**
   * Whether the sets together permit all these channels. As in Redis, a client may keep its subscriptions as long as
   * they do, also if the sets that permit the channels do not permit SUBSCRIBE.
   * @param arePatterns whether `channels` are patterns
   */
  permitsChannels(channels: Iterable<ByteString>, arePatterns: boolean): boolean {
    if (this.#sets.some((set) => set.permitsAllChannels)) return true;
    for (const channel of channels)
      if (!this.#sets.some((set) => set.permitsChannel(channel, arePatterns))) return false;
    return true;
  }

  /**
   * Returns why a command that is not in the table is not permitted, or null if it is permitted. The reason comes from
   * the rules outside all selectors.
   * @param name the command's name
   */
  unlistedDenial(name: ByteString): string | null {
    if (this.#sets.some((set) => set.permitsUnlisted(name))) return null;
    const outside = this.#sets[0] as RuleSet;
    const rule =
      outside.ruleAgainstUnlisted(name) ??
      (administers(name) ? outside.ruleAgainstAdministration : undefined);
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

  /** Whether a set permits reading the recorded commands that touch a key, or all keys with a common beginning. */
  mayReadHistory({ db, key, beginning }: Omit<Touch, "access" | "needs" | "isCovered">): boolean {
    const touch: Touch = { db, key, access: "read", ...(beginning === undefined ? {} : { beginning }) };
    return this.#historySets.some((set) => set.permitsTouch(touch));
  }
}

/** The commands that show recorded commands, as far as the rules permit reading their keys. */
const HISTORY_COMMANDS = ["TIMELINE|LOG", "TIMELINE|BLAME"];

type CommandRule = Extract<Rule, { kind: "all" | "category" | "command" }>;

/**
 * The permission for commands that are not in the table. Such a command may belong to any category, except that the
 * commands of `admin` are known by name (rows/absent-commands.ts).
 */
type UnlistedPermission = "none" | "all" | "all but admin";

/** The categories that include every administrative command. */
const ADMINISTERING_CATEGORIES: ReadonlySet<string> = new Set(["admin", "dangerous"]);

interface Verdict {
  readonly allow: boolean;
  /** The last rule that applies to the command. */
  readonly rule: ByteString;
}

/** What a set rejects first: the command with any arguments, one of its keys, or one of its channels. */
type Rejection =
  | { readonly what: "command"; readonly index: number }
  /** `index` is that of the key among the command's keys. */
  | { readonly what: "key"; readonly index: number; readonly touch: Touch }
  /** `index` is that of the channel among the command's channels. */
  | { readonly what: "channel"; readonly index: number; readonly channel: ByteString };

const REJECTED_COMMAND: Rejection = { what: "command", index: 0 };

/** The order in which a set checks a command. */
const CHECKED: readonly Rejection["what"][] = ["command", "key", "channel"];

/** Whether a rejection comes closer to a permission than another one. */
function isCloser(one: Rejection, other: Rejection): boolean {
  const difference = CHECKED.indexOf(one.what) - CHECKED.indexOf(other.what);
  return difference > 0 || (difference === 0 && one.index > other.index);
}

/** The set that comes closest to permitting a command, and what it rejects. */
interface Closest {
  readonly set: RuleSet;
  readonly rejection: Rejection;
}

/** The rules of one selector, or those outside all selectors. */
class RuleSet {
  readonly isUnlimited: boolean;
  readonly #verdicts = new Map<Command, Verdict>();
  #patterns: readonly KeyPattern[];
  #allKeys = false;
  /** Patterns of channels. */
  #channels: ByteString[] = [];
  #allChannels = false;
  #unlisted: UnlistedPermission = "none";
  /** Verdicts of rules that name commands. */
  readonly #named = new Map<ByteString, Verdict>();
  /** The last rule that denies administrative commands. It applies to those that are not in the table. */
  ruleAgainstAdministration: ByteString | undefined;

  /**
   * @param namesChannels whether a rule of this or another set is on channels. If none is, as in versions whose rules
   * could not name channels, a set that permits all keys permits all channels.
   */
  constructor(rules: readonly Rule[], table: CommandTable, namesChannels: boolean) {
    const patterns = new Map<ByteString, KeyPattern>();
    for (const rule of rules) this.#add(rule, table, patterns);
    this.#patterns = [...patterns.values()];
    this.#channels = [...new Set(this.#channels)];
    if (!namesChannels) this.#allChannels = this.#allKeys;
    const last = rules.findLast(({ kind }) => kind === "all" || kind === "category" || kind === "command");
    this.isUnlimited = this.#allKeys && this.#allChannels && last?.kind === "all" && last.allow;
  }

  permitsCommand(command: Command): boolean {
    // As in Redis, commands that are available before a login are permitted to all users.
    return this.#verdicts.get(command)?.allow === true || command.flags.includes("no_auth");
  }

  /** Returns what this set rejects first, or null if it permits the command with its keys and channels. */
  rejection(command: Command, argv: readonly ByteString[]): Rejection | null {
    if (!this.permitsCommand(command)) return REJECTED_COMMAND;

    if (!this.#allKeys && !this.#permitsRanges(command.keys, argv)) {
      const touches = touchesOf(command.keys, argv);
      const index = touches.findIndex((touch) => !this.permitsTouch(touch));
      if (index >= 0) return { what: "key", index, touch: touches[index] as Touch };
    }

    if (this.#allChannels || command.channels === undefined) return null;
    const channels = channelsNamed(command, argv);
    const index = channels.findIndex((one) => !this.permitsChannel(one, command.channels === "patterns"));
    return index < 0 ? null : { what: "channel", index, channel: channels[index] as ByteString };
  }

  /**
   * Whether this set permits all keys of a command that has them at regular indexes; false for other commands. For
   * permitted commands, this saves the list of touches.
   */
  #permitsRanges(spec: KeySpec, argv: readonly ByteString[]): boolean {
    const ranges = rangesOf(spec, argv);
    if (ranges === null) return false;
    for (const range of ranges) {
      const { needs, first, step } = range;
      const last = lastKeyOf(range, argv);
      for (let i = first; i <= last; i += step)
        if (!allows(this.#patterns, argv[i] as ByteString, needs)) return false;
    }

    return true;
  }

  permitsUnlisted(name: ByteString): boolean {
    if (!this.#allKeys) return false;
    const verdict = this.#named.get(name.toUpperCase());
    if (verdict !== undefined) return verdict.allow;
    return this.#unlisted === "all" || (this.#unlisted === "all but admin" && !administers(name));
  }

  /** Returns the rule that names a command that is not in the table and denies it, or undefined if there is none. */
  ruleAgainstUnlisted(name: ByteString): ByteString | undefined {
    const verdict = this.#named.get(name.toUpperCase());
    return verdict?.allow === false ? verdict.rule : undefined;
  }

  permitsKey(key: ByteString, needs: Permission): boolean {
    return this.#allKeys || allows(this.#patterns, key, needs);
  }

  get permitsAllChannels(): boolean {
    return this.#allChannels;
  }

  /** @param isPattern whether `channel` is a pattern */
  permitsChannel(channel: ByteString, isPattern: boolean): boolean {
    return this.#allChannels || allowsChannel(this.#channels, channel, isPattern);
  }

  get permitsReadingAllKeys(): boolean {
    return this.#allKeys || allowsAll(this.#patterns, "R");
  }

  /** Returns why this set does not permit a command, as a continuation of "this key may not ". */
  denial(command: Command, rejection: Rejection): string {
    const name = command.name.toLowerCase().replace("|", " ");
    if (rejection.what === "command") {
      const verdict = this.#verdicts.get(command);
      const reason = verdict === undefined ? "no rule allows it" : `rule ${echoed(verdict.rule)} denies it`;
      return `run '${name}': ${reason}`;
    }
    if (rejection.what === "channel") return `use channel '${echoed(rejection.channel)}': no rule allows it`;

    const { touch } = rejection;
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

  /** @param patterns  the patterns of keys by their globs */
  #add(rule: Rule, table: CommandTable, patterns: Map<ByteString, KeyPattern>): void {
    switch (rule.kind) {
      case "all-keys":
      case "reset-keys":
        this.#allKeys = rule.kind === "all-keys";
        patterns.clear();
        break;
      case "pattern":
        addPattern(patterns, rule.pattern);
        break;
      case "reset-channels":
        this.#allChannels = false;
        this.#channels = [];
        break;
      case "channel":
        this.#allChannels = rule.pattern === null;
        if (rule.pattern === null) this.#channels = [];
        else this.#channels.push(rule.pattern);
        break;
      case "all":
      case "category":
      case "command": {
        const verdict = { allow: rule.allow, rule: rule.text };
        this.#unlisted = unlistedAfter(rule, this.#unlisted);
        if (rule.kind === "all") this.ruleAgainstAdministration = rule.allow ? undefined : rule.text;
        else if (rule.kind === "category" && !rule.allow && ADMINISTERING_CATEGORIES.has(rule.category))
          this.ruleAgainstAdministration = rule.text;
        for (const command of table.all()) if (matches(rule, command)) this.#verdicts.set(command, verdict);
        this.#recordUnlisted(rule, verdict);
        break;
      }
    }
  }

  /**
   * Records the effect of a rule on commands that are not in the table. Their subcommands are not distinguished: a rule
   * that denies one subcommand denies the complete command, and a rule that allows one subcommand has no effect.
   */
  #recordUnlisted(rule: CommandRule, verdict: Verdict): void {
    if (rule.kind === "all") this.#named.clear();
    else if (rule.kind === "category" && !rule.allow) {
      // A command that an earlier rule allowed by name may belong to the denied category.
      for (const [name, { allow }] of this.#named) if (allow) this.#named.delete(name);
    } else if (rule.kind === "command" && ABSENT_COMMANDS.has(rule.name)) {
      const [container = "", ...subcommand] = rule.name.split("|");
      if (subcommand.length === 0 || !rule.allow) this.#named.set(container, verdict);
    }
  }
}

/** Adds a pattern. As in Redis, a repeated pattern extends the permission: `%R~a %W~a` equals `~a`. */
function addPattern(patterns: Map<ByteString, KeyPattern>, { read, write, glob }: KeyPattern): void {
  const existing = patterns.get(glob);
  patterns.set(glob, {
    read: read || existing?.read === true,
    write: write || existing?.write === true,
    glob,
  });
}

/** Whether a rule is on channels. */
const isOnChannels = ({ kind }: Rule): boolean => kind === "channel" || kind === "reset-channels";

/**
 * Returns the permission for commands that are not in the table after a further rule has been applied. If such a
 * command may belong to a category that the rule denies, the result is "none".
 */
function unlistedAfter(rule: CommandRule, before: UnlistedPermission): UnlistedPermission {
  if (rule.kind === "all") return rule.allow ? "all" : "none";
  if (rule.kind === "command" || rule.allow || before === "none") return before;
  return rule.category === "admin" ? "all but admin" : "none";
}

/** Whether a rule applies to a command. */
function matches(rule: CommandRule, command: Command): boolean {
  if (rule.kind === "all") return true;
  if (rule.kind === "category") return categoriesOf(command).includes(rule.category);
  return command.name === rule.name || command.name.startsWith(`${rule.name}|`);
}
