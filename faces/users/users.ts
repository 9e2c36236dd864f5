/**
 * The users of the listeners without signatures. --acl-file has the format of Redis's aclfile; it is read at the start
 * and on SIGHUP. Passwords are compared in constant time.
 */
import { timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { StartError } from "../../daemon/net/process/service.js";
import { CommandFailure } from "../../daemon/store/arguments/command-errors.js";
import { discard, publishOver, stage } from "../../keys/atomic-file.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { PasswordSecrets } from "./password-secrets.js";
import { changedUser, parseUser, passwordHashOf, type User } from "./user-rules.js";

export const DEFAULT_USER = "default";
/** Maximum size of the file in bytes. A larger file is a mistake, because the file is maintained by hand. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

const FILE_MODE = 0o600;

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
    const user = changedUser(name, this.#users.get(name), rules, this.secrets);
    const users = new Users(null, this.secrets);
    users.#users = new Map(this.#users).set(name, user);
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

  /** The user of a new connection, or null if its client must log in first. */
  get anonymous(): User | null {
    const user = this.#users.get(DEFAULT_USER) as User;
    return user.isOn && user.takesAnyPassword ? user : null;
  }

  /** Whether new connections may do everything without a login, so that users restrict no client. */
  get areOpen(): boolean {
    return this.anonymous?.acl.isUnlimited === true;
  }

  /** A user that needs no password, or null if there is none. */
  get withoutPassword(): User | null {
    for (const user of this.#users.values()) if (user.isOn && user.takesAnyPassword) return user;
    return null;
  }

  /** Whether clients need no password, because the default user accepts any. */
  get needNoPassword(): boolean {
    return (this.#users.get(DEFAULT_USER) as User).takesAnyPassword;
  }

  /**
   * Checks a login, in the same time whether or not the user exists.
   * @returns null if there is no such user, or the password is wrong
   */
  login(name: ByteString, password: ByteString): User | null {
    const user = this.#users.get(name);
    const hash = passwordHashOf(password);
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
