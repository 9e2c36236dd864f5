/** A MongoDB client as the command path knows who sends. */

import type { LastWrite } from "../../../engine/users/command-path.js";
import type { Guest } from "../../../engine/users/guest.js";
import { GuestSender } from "../../../engine/users/guest-sender.js";
import type { Environment } from "../../../net/process/environment.js";

export class MongoSender extends GuestSender {
  readonly #parts: readonly [Guest, Pick<Environment, "clock">];

  constructor(guest: Guest, environment: Pick<Environment, "clock">) {
    super(guest, environment);
    this.#parts = [guest, environment];
  }

  /** The same for one command, whose place is asked for afterwards. */
  remembering(): MongoSender & { readonly lastWrite: LastWrite } {
    return Object.assign(new MongoSender(...this.#parts), { lastWrite: { place: null } });
  }
}
