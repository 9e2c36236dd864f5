/**
 * Runs the commands of one connection to a listener with users. Each command is looked up, and runs only if the user's
 * rules and the memory limit permit it.
 */

import {
  type CheckedCommand,
  type CommandPath,
  type CommandSender,
  type LastWrite,
  newLastWrite,
} from "../../daemon/engine/backends/command-path.js";
import type { MemoryLimit } from "../../daemon/engine/memory/memory-limit.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import { CommandFailure } from "../../daemon/store/arguments/command-errors.js";
import { commandTable } from "../../daemon/store/command-table.js";
import { missingCode } from "../../daemon/store/family-code.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error, type Reply } from "../../protocol/reply.js";
import { type Denial, UserSession } from "./user-session.js";
import type { Users } from "./users.js";

export class UserCommands {
  readonly userSession: UserSession;
  readonly #path: CommandPath;
  readonly #denied: (denial: Denial) => ErrorReply;
  /** The name of the last command, which is shown to administrators. */
  #last = "";

  /** @param denied  converts a denial to the listener's protocol, and returns or throws the result */
  constructor(
    {
      users,
      memory,
      path,
    }: { readonly users: Users; readonly memory: MemoryLimit; readonly path: CommandPath },
    denied: (denial: Denial) => ErrorReply,
  ) {
    this.userSession = new UserSession(users, memory);
    this.#path = path;
    this.#denied = denied;
  }

  /** Whether the client still has to log in. */
  get needsLogin(): boolean {
    return this.userSession.user === null;
  }

  /** The user's name, and the name of the last command. */
  get doing(): { readonly name: string; readonly command: string } {
    return { name: this.userSession.name ?? "", command: this.#last.toLowerCase() };
  }

  /** Returns the checked command, or an error if the command is unknown or denied. */
  permitted(argv: readonly ByteString[]): CheckedCommand | ErrorReply {
    const missing = missingCode([argv]);
    if (missing !== null) return error(`ERR ${missing}`);
    const command = commandTable.resolve(argv);
    if (command instanceof CommandFailure) return command.reply;
    this.#last = command.name;
    const denial = this.userSession.denial(command, argv, command.flags.includes("denyoom"));
    return denial === null ? { command, argv } : this.#denied(denial);
  }

  /** Runs a command. Errors are returned as replies; a promise never rejects. */
  run(argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply> {
    const called = this.permitted(argv);
    return "kind" in called ? called : this.#path.execute(called.command, argv, sender);
  }
}

/**
 * A user session as the sender of its commands: the name and the rights are those of the session. All commands use the
 * same database, and no answer is delayed until a write is final.
 */
export class SessionCommandSender implements CommandSender {
  readonly db = 0;
  readonly isStable = false;
  readonly lastWrite: LastWrite = newLastWrite();
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
    const { db, now, isStable, as, readsAll, lastWrite } = this;
    return { db, now, isStable, as, readsAll, lastWrite, replicated };
  }
}
