/** All commands of the store, by name. A new family is one line here. */
import type { ByteString } from "../protocol/byte-string.js";
import { type CommandFailure, unknownCommand, unknownSubcommand, wrongArity } from "./arguments/errors.js";
import { bitmaps } from "./commands/bitmaps/bitmaps.js";
import { collections } from "./commands/collections/mdb.js";
import { connection } from "./commands/connection.js";
import { dbsync } from "./commands/dbsync.js";
import { documents } from "./commands/documents/documents.js";
import { dumps } from "./commands/dump.js";
import { generic } from "./commands/generic.js";
import { geo } from "./commands/geo/geo.js";
import { hashes } from "./commands/hashes.js";
import { hyperloglogs } from "./commands/hyperloglogs.js";
import { introspection } from "./commands/introspection.js";
import { keys } from "./commands/keys.js";
import { listener } from "./commands/listener.js";
import { lists } from "./commands/lists/lists.js";
import { objects } from "./commands/object.js";
import { pubsub } from "./commands/pubsub.js";
import { relations } from "./commands/relations/sql.js";
import { scripting } from "./commands/scripting.js";
import { server } from "./commands/server.js";
import { sets } from "./commands/sets.js";
import { sorting } from "./commands/sort.js";
import { sortedSets } from "./commands/sorted-sets/sorted-sets.js";
import { consumerGroups } from "./commands/streams/consumer-groups.js";
import { streams } from "./commands/streams/streams.js";
import { strings } from "./commands/strings.js";
import { timeline } from "./commands/timeline.js";
import type { Command } from "./rows/command.js";

export const commands: readonly Command[] = [
  ...strings,
  ...bitmaps,
  ...hyperloglogs,
  ...generic,
  ...dumps,
  ...objects,
  ...sorting,
  ...hashes,
  ...lists,
  ...sets,
  ...sortedSets,
  ...streams,
  ...consumerGroups,
  ...geo,
  ...documents,
  ...relations,
  ...collections,
  ...pubsub,
  ...scripting,
  ...server,
  ...connection,
  ...listener,
  ...dbsync,
  ...keys,
  ...timeline({ find: findCommand }),
  ...introspection({ all: () => commands, find: findCommand }),
];

/** By upper-case and by lower-case name, so that the usual spellings need no conversion. */
const byName = new Map<string, Command>();
/** Names of the commands that have subcommands. */
const containers = new Set<string>();
for (const command of commands) {
  byName.set(command.name, command);
  byName.set(command.name.toLowerCase(), command);
  const [container, subcommand] = command.name.split("|");
  if (subcommand !== undefined) containers.add(container as string);
}

/** Those without subcommands, of one row each, by the same names: most that come. */
const simple = new Map<string, Command>();
for (const [name, command] of byName)
  if (!command.name.includes("|") && !containers.has(command.name) && command.otherRow === undefined)
    simple.set(name, command);

/** Of commands that Redis does not have: their subcommands, none of which is HELP. */
const ownSubcommands: ReadonlyMap<string, readonly string[]> = new Map(
  ["KEY", "TIMELINE", "DBSYNC", "DOC.INDEX", "DOC.MEMBER"].map((container) => [
    container,
    subcommandsOf(container),
  ]),
);

function subcommandsOf(container: string): readonly string[] {
  return commands.flatMap(({ name }) =>
    name.startsWith(`${container}|`) ? [name.slice(container.length + 1)] : [],
  );
}

/** A command by its name in any case, a subcommand as `CONTAINER|NAME`. */
export function findCommand(name: string): Command | undefined {
  return byName.get(name) ?? byName.get(name.toUpperCase());
}

/** Whether arguments call a command, or a subcommand of a known one, that only a Redis behind the daemon may know. */
export function isForeign(argv: readonly ByteString[]): boolean {
  const name = (argv[0] ?? "").toUpperCase();
  if (containers.has(name) && argv.length > 1) return findCommand(`${name}|${argv[1]}`) === undefined;
  return !containers.has(name) && findCommand(name) === undefined;
}

/** The command that arguments call, or why there is none: unknown, or too few or too many arguments. */
export function resolveCommand(argv: readonly ByteString[]): Command | CommandFailure {
  const name = argv[0] ?? "";
  const usual = simple.get(name);
  if (usual !== undefined && hasArity(usual, argv.length)) return usual;
  // The names of subcommands are ours: nobody calls them in one word.
  let command = name.includes("|") ? undefined : findCommand(name);
  if (argv.length > 1 && (command === undefined || containers.has(command.name))) {
    const container = name.toUpperCase();
    if (containers.has(container)) {
      const subcommand = argv[1] as ByteString;
      command = findCommand(`${container}|${subcommand}`);
      if (command === undefined)
        return unknownSubcommand(container, subcommand, ownSubcommands.get(container));
    }
  }
  if (command === undefined)
    return containers.has(name.toUpperCase()) ? wrongArity(name.toLowerCase()) : unknownCommand(argv);
  return hasArity(command, argv.length) ? rowOf(command, argv) : wrongArity(command.name.toLowerCase());
}

/** Whether a call may change data, whatever the number of its arguments; undefined: the table does not know it. */
export function mayWrite(argv: readonly ByteString[]): boolean | undefined {
  const [name = "", subcommand = ""] = argv;
  const own = findCommand(name);
  // A container's own row says nothing of its subcommands.
  const isContainer = own === undefined || containers.has(own.name);
  const command = isContainer ? (findCommand(`${name}|${subcommand}`) ?? own) : own;
  return command === undefined ? undefined : rowOf(command, argv).writes;
}

/** The row of a call: a command may have another one for some arguments. */
function rowOf(command: Command, argv: readonly ByteString[]): Command {
  const other = command.otherRow?.(argv) ?? null;
  return other === null ? command : (byName.get(other) as Command);
}

const hasArity = ({ arity }: Command, length: number): boolean =>
  arity >= 0 ? length === arity : length >= -arity;
