/**
 * The user session of a connection, with or without a login. The user is looked up again when the users change. All
 * checks of a command's permission and memory use are made here, and each listener reports a denial with the errors of
 * its own protocol.
 */
import type { MemoryLimit } from "../../daemon/engine/memory/memory-limit.js";
import type { AclRefusal } from "../../daemon/store/rights/acl.js";
import { forbiddenChannel } from "../../daemon/store/rights/patterns.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { User, Users } from "./users.js";

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

  /** The user, or null if a login is required and the client has not logged in. */
  get user(): User | null {
    return this.#user;
  }

  set user(user: User | null) {
    this.#user = user;
    this.#generation = this.#users.generation;
  }

  /** The user's name in the audit log, or null if not logged in. */
  get name(): ByteString | null {
    return this.#user?.name ?? null;
  }

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
   * @returns false if the user was removed or disabled; the session is then no longer logged in
   */
  renew(): boolean {
    return this.#generation === this.#users.generation || this.#lookUp();
  }

  /**
   * Returns why a command is refused, or null if it is permitted.
   * @param needsMemory  whether the command is refused while memory is full, according to its `denyoom` flag
   * @param isOpen       whether the command is permitted before a login
   */
  denial(command: Command, argv: readonly ByteString[], needsMemory: boolean, isOpen = false): Denial | null {
    const user = this.#user;
    if (user !== null) {
      const refusal = refusalOf(user, command, argv);
      if (refusal !== null) return refusal;
    } else if (!isOpen) return "no-login";
    return needsMemory && this.isMemoryFull ? "no-memory" : null;
  }

  /**
   * Returns what the user's rules forbid about a command. Null if they forbid nothing, or if the client has not logged
   * in.
   */
  refusal(command: Command, argv: readonly ByteString[]): AclRefusal | null {
    const user = this.#user;
    return user === null ? null : refusalOf(user, command, argv);
  }

  /** Whether there is not enough memory for commands that need more. */
  get isMemoryFull(): boolean {
    return this.#memory.isFull && this.#memory.refuses(true);
  }

  #lookUp(): boolean {
    const before = this.#user;
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

/**
 * Returns what a user's rules, including the rules on channels, forbid about a command, or null if they forbid nothing.
 * Source: redis-server 7.0, acl.c.
 */
export function refusalOf(
  { acl, channels }: User,
  command: Command,
  argv: readonly ByteString[],
): AclRefusal | null {
  const refusal = acl.isUnlimited ? null : acl.refusal(command, argv);
  if (refusal !== null || channels === null) return refusal;
  const channel = forbiddenChannel(channels, command, argv);
  return channel === null ? null : { what: "channel", channel };
}
