/**
 * The rules of one user: the words of a line of --acl-file, and of ACL SETUSER. They have the format of Redis's
 * aclfile. Passwords are stored as SHA-256.
 */
import { createHash } from "node:crypto";
import { CommandFailure } from "../../daemon/store/arguments/command-errors.js";
import { commands, findCommand } from "../../daemon/store/command-table.js";
import { Acl } from "../../daemon/store/rights/acl.js";
import {
  type NormalRules,
  parseRules,
  type RuleLimits,
  WrongRule,
} from "../../daemon/store/rights/acl-rules.js";
import type { CommandTable } from "../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { USER_BYTES_MAX } from "../../protocol/version-2/envelope.js";
import type { PasswordSecrets } from "./password-secrets.js";

export interface User {
  readonly name: ByteString;
  readonly isOn: boolean;
  /** Whether any password is accepted. */
  readonly takesAnyPassword: boolean;
  /** The SHA-256 of each password. */
  readonly passwords: readonly Buffer[];
  /**
   * Whether the user has the switch sanitize-payload, or null if neither that switch nor skip-sanitize-payload was set.
   * The switches have no effect, because payloads of RESTORE are always checked.
   */
  readonly isSanitizing: boolean | null;
  readonly acl: Acl;
}

/** A user while its line is parsed. */
interface Draft extends Passwords {
  isOn: boolean;
  isSanitizing: boolean | null;
  /** The rules on commands, keys and channels, for `Acl`. */
  rules: ByteString[];
}

/**
 * Returns the state of a user before its first rule. The rule `reset` restores that state, but also sets the switch
 * sanitize-payload.
 */
function emptyDraft(): Draft {
  return {
    isOn: false,
    takesAnyPassword: false,
    passwords: [],
    isSanitizing: null,
    // A rule on channels is always present. Without one, as in the rules of signing keys, `~*` permits all channels.
    rules: ["resetkeys", NO_CHANNELS, "-@all"],
  };
}

const NO_CHANNELS = "resetchannels";

const TABLE: CommandTable = { all: () => commands, find: findCommand };

/**
 * The restrictions on the rules of a line, which only this daemon stores: those of Redis, so that its files are read.
 * The size of the file limits their number.
 */
const LINE_RULES: RuleLimits = {
  rules: Number.POSITIVE_INFINITY,
  bytes: Number.POSITIVE_INFINITY,
  notInChannels: /[\0\t-\r ]/,
  mayEndInParenthesis: true,
};

/** The restrictions on rules that a client sets. `changedUser` limits the number of the resulting rules. */
const CHANGED_RULES: RuleLimits = { ...LINE_RULES, mayEndInParenthesis: false };

/** Maximum number of rules of one user in normal form, unless its line in the file had more. */
const USER_RULES_MAX = 10_000;
const USER_RULES_BYTES_MAX = 1024 * 1024;

/**
 * Matches a word that is probably a password without the initial `>`. Such a word must not appear in an error message.
 */
const UNMARKED_PASSWORD = /^(?!on$|off$|(all|no|reset|clear|skip-|sanitize-))\w/i;
const NO_RULE =
  "is not a rule: a password begins with > (its SHA-256 with #), a rule with + - ~ % & or (, or it is a word such as on";

/** Parses a line of the file. @throws CommandFailure */
export function parseUser(line: ByteString, secrets: PasswordSecrets | null): User {
  // Redis also removes this white space at both ends of a line.
  const trimmed = line.replace(/^[ \t\r\n]+|(?<![ \t\r\n])[ \t\r\n]+$/g, "");
  const [keyword, name, ...words] = trimmed.split(" ").filter((word) => word !== "");
  if (keyword !== "user" || name === undefined)
    throw new CommandFailure("ERR expected: user NAME RULE ..., such as: user ann on >password ~* +@all");
  return withRules(name, emptyDraft(), words, { first: 3, secrets, limits: LINE_RULES });
}

/**
 * Returns a user to which rules are applied, or a new user.
 * @param before  the user, or undefined for a new one
 * @throws CommandFailure
 */
export function changedUser(
  name: ByteString,
  before: User | undefined,
  rules: readonly ByteString[],
  secrets: PasswordSecrets | null,
): User {
  const earlier = before === undefined ? [] : rulesOf(before.acl);
  const draft: Draft =
    before === undefined
      ? emptyDraft()
      : { ...before, passwords: [...before.passwords], rules: [...earlier] };
  const user = withRules(name, draft, rules, { first: 1, secrets, limits: CHANGED_RULES });

  const count = countRules(earlier);
  const now = countRules(rulesOf(user.acl));
  const max = {
    rules: Math.max(USER_RULES_MAX, count.rules),
    bytes: Math.max(USER_RULES_BYTES_MAX, count.bytes),
  };
  if (now.rules > max.rules) throw new CommandFailure(`ERR ${now.rules} rules, above ${max.rules}`);
  if (now.bytes > max.bytes) throw new CommandFailure(`ERR rules of ${now.bytes} bytes, above ${max.bytes}`);
  return user;
}

/** Returns the number and length of rules in normal form. */
function countRules(rules: readonly ByteString[]): Pick<RuleLimits, "rules" | "bytes"> {
  const text = rules.join(" ");
  return { rules: text.split(" ").length, bytes: text.length };
}

interface Drafting {
  /** The position of the first word, for error messages. */
  readonly first: number;
  readonly secrets: PasswordSecrets | null;
  readonly limits: RuleLimits;
}

/** Applies rules to a draft. @throws CommandFailure */
function withRules(
  name: ByteString,
  start: Draft,
  words: readonly ByteString[],
  { first, secrets, limits }: Drafting,
): User {
  // Limit the name's length, because the name must fit into an envelope.
  if (name.length > USER_BYTES_MAX)
    throw new CommandFailure(`ERR a user's name of ${name.length} bytes, above ${USER_BYTES_MAX}`);

  const onPassword = (hash: Buffer, password: ByteString) => secrets?.derive(name, hash, password);
  let draft = start;
  let isInSelector = false;
  for (const [index, word] of words.entries()) {
    isInSelector ||= word.startsWith("(");
    if (UNMARKED_PASSWORD.test(word.replace(/^\(|\)$/g, "")))
      throw wrongRule(word, `word ${index + first} ${NO_RULE}`, "syntax");
    if (isInSelector) {
      draft.rules.push(word);
      isInSelector = !word.endsWith(")");
    } else if (word.toLowerCase() === "reset") {
      // As in Redis, a wrong rule is an error although `reset` would revoke it.
      parseRules(draft.rules, TABLE, limits);
      draft = { ...emptyDraft(), isSanitizing: true };
    } else if (!applySwitch(draft, word) && !applyPasswordRule(draft, word, onPassword))
      draft.rules.push(word);
  }

  const { rules, ...properties } = draft;
  return { name, ...properties, acl: new Acl(rules, TABLE, limits) };
}

/** Formats a user as a line of --acl-file, in Redis's format. Parsing the line yields the same user. */
export function userLine(user: User): ByteString {
  const { name, passwords, acl } = user;
  const hashes = passwords.map((hash) => `#${hash.toString("hex")}`);
  return `user ${name} ${[...flagsOf(user), ...hashes, ...rulesOf(acl)].join(" ")}`;
}

/** Returns the switches of a user, with Redis's names and in Redis's order. */
export function flagsOf({ isOn, takesAnyPassword, isSanitizing }: User): ByteString[] {
  const password = takesAnyPassword ? ["nopass"] : [];
  const sanitizing =
    isSanitizing === null ? [] : [isSanitizing ? "sanitize-payload" : "skip-sanitize-payload"];
  return [isOn ? "on" : "off", ...password, ...sanitizing];
}

/** Returns the rules of a user in normal form, which may be shorter than the rules that were originally set. */
export function rulesOf({ normalForm: [root, ...selectors] }: Acl): ByteString[] {
  return [...(root === undefined ? [] : [textOf(root)]), ...selectors.map((rules) => `(${textOf(rules)})`)];
}

function textOf({ keys, channels, commands: text }: NormalRules): ByteString {
  const onChannels = channels === "&*" ? [channels] : [NO_CHANNELS, channels];
  return [keys, ...onChannels, text].filter((rules) => rules !== "").join(" ");
}

/** Applies a switch to the draft. @returns false if the word is a rule */
function applySwitch(draft: Draft, word: ByteString): boolean {
  const known = word.toLowerCase();
  switch (known) {
    case "on":
    case "off":
      draft.isOn = known === "on";
      return true;
    case "nopass":
    case "resetpass":
      draft.takesAnyPassword = known === "nopass";
      draft.passwords = [];
      return true;
    case "sanitize-payload":
    case "skip-sanitize-payload":
      draft.isSanitizing = known === "sanitize-payload";
      return true;
    default:
      return false;
  }
}

const HASH_DIGITS = /^[0-9a-f]{64}$/;

interface Passwords {
  takesAnyPassword: boolean;
  /** The SHA-256 of each password. */
  passwords: Buffer[];
}

/** Returns the SHA-256 of a password. */
export function passwordHashOf(password: ByteString): Buffer {
  return createHash("sha256").update(password, "latin1").digest();
}

const wrongRule = (modifier: ByteString, problem: string, mistake: WrongRule["mistake"]) =>
  new WrongRule(problem, modifier, problem, mistake);

/**
 * Applies a password rule: `>password` and `#hash` add a password, `<password` and `!hash` remove one.
 * @param onPassword  called with a password that is added in plain text
 */
function applyPasswordRule(
  draft: Passwords,
  word: ByteString,
  onPassword: (hash: Buffer, password: ByteString) => void,
): boolean {
  const sign = word[0];
  if (sign !== ">" && sign !== "#" && sign !== "<" && sign !== "!") return false;

  const value = word.slice(1);
  const isHash = sign === "#" || sign === "!";
  if (isHash && !HASH_DIGITS.test(value))
    throw wrongRule(word, `'${sign}...': a hash has 64 hexadecimal digits in lower case`, "hash");

  const hash = isHash ? Buffer.from(value, "hex") : passwordHashOf(value);
  const remaining = draft.passwords.filter((one) => !one.equals(hash));
  if ((sign === "<" || sign === "!") && remaining.length === draft.passwords.length)
    throw wrongRule(word, `'${sign}...': the user has no such password`, "password");

  draft.passwords = remaining;
  if (sign === ">" || sign === "#") {
    draft.passwords.push(hash);
    draft.takesAnyPassword = false;
  }

  if (sign === ">") onPassword(hash, value);
  return true;
}
