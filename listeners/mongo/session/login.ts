/** Who a connection's client is: nobody, or a user of --acl-file who has given his password or proved that he knows it. */

import type { Guest } from "../../../engine/users/guest.js";
import type { Users } from "../../../engine/users/users.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Conversation, MongoLogin } from "./command-host.js";

export class GuestLogin implements MongoLogin {
  readonly isPrivate: boolean;
  conversation: Conversation | null = null;
  readonly #guest: Guest;
  readonly #users: Users;
  #hasLoggedIn = false;

  constructor(guest: Guest, users: Users, isPrivate: boolean) {
    this.#guest = guest;
    this.#users = users;
    this.isPrivate = isPrivate;
  }

  get name(): ByteString | null {
    return this.#hasLoggedIn ? this.#guest.name : null;
  }

  logIn(name: ByteString, password: ByteString): boolean {
    const isIn = this.#guest.logIn(name, password);
    this.#hasLoggedIn ||= isIn;
    return isIn;
  }

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
