/** Who a connection's client is: nobody, or a user of --acl-file who has given his password or proved that he knows it. */

import type { Guest } from "../../../engine/users/guest.js";
import type { Users } from "../../../engine/users/users.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ScramLogin } from "./scram.js";

/** A login by proof that is under way. */
export interface Conversation {
  readonly scram: ScramLogin;
  /** Whether the client wants no further exchange behind the proofs. */
  readonly skipsLast: boolean;
  readonly isProved: boolean;
}

export class MongoLogin {
  /** Whether what is said here cannot be heard by others. */
  readonly isPrivate: boolean;
  /** null: none is under way. */
  conversation: Conversation | null = null;
  readonly #guest: Guest;
  readonly #users: Users;
  #hasLoggedIn = false;

  constructor(guest: Guest, users: Users, isPrivate: boolean) {
    this.#guest = guest;
    this.#users = users;
    this.isPrivate = isPrivate;
  }

  /** null: nobody. */
  get name(): ByteString | null {
    return this.#hasLoggedIn ? this.#guest.name : null;
  }

  logIn(name: ByteString, password: ByteString): boolean {
    const isIn = this.#guest.logIn(name, password);
    this.#hasLoggedIn ||= isIn;
    return isIn;
  }

  /** A user has proved who he is. @returns whether he may come in */
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
