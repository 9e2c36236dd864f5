/** The user of a connection: none, or a user of --acl-file after a login with a password or by SCRAM. */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { UserSession } from "../../users/user-session.js";
import type { Users } from "../../users/users.js";
import type { ScramLogin } from "./scram.js";

/** A SCRAM login that is in progress. */
export interface Conversation {
  readonly scram: ScramLogin;
  /** Whether the client expects no further exchange after the proofs. */
  readonly skipsLast: boolean;
  readonly isVerified: boolean;
}

export class MongoLogin {
  /** Whether the connection is protected from eavesdroppers. */
  readonly isPrivate: boolean;
  /** The SCRAM login in progress, or null if there is none. */
  conversation: Conversation | null = null;
  readonly #userSession: UserSession;
  readonly #users: Users;
  #hasLoggedIn = false;

  constructor(userSession: UserSession, users: Users, isPrivate: boolean) {
    this.#userSession = userSession;
    this.#users = users;
    this.isPrivate = isPrivate;
  }

  /** The user's name, or null if no user has logged in. */
  get name(): ByteString | null {
    return this.#hasLoggedIn ? this.#userSession.name : null;
  }

  logIn(name: ByteString, password: ByteString): boolean {
    const isAccepted = this.#userSession.logIn(name, password);
    this.#hasLoggedIn ||= isAccepted;
    return isAccepted;
  }

  /** Logs in a user whose proof is valid. @returns whether the user exists and is enabled */
  enter(name: ByteString): boolean {
    const user = this.#users.find(name);
    if (user?.isOn !== true) return false;
    this.#userSession.user = user;
    this.#hasLoggedIn = true;
    return true;
  }

  logOut(): void {
    this.conversation = null;
    this.#hasLoggedIn = false;
    this.#userSession.logOut();
  }
}
