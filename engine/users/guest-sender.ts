/** A guest as a command path knows who sends: one that has a single database, and does not wait until what he writes is final. */

import type { Environment } from "../../net/process/environment.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { CommandSender } from "./command-path.js";
import type { Guest } from "./guest.js";

export class GuestSender implements CommandSender {
  readonly db = 0;
  readonly isStable = false;
  readonly #guest: Guest;
  readonly #environment: Environment;

  constructor(guest: Guest, environment: Environment) {
    this.#guest = guest;
    this.#environment = environment;
  }

  get now(): number {
    return this.#environment.clock();
  }

  get as(): ByteString | null {
    return this.#guest.name;
  }

  get readsAll(): boolean {
    return this.#guest.readsAll;
  }

  /** The same for one command, of which it is told whether it has reached another daemon. */
  awaiting(replicated: (came: boolean) => void): CommandSender {
    const { db, now, isStable, as, readsAll } = this;
    return { db, now, isStable, as, readsAll, replicated };
  }
}
