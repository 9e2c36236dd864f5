/**
 * Runs the commands of a script: looks up each command, checks the user's permission, and executes the command. Order
 * and texts: redis-server 7.0, script.c.
 */

import type { StepRunner } from "../../../daemon/engine/backends/command-path.js";
import type { LogLevel } from "../../../daemon/net/process/log-settings.js";
import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import { findCommand } from "../../../daemon/store/command-table.js";
import type { AclRefusal } from "../../../daemon/store/rights/acl.js";
import { type Command, waitsByOption } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type ErrorReply, error, NIL, type Reply } from "../../../protocol/reply.js";
import type { ScriptCaller } from "../scripts/lua/script-run.js";
import { sortedInstead } from "../store/commands/sort.js";
import { noteRefusal, OUT_OF_MEMORY } from "./refused-commands.js";
import type { RespSession, Route } from "./resp-session.js";

const TYPE = findCommand("TYPE") as Command;
const UNKNOWN = error("ERR Unknown Redis command called from script");
const WRONG_NUMBER = error("ERR Wrong number of args calling Redis command from script");
const NOT_ALLOWED = error("ERR This Redis command is not allowed from script");
const READS_ONLY = error("ERR Write commands are not allowed from read-only scripts.");
const REFUSED: Readonly<Record<AclRefusal["what"], ErrorReply>> = {
  command: error("ERR The user executing the script can't run this command or subcommand"),
  key: error(
    "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
  ),
  channel: error("ERR The user executing the script can't publish to the channel mentioned in the command"),
};

/** Redis's log levels by number. */
const LEVELS: readonly LogLevel[] = ["debug", "debug", "info", "warn"];

export interface ScriptRights {
  readonly mayWrite: boolean;
  /** Whether the script may write even while memory is full. */
  readonly allowsOom: boolean;
}

export class SessionCaller implements ScriptCaller {
  readonly #session: RespSession;
  readonly #run: StepRunner;
  readonly #rights: ScriptRights;
  readonly #keys: readonly ByteString[];
  #hasWritten = false;

  /** @param keys  the keys that the script's caller declares */
  constructor(session: RespSession, run: StepRunner, rights: ScriptRights, keys: readonly ByteString[]) {
    this.#keys = keys;
    this.#session = session;
    this.#run = run;
    this.#rights = rights;
  }

  call(argv: readonly ByteString[]): Reply {
    const { routes } = this.#session;
    const found = routes.find(argv);
    if (found instanceof CommandFailure) return routes.named(argv) === undefined ? UNKNOWN : WRONG_NUMBER;

    const refusal = this.#refusal(found, argv);
    if (refusal !== null) {
      found.counts.rejected++;
      return refusal;
    }

    if (found.writes) this.#hasWritten = true;
    const { command, handler } = found;
    const { server } = this.#session;
    if (server.tracking.size > 0) server.tracking.ranInScript(this.#session, command, argv, this.#keys);
    const reply = handler === null ? this.#ran(command, argv) : this.#handled(found, argv);
    found.counts.add(0, reply.kind === "error");
    if (server.monitors.size > 0) server.show(command, argv, this.#session, "lua");
    return reply;
  }

  may(argv: readonly ByteString[]): boolean | null {
    const { routes, userSession } = this.#session;
    const found = routes.find(argv);
    return found instanceof CommandFailure ? null : userSession.refusal(found.command, argv) === null;
  }

  log(level: number, text: ByteString): void {
    this.#session.server.daemon.writeLog(LEVELS[level] ?? "info", text);
  }

  #refusal(found: Route, argv: readonly ByteString[]): ErrorReply | null {
    const session = this.#session;
    const { command } = found;
    if (!found.inScript) return NOT_ALLOWED;
    if (found.writes && !this.#rights.mayWrite) return READS_ONLY;

    const refused = session.userSession.refusal(command, argv);
    if (refused !== null) {
      noteRefusal(session, command, refused, "lua");
      return REFUSED[refused.what];
    }

    const isFull = found.needsMemory && !this.#rights.allowsOom && !this.#hasWritten;
    if (isFull && session.userSession.isMemoryFull) return OUT_OF_MEMORY;

    // Other blocking commands do not wait in scripts.
    return waitsByOption(command.waitsFor, argv)
      ? error(`ERR ${argv[0]} command is not allowed with BLOCK option from scripts`)
      : null;
  }

  /**
   * Runs a command. As in Redis, an unordered SORT of a set is replaced by an ordered one, because scripts must return
   * the same result everywhere.
   */
  #ran(command: Command, argv: readonly ByteString[]): Reply {
    const { db } = this.#session;
    const sorted = sortedInstead(command.name, argv);
    if (sorted === null) return this.#run(command, argv, db);
    const type = this.#run(TYPE, [TYPE.name, argv[1] ?? ""], db);
    return this.#run(command, type.kind === "status" && type.text === "set" ? sorted : argv, db);
  }

  /** Executes a command that the connection handles itself; such commands never take long. */
  #handled({ handler }: Route, argv: readonly ByteString[]): Reply {
    try {
      const reply = handler?.(this.#session, argv) ?? NIL;
      return reply instanceof Promise ? NOT_ALLOWED : reply;
    } catch (failure) {
      if (failure instanceof CommandFailure) return failure.reply;
      throw failure;
    }
  }
}
