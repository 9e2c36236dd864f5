/**
 * The users of the listeners without signatures, and their rules. --acl-file has the format of Redis's aclfile; it is
 * read at the start and on SIGHUP. Passwords are stored as SHA-256 and compared in constant time.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { StartError } from "../../daemon/net/process/service.js";
import { CommandFailure, echoed } from "../../daemon/store/arguments/command-errors.js";
import { commands, findCommand } from "../../daemon/store/command-table.js";
import { Acl } from "../../daemon/store/rights/acl.js";
import { WrongRule } from "../../daemon/store/rights/acl-rules.js";
import { discard, publishOver, stage } from "../../keys/atomic-file.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { USER_BYTES_MAX } from "../../protocol/version-2/envelope.js";
import type { PasswordSecrets } from "./password-secrets.js";

export const DEFAULT_USER = "default";
/** Maximum size of the file in bytes. A larger file is a mistake, because the file is maintained by hand. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

const FILE_MODE = 0o600;

export interface User {
  readonly name: ByteString;
  readonly isOn: boolean;
  /** Whether any password is accepted. */
  readonly takesAnyPassword: boolean;
  /** The SHA-256 of each password. */
  readonly passwords: readonly Buffer[];
  /** Patterns of the channels that the user may subscribe to and publish on, or null for all channels. */
  readonly channels: readonly ByteString[] | null;
  /**
   * Whether the user has the switch sanitize-payload, or null if neither that switch nor skip-sanitize-payload was set.
   * The switches have no effect, because payloads of RESTORE are always checked.
   */
  readonly isSanitizing: boolean | null;
  readonly acl: Acl;
}

export class Users {
  /** Incremented when the users change, so that sessions look up their user again. */
  generation = 0;
  /** Called when the users change. */
  whenChanged: () => void = () => {};
  #users: ReadonlyMap<ByteString, User>;
  /** Whether the file has a line for the default user. */
  readonly definesDefaultUser: boolean;

  /** The secrets for SCRAM logins, or null if no listener needs them. */
  readonly secrets: PasswordSecrets | null;

  /** @param file  the path of the file, or null for only the default user, with all permissions @throws StartError */
  constructor(file: string | null, secrets: PasswordSecrets | null = null) {
    this.secrets = secrets;
    const users = readUsers(file, secrets);
    this.definesDefaultUser = users.has(DEFAULT_USER);
    if (!this.definesDefaultUser)
      users.set(DEFAULT_USER, parseUser(`user ${DEFAULT_USER} on nopass ~* &* +@all`, null));
    this.#users = users;
  }

  /** Replaces these users with those of another object. */
  replaceAll(other: Users): void {
    this.#users = other.#users;
    this.#changed();
  }

  /**
   * Returns a copy of these users in which rules are applied to one user, which is created if it does not exist.
   * @throws CommandFailure
   */
  changed(name: ByteString, rules: readonly ByteString[]): Users {
    const before = this.#users.get(name);
    const draft: Draft =
      before === undefined
        ? emptyDraft()
        : { ...before, passwords: [...before.passwords], rules: rulesOf(before.acl) };
    const users = new Users(null, this.secrets);
    users.#users = new Map(this.#users).set(
      name,
      withRules(name, draft, rules, { first: 1, secrets: this.secrets }),
    );
    return users;
  }

  /** Removes a user. @returns whether the user existed */
  remove(name: ByteString): boolean {
    const users = new Map(this.#users);
    if (!users.delete(name)) return false;
    this.#users = users;
    this.#changed();
    return true;
  }

  /** Replaces the contents of a file atomically. @throws StartError */
  save(file: string, lines: readonly ByteString[]): void {
    try {
      const staged = stage(file, Buffer.from(`${lines.join("\n")}\n`, "latin1"), FILE_MODE);
      try {
        publishOver(staged, file);
      } finally {
        discard(staged);
      }
    } catch (problem) {
      throw new StartError(`--acl-file ${file} cannot be written: ${(problem as Error).message}.`, 1);
    }
  }

  all(): Iterable<User> {
    return this.#users.values();
  }

  find(name: ByteString): User | undefined {
    return this.#users.get(name);
  }

  /** The user of a connection that has not logged in, or null if a login is required. */
  get anonymous(): User | null {
    const user = this.#users.get(DEFAULT_USER) as User;
    return user.isOn && user.takesAnyPassword ? user : null;
  }

  /** Whether a client that has not logged in may do everything, so that users restrict no client. */
  get areOpen(): boolean {
    const { anonymous } = this;
    return anonymous?.channels === null && anonymous.acl.isUnlimited;
  }

  /** A user that needs no password, or null if there is none. */
  get withoutPassword(): User | null {
    for (const user of this.#users.values()) if (user.isOn && user.takesAnyPassword) return user;
    return null;
  }

  /** Whether the default user accepts any password. Clients then need no password. */
  get isOpen(): boolean {
    return (this.#users.get(DEFAULT_USER) as User).takesAnyPassword;
  }

  /**
   * Checks a login, in the same time whether or not the user exists.
   * @returns null if there is no such user, or the password is wrong
   */
  login(name: ByteString, password: ByteString): User | null {
    const user = this.#users.get(name);
    const hash = hashOf(password);
    let matches = user?.takesAnyPassword ?? false;
    for (const one of user?.passwords ?? [hash]) {
      if (!timingSafeEqual(one, hash) || user === undefined) continue;
      matches = true;
      this.secrets?.derive(name, hash, password);
    }
    return user?.isOn && matches ? user : null;
  }

  #changed(): void {
    this.secrets?.retain(this.#users.values());
    this.generation++;
    this.whenChanged();
  }
}

function readUsers(file: string | null, secrets: PasswordSecrets | null): Map<ByteString, User> {
  const users = new Map<ByteString, User>();
  const lines = file === null ? [] : readText(file).split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    try {
      const user = parseUser(line, secrets);
      if (users.has(user.name)) throw new CommandFailure(`ERR user ${user.name} appears twice`);
      users.set(user.name, user);
    } catch (problem) {
      if (!(problem instanceof CommandFailure)) throw problem;
      const reason = problem.message.replace(/^ERR /, "");
      throw new StartError(`--acl-file ${file}, line ${index + 1}: ${reason}.`, 2);
    }
  }

  return users;
}

function readText(file: string): ByteString {
  try {
    const bytes = readFileSync(file);
    if (bytes.length > FILE_BYTES_MAX)
      throw new StartError(`--acl-file ${file}: ${bytes.length} bytes, above ${FILE_BYTES_MAX}.`, 2);
    return bytes.toString("latin1");
  } catch (problem) {
    if (problem instanceof StartError) throw problem;
    const { code, message } = problem as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "does not exist" : `cannot be read (${code ?? message})`;
    throw new StartError(`--acl-file: ${file} ${why}. Correct the path.`, 1);
  }
}

/** A user while its line is parsed. */
interface Draft extends Passwords {
  isOn: boolean;
  channels: readonly ByteString[] | null;
  isSanitizing: boolean | null;
  /** The rules on commands and keys, for `Acl`. */
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
    channels: [],
    isSanitizing: null,
    rules: ["resetkeys", "-@all"],
  };
}

/**
 * Matches a word that is probably a password without the initial `>`. Such a word must not appear in an error message.
 */
const UNMARKED_PASSWORD = /^(?!on$|off$|(all|no|reset|clear|skip-|sanitize-))\w/i;
const NO_RULE =
  "is not a rule: a password begins with > (its SHA-256 with #), a rule with + - ~ % or (, or it is a word such as on";

/** Parses a line of the file. @throws CommandFailure */
function parseUser(line: ByteString, secrets: PasswordSecrets | null): User {
  const [keyword, name, ...words] = line.split(" ").filter((word) => word !== "");
  if (keyword !== "user" || name === undefined)
    throw new CommandFailure("ERR expected: user NAME RULE ..., such as: user ann on >password ~* +@all");
  return withRules(name, emptyDraft(), words, { first: 3, secrets });
}

interface Drafting {
  /** The position of the first word, for error messages. */
  readonly first: number;
  readonly secrets: PasswordSecrets | null;
}

/** Applies rules to a draft. @throws CommandFailure */
function withRules(
  name: ByteString,
  start: Draft,
  words: readonly ByteString[],
  { first, secrets }: Drafting,
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
      draft.rules.push(withoutChannels(word));
      isInSelector = !word.endsWith(")");
    } else if (word.toLowerCase() === "reset") draft = { ...emptyDraft(), isSanitizing: true };
    else if (!applySwitch(draft, word) && !applyPasswordRule(draft, word, onPassword)) draft.rules.push(word);
  }
  const { rules, ...properties } = draft;
  return { name, ...properties, acl: new Acl(rules, { all: () => commands, find: findCommand }) };
}

/** Formats a user as a line of --acl-file, in Redis's format. Parsing the line yields the same user. */
export function userLine(user: User): ByteString {
  const { name, passwords, channels, acl } = user;
  const hashes = passwords.map((hash) => `#${hash.toString("hex")}`);
  const [root, ...selectors] = acl.normalForm;
  const words = [...flagsOf(user), ...hashes, root?.keys, channelsText(channels), root?.commands];
  const inside = selectors.map(({ keys, commands: text }) => `(${joined([keys, NO_CHANNELS, text])})`);
  return `user ${name} ${joined([...words, ...inside])}`;
}

/** Returns the switches of a user, with Redis's names and in Redis's order. */
export function flagsOf({ isOn, takesAnyPassword, isSanitizing }: User): ByteString[] {
  const password = takesAnyPassword ? ["nopass"] : [];
  const sanitizing =
    isSanitizing === null ? [] : [isSanitizing ? "sanitize-payload" : "skip-sanitize-payload"];
  return [isOn ? "on" : "off", ...password, ...sanitizing];
}

const NO_CHANNELS = "resetchannels";

function channelsText(channels: User["channels"]): ByteString {
  return channels === null ? "&*" : joined([NO_CHANNELS, ...channels.map((channel) => `&${channel}`)]);
}

function joined(words: readonly (ByteString | undefined)[]): ByteString {
  return words.filter((word) => word !== undefined && word !== "").join(" ");
}

/** Returns the rules of a user in normal form, which may be shorter than the rules that were originally set. */
function rulesOf({ normalForm: [root, ...selectors] }: Acl): ByteString[] {
  const inside = selectors.map(({ keys, commands: text }) => `(${joined([keys, text])})`);
  return [root?.keys ?? "", root?.commands ?? "", ...inside].filter((rule) => rule !== "");
}

/** Matches rules on channels. Redis also writes such rules inside selectors, where they have no effect here. */
const CHANNELS = /^(&.*|allchannels|resetchannels)$/i;

/** Returns a word of a selector without its rule on channels, if it contains one, but with its parentheses. */
function withoutChannels(word: ByteString): ByteString {
  const [, open = "", inside = "", close = ""] = /^(\(?)(.*?)(\)?)$/s.exec(word) ?? [];
  return CHANNELS.test(inside) ? open + close : word;
}

/** Applies a switch or a rule on channels to the draft. @returns false if the word is another rule */
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
      return applyChannelRule(draft, word);
  }
}

function applyChannelRule(draft: Draft, word: ByteString): boolean {
  if (!CHANNELS.test(word)) return false;
  if (/^(&\*|allchannels)$/i.test(word)) draft.channels = null;
  else if (word.startsWith("&")) {
    if (draft.channels === null)
      throw wrongRule(word, `rule '${echoed(word)}': after all channels it has no effect`, "channel");
    draft.channels = [...new Set([...draft.channels, word.slice(1)])];
  } else draft.channels = [];
  return true;
}

const HASH_DIGITS = /^[0-9a-f]{64}$/;

interface Passwords {
  takesAnyPassword: boolean;
  /** The SHA-256 of each password. */
  passwords: Buffer[];
}

/** Returns the SHA-256 of a password. */
function hashOf(password: ByteString): Buffer {
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
  const hash = isHash ? Buffer.from(value, "hex") : hashOf(value);
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
