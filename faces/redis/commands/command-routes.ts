/** Finds the command of a request, and how the connection handles it. Called for each request. */

import type { CommandPath } from "../../../daemon/engine/backends/command-path.js";
import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import { commands, commandTable, findCommand } from "../../../daemon/store/command-table.js";
import { missingCode } from "../../../daemon/store/family-code.js";
import { isKeyCommand } from "../../../daemon/store/key-ring.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { CommandCounts } from "../session/command-counts.js";
import type { Route, SessionHandler } from "../session/resp-session.js";

/** The handlers by name in the command table; subcommands are `CONTAINER|NAME`. */
export type SessionHandlers = ReadonlyMap<string, SessionHandler>;

/**
 * The commands that MULTI never queues. Source: redis-server 7.0, processCommand. They are not in the rows because only
 * the connection, which executes them itself, queues commands.
 */
const NEVER_QUEUED: ReadonlySet<string> = new Set(["EXEC", "DISCARD", "MULTI", "WATCH", "QUIT", "RESET"]);

const KEYS_NEED_ENVELOPES = new CommandFailure(
  "ERR KEY commands need signed envelopes: use dbsync keys; to manage the users of Redis clients, use ACL",
);
/** Redis's message for a server without cluster support. CLUSTER ADD is accepted only in envelopes. */
const NO_CLUSTER = new CommandFailure("ERR This instance has cluster support disabled");

export class CommandRoutes {
  readonly #routes = new Map<Command, Route>();
  /** The routes of commands without subcommands and with a single row, by the usual spellings of their names. */
  readonly #byName = new Map<ByteString, Route>();
  readonly #unsupported: CommandPath["unsupported"];
  /** The names of commands that have subcommands. */
  readonly #containers: ReadonlySet<string>;

  /** @param unsupported  the commands that are refused, with the error */
  constructor(handlers: SessionHandlers, unsupported: CommandPath["unsupported"]) {
    this.#unsupported = unsupported;
    const containers = new Set(commands.flatMap(({ name }) => containerOf(name)));
    this.#containers = containers;
    for (const command of commands) {
      const { name, flags, writes } = command;
      // Key commands are accepted only in signed envelopes.
      if (isKeyCommand([name.split("|")[0] as string])) continue;
      const refusal = unsupported.get(name) ?? null;
      const route: Route = {
        command,
        handler: refusal === null ? (handlers.get(name) ?? null) : () => refusal,
        refusal,
        writes,
        isOpen: flags.includes("no_auth"),
        inTransaction: NEVER_QUEUED.has(name) ? "at-once" : flags.includes("no_multi") ? "refused" : "queued",
        mayWait: command.waitsFor !== undefined,
        counts: new CommandCounts(),
        inScript: !flags.includes("noscript") && !flags.includes("no_multi"),
        needsMemory: flags.includes("denyoom"),
      };
      this.#routes.set(command, route);
      if (containers.has(name) || name.includes("|") || command.otherRow !== undefined) continue;
      this.#byName.set(name, route).set(name.toLowerCase(), route);
    }
  }

  /** The call counts of each command. */
  get counts(): ReadonlyMap<Command, CommandCounts> {
    return new Map([...this.#routes].map(([command, { counts }]) => [command, counts]));
  }

  /** Returns the route of a request. @param argv  at least the name */
  find(argv: readonly ByteString[]): Route | CommandFailure {
    const missing = missingCode([argv]);
    if (missing !== null) return new CommandFailure(`ERR ${missing}`);

    const route = this.#byName.get(argv[0] as ByteString);
    if (route !== undefined) {
      const { arity } = route.command;
      if (arity < 0 ? argv.length >= -arity : argv.length === arity) return route;
    }
    if (isKeyCommand(argv))
      return (argv[0] as ByteString).toUpperCase() === "KEY" ? KEYS_NEED_ENVELOPES : NO_CLUSTER;

    const command = commandTable.resolve(argv);
    if (!(command instanceof CommandFailure)) return this.#routes.get(command) as Route;

    const refusal = this.#unsupported.get((argv[0] as ByteString).toUpperCase());
    return refusal === undefined ? command : new CommandFailure(refusal.text);
  }

  /** Returns the route of a command or subcommand, regardless of the number of its arguments. */
  named([name = "", subcommand]: readonly ByteString[]): Route | undefined {
    const isContainer = this.#containers.has(name.toUpperCase()) && subcommand !== undefined;
    const command = findCommand(isContainer ? `${name}|${subcommand}` : name);
    return command === undefined ? undefined : this.#routes.get(command);
  }
}

function containerOf(name: string): string[] {
  const [container, subcommand] = name.split("|");
  return subcommand === undefined ? [] : [container as string];
}
