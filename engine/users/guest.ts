/**
 * Who sends commands on a connection of a listener for users: logged in or not, looked up anew when the users change. The one
 * gate of his commands: what he may do, and whether there is memory for it. Listeners tell a denial in their own words.
 */

import type { ByteString } from "../../protocol/byte-string.js";
import type { AclRefusal } from "../../store/rights/acl.js";
import { forbiddenChannel } from "../../store/rights/channel-rights.js";
import type { Command } from "../../store/rows/command.js";
import type { MemoryLimit } from "../memory/memory-limit.js";
import type { User, Users } from "./users.js";

/** Why a command is not carried out: somebody has to log in first, the user's rules, or memory is full. */
export type Denial = "no-login" | "no-memory" | AclRefusal;

export class Guest {
  readonly #users: Users;
  readonly #memory: MemoryLimit;
  #user: User | null;
  /** Of the users, when this one was looked up. */
  #generation: number;

  constructor(users: Users, memory: MemoryLimit) {
    this.#users = users;
    this.#memory = memory;
    this.#user = users.anonymous;
    this.#generation = users.generation;
  }

  /** null: nobody has logged in who has to. */
  get user(): User | null {
    return this.#user;
  }

  set user(user: User | null) {
    this.#user = user;
    this.#generation = this.#users.generation;
  }

  /** As the audit names him; null: nobody. */
  get name(): ByteString | null {
    return this.#user?.name ?? null;
  }

  get readsAll(): boolean {
    return this.#user?.acl.mayReadAll ?? false;
  }

  /** @returns whether it is a user's name and password; if not, he stays who he was */
  logIn(name: ByteString, password: ByteString): boolean {
    const user = this.#users.login(name, password);
    if (user !== null) this.user = user;
    return user !== null;
  }

  /** As at the connection's beginning. */
  logOut(): void {
    this.user = this.#users.anonymous;
  }

  /** Looks him up if the users have changed. @returns false: who had logged in is gone or switched off, and is nobody now */
  renew(): boolean {
    return this.#generation === this.#users.generation || this.#lookUp();
  }

  /**
   * The gate, for each command.
   * @param needsMemory  whether it is refused while memory is full, as its flag `denyoom` says
   * @param isOpen       whether it is carried out before anybody has logged in
   */
  denial(command: Command, argv: readonly ByteString[], needsMemory: boolean, isOpen = false): Denial | null {
    const user = this.#user;
    if (user !== null) {
      const refusal = refusalOf(user, command, argv);
      if (refusal !== null) return refusal;
    } else if (!isOpen) return "no-login";
    return needsMemory && this.lacksMemory ? "no-memory" : null;
  }

  /** What his rules say of a command alone; null: nothing against it, as while nobody has logged in. */
  refusal(command: Command, argv: readonly ByteString[]): AclRefusal | null {
    const user = this.#user;
    return user === null ? null : refusalOf(user, command, argv);
  }

  /** Whether there is no memory for commands that need some. */
  get lacksMemory(): boolean {
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

/** What a user's rules say against a command, those on channels among them; null: nothing. Source: redis-server 7.0, acl.c. */
export function refusalOf(
  { acl, channels }: User,
  command: Command,
  argv: readonly ByteString[],
): AclRefusal | null {
  const refusal = acl.isUnlimited ? null : acl.refusal(command, argv);
  if (refusal !== null || channels === null) return refusal;
  const channel = forbiddenChannel(channels, command.name, argv);
  return channel === null ? null : { what: "channel", channel };
}
