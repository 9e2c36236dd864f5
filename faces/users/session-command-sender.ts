/**
 * A user session as the sender of its commands: the name and the rights are those of the session. All commands use the
 * same database, and no answer is delayed until a write is final.
 */

import type { CommandSender } from "../../daemon/engine/backends/command-path.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { UserSession } from "./user-session.js";

export class SessionCommandSender implements CommandSender {
  readonly db = 0;
  readonly isStable = false;
  readonly #session: UserSession;
  readonly #environment: Environment;

  constructor(session: UserSession, environment: Environment) {
    this.#session = session;
    this.#environment = environment;
  }

  get now(): number {
    return this.#environment.clock();
  }

  get as(): ByteString | null {
    return this.#session.name;
  }

  get readsAll(): boolean {
    return this.#session.readsAll;
  }

  /**
   * Returns a sender for one command whose answer waits for replication.
   * @param replicated  called with true if another daemon has the write
   */
  awaiting(replicated: (isReplicated: boolean) => void): CommandSender {
    const { db, now, isStable, as, readsAll } = this;
    return { db, now, isStable, as, readsAll, replicated };
  }
}
