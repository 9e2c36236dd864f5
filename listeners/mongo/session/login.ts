/** The user of a connection: none, or a user of --acl-file after a login by password or by proof. */

import type { UserSession } from "../../../engine/users/user-session.js";
import type { Users } from "../../../engine/users/users.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ScramLogin } from "./scram.js";

/** A login by proof that is under way. */
export interface Conversation {
  readonly scram: ScramLogin;
  /** Whether the client expects no exchange after the proofs. */
  readonly skipsLast: boolean;
  readonly isProved: boolean;
}

export class MongoLogin {
  /** Whether the connection is safe from eavesdroppers. */
  readonly isPrivate: boolean;
  /** The login by proof that is under way; null: none. */
  conversation: Conversation | null = null;
  readonly #guest: UserSession;
  readonly #users: Users;
  #hasLoggedIn = false;

  constructor(guest: UserSession, users: Users, isPrivate: boolean) {
    this.#guest = guest;
    this.#users = users;
    this.isPrivate = isPrivate;
  }

  /** The user's name; null: no user has logged in. */
  get name(): ByteString | null {
    return this.#hasLoggedIn ? this.#guest.name : null;
  }

  logIn(name: ByteString, password: ByteString): boolean {
    const isIn = this.#guest.logIn(name, password);
    this.#hasLoggedIn ||= isIn;
    return isIn;
  }

  /** Logs in a user whose proof is valid. @returns whether the user exists and is on */
  enter(name: ByteString): boolean {
    const user = this.#users.find(name);
    if (user?.isOn !== true) return false;
    this.#guest.user = user;
    this.#hasLoggedIn = true;
    return true;
  }

  logOut(): void {
    this.conversation = null;
    this.#hasLoggedIn = false;
    this.#guest.logOut();
  }
}
