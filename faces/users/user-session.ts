/**
 * The user session of a connection, with or without a login. The user is looked up again when the users change. All
 * checks of a command's permission and memory use are made here, and each listener reports a denial as an error of its
 * protocol.
 */
import type { MemoryLimit } from "../../daemon/engine/memory/memory-limit.js";
import type { AclRefusal } from "../../daemon/store/rights/acl.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { User } from "./user-rules.js";
import type { Users } from "./users.js";

/** The reason why a command is refused: a login is required, the user's rules forbid it, or memory is full. */
export type Denial = "no-login" | "no-memory" | AclRefusal;

export class UserSession {
  readonly #users: Users;
  readonly #memory: MemoryLimit;
  #user: User | null;
  /** The generation of the users at the last look-up. */
  #generation: number;

  constructor(users: Users, memory: MemoryLimit) {
    this.#users = users;
    this.#memory = memory;
    this.#user = users.anonymous;
    this.#generation = users.generation;
  }

  /** The user, or null if the client must log in first. */
  get user(): User | null {
    return this.#user;
  }

  set user(user: User | null) {
    this.#user = user;
    this.#generation = this.#users.generation;
  }

  /** Whether the client must log in first. */
  get needsLogin(): boolean {
    return this.#user === null;
  }

  /** The user's name in the audit log, or null if the client must log in first. */
  get name(): ByteString | null {
    return this.#user?.name ?? null;
  }

  /** Whether the user may read all keys and the recorded commands; false without a user. */
  get readsAll(): boolean {
    return this.#user?.acl.mayReadAll ?? false;
  }

  /** Logs in. @returns whether a user has this name and password; if not, the session keeps its user */
  logIn(name: ByteString, password: ByteString): boolean {
    const user = this.#users.login(name, password);
    if (user !== null) this.user = user;
    return user !== null;
  }

  /** Resets the session to its initial state. */
  logOut(): void {
    this.user = this.#users.anonymous;
  }

  /**
   * Looks up the user again if the users have changed.
   * @returns false if this call found that the user was removed or disabled; the client must then log in again
   */
  renew(): boolean {
    return this.#generation === this.#users.generation || this.#lookUp();
  }

  /**
   * Returns why a command is refused, by the user's rules, for a missing login or for memory; null if it is permitted.
   * @param needsMemory   whether the command is refused while memory is full, according to its `denyoom` flag
   * @param needsNoLogin  whether the command is permitted before a login
   */
  denial(
    command: Command,
    argv: readonly ByteString[],
    needsMemory: boolean,
    needsNoLogin = false,
  ): Denial | null {
    const user = this.#user;
    if (user !== null) {
      const refusal = user.acl.refusedPart(command, argv);
      if (refusal !== null) return refusal;
    } else if (!needsNoLogin) return "no-login";

    return needsMemory && this.isMemoryFull ? "no-memory" : null;
  }

  /**
   * Returns only what the user's rules forbid about a command. Null if they forbid nothing, or if the client must log
   * in first.
   */
  refusal(command: Command, argv: readonly ByteString[]): AclRefusal | null {
    return this.#user?.acl.refusedPart(command, argv) ?? null;
  }

  /** Whether commands with the `denyoom` flag are refused now. Measures the memory again if necessary. */
  get isMemoryFull(): boolean {
    return this.#memory.isFull && this.#memory.refuses(true);
  }

  #lookUp(): boolean {
    const before = this.#user;
    // Without a user, the session gets the rights of a new connection, which may now be permitted without a login.
    if (before === null) {
      this.logOut();
      return true;
    }
    const found = this.#users.find(before.name);
    const isOn = found?.isOn === true;
    this.user = isOn ? found : null;
    return isOn;
  }
}
