/**
 * Who may use the listeners without signatures, and what for: the users of --acl-file, in the format of Redis's aclfile.
 * Read at the start and on SIGHUP. Passwords are kept as SHA-256 and compared in constant time.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { ByteString } from "../protocol/byte-string.js";
import { USER_BYTES_MAX } from "../protocol/envelope.js";
import { Acl } from "../store/acl.js";
import { commands, findCommand } from "../store/command-table.js";
import { CommandFailure } from "../store/errors.js";
import { StartError } from "./start-error.js";

export const DEFAULT_USER = "default";
/** More are no file that a person keeps. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;
const HASH_DIGITS = /^[0-9a-f]{64}$/;

export interface User {
  readonly name: ByteString;
  readonly isOn: boolean;
  /** Any password will do. */
  readonly takesAnyPassword: boolean;
  /** SHA-256 each. */
  readonly passwords: readonly Buffer[];
  readonly acl: Acl;
}

export class Users {
  /** Changes when the users do: who has logged in is looked up anew then. */
  generation = 0;
  #users: ReadonlyMap<ByteString, User>;

  /** @param file  null: none, only the default user, who may do everything. @throws StartError */
  constructor(file: string | null) {
    this.#users = readUsers(file);
  }

  /** @throws StartError  and then the old users stay */
  reload(file: string | null): void {
    this.#users = readUsers(file);
    this.generation++;
  }

  /** Adds rules to a user's, who is made if absent. @throws CommandFailure  and then nothing has changed */
  set(name: ByteString, rules: readonly ByteString[]): void {
    const before = this.#users.get(name);
    const draft: Draft =
      before === undefined
        ? blank()
        : { ...before, passwords: [...before.passwords], rules: [...before.acl.rules] };
    this.#users = new Map(this.#users).set(name, drafted(name, draft, rules, 1));
    this.generation++;
  }

  /** @returns whether there was such a user */
  remove(name: ByteString): boolean {
    const users = new Map(this.#users);
    if (!users.delete(name)) return false;
    this.#users = users;
    this.generation++;
    return true;
  }

  /** Replaces a file by these lines, in one step. @throws StartError */
  save(file: string, lines: readonly ByteString[]): void {
    try {
      writeFileSync(`${file}.new`, `${lines.join("\n")}\n`, { encoding: "latin1", mode: 0o600 });
      renameSync(`${file}.new`, file);
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

  /** Who a connection is that has not logged in; null: nobody. */
  get anonymous(): User | null {
    const user = this.#users.get(DEFAULT_USER) as User;
    return user.isOn && user.takesAnyPassword ? user : null;
  }

  /** Whether the default user takes any password, so that there is none to log in with. */
  get isOpen(): boolean {
    return (this.#users.get(DEFAULT_USER) as User).takesAnyPassword;
  }

  /** Takes as long for a user who is not there. @returns null: no such user, or not with this password */
  login(name: ByteString, password: ByteString): User | null {
    const user = this.#users.get(name);
    const hash = hashOf(password);
    let matches = user?.takesAnyPassword ?? false;
    for (const one of user?.passwords ?? [hash]) {
      if (timingSafeEqual(one, hash) && user !== undefined) matches = true;
    }
    return user?.isOn && matches ? user : null;
  }
}

function hashOf(password: ByteString): Buffer {
  return createHash("sha256").update(password, "latin1").digest();
}

function readUsers(file: string | null): ReadonlyMap<ByteString, User> {
  const users = new Map<ByteString, User>();
  const lines = file === null ? [] : readText(file).split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    try {
      const user = parseUser(line);
      if (users.has(user.name)) throw new CommandFailure(`ERR user ${user.name} stands there twice`);
      users.set(user.name, user);
    } catch (problem) {
      if (!(problem instanceof CommandFailure)) throw problem;
      const reason = problem.message.replace(/^ERR /, "");
      throw new StartError(`--acl-file ${file}, line ${index + 1}: ${reason}.`, 2);
    }
  }
  if (!users.has(DEFAULT_USER)) users.set(DEFAULT_USER, parseUser(`user ${DEFAULT_USER} on nopass ~* +@all`));
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

/** A user as far as a line has been read. */
interface Draft {
  isOn: boolean;
  takesAnyPassword: boolean;
  passwords: Buffer[];
  /** For Acl. */
  rules: ByteString[];
}

/** What a user is before the first word, and after `reset`. */
function blank(): Draft {
  return { isOn: false, takesAnyPassword: false, passwords: [], rules: ["resetkeys", "-@all"] };
}

/** A password without its sign, most likely: never shown. */
const BARE = /^(?!on$|off$|(all|no|reset|clear|skip-|sanitize-))\w/i;
const NO_RULE =
  "is no rule: a password begins with > (its SHA-256 with #), a rule with + - ~ % or (, or it is a word such as on";

/** @throws CommandFailure */
function parseUser(line: ByteString): User {
  const [keyword, name, ...words] = line.split(" ").filter((word) => word !== "");
  if (keyword !== "user" || name === undefined)
    throw new CommandFailure("ERR expected: user NAME RULE …, such as: user ann on >password ~* +@all");
  return drafted(name, blank(), words, 3);
}

/** @param first  what number the first word has, for messages. @throws CommandFailure */
function drafted(name: ByteString, start: Draft, words: readonly ByteString[], first: number): User {
  // An envelope names its user.
  if (name.length > USER_BYTES_MAX)
    throw new CommandFailure(`ERR a user's name of ${name.length} bytes, above ${USER_BYTES_MAX}`);
  let draft = start;
  for (const [index, word] of words.entries()) {
    if (word.toLowerCase() === "reset") draft = blank();
    else if (BARE.test(word)) throw new CommandFailure(`ERR word ${index + first} ${NO_RULE}`);
    else if (!takeSwitch(draft, word) && !takePassword(draft, word)) draft.rules.push(word);
  }
  const { isOn, takesAnyPassword, passwords, rules } = draft;
  const acl = new Acl(rules, { all: () => commands, find: findCommand });
  return { name, isOn, takesAnyPassword, passwords, acl };
}

/** Channels and the checks of payloads mean nothing here; Redis writes them into its files. */
const MEANINGLESS = /^(&.*|allchannels|resetchannels|(skip-)?sanitize-payload)$/i;

/** @returns whether the word is none of the rules on commands and keys */
function takeSwitch(draft: Draft, word: ByteString): boolean {
  switch (word.toLowerCase()) {
    case "on":
    case "off":
      draft.isOn = word.toLowerCase() === "on";
      return true;
    case "nopass":
    case "resetpass":
      draft.takesAnyPassword = word.toLowerCase() === "nopass";
      draft.passwords = [];
      return true;
    default:
      return MEANINGLESS.test(word);
  }
}

/** `>password`, `#hash`; `<password` and `!hash` take one away. */
function takePassword(draft: Draft, word: ByteString): boolean {
  const sign = word[0];
  if (sign !== ">" && sign !== "#" && sign !== "<" && sign !== "!") return false;
  const rest = word.slice(1);
  const isHash = sign === "#" || sign === "!";
  if (isHash && !HASH_DIGITS.test(rest))
    throw new CommandFailure(`ERR '${sign}…': a hash has 64 hexadecimal digits in lower case`);
  const hash = isHash ? Buffer.from(rest, "hex") : hashOf(rest);
  draft.passwords = draft.passwords.filter((one) => !one.equals(hash));
  if (sign === ">" || sign === "#") {
    draft.passwords.push(hash);
    draft.takesAnyPassword = false;
  }
  return true;
}
