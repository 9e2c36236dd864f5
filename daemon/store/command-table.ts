/** All commands of the store, by name. To add a family, add a line to this file. */

import { connection } from "./commands/connection.js";
import { generic } from "./commands/generic.js";
import { hashes } from "./commands/hashes.js";
import { introspection } from "./commands/introspection.js";
import { keys } from "./commands/key-ring-commands.js";
import { listener } from "./commands/listener-commands.js";
import { lists } from "./commands/lists/lists.js";
import { objects } from "./commands/object.js";
import { pubsub } from "./commands/pubsub.js";
import { scripting } from "./commands/scripting.js";
import { server } from "./commands/server.js";
import { sets } from "./commands/sets.js";
import { sortedSets } from "./commands/sorted-sets/sorted-sets.js";
import { strings } from "./commands/strings.js";
import { timeline } from "./commands/timeline.js";
import { dbsync } from "./commands/writers.js";
import { familyRows } from "./rows/command-families.js";
import { CommandIndex } from "./rows/command-index.js";
import type { Command } from "./rows/command-row.js";

export const commands: readonly Command[] = [
  ...strings,
  ...familyRows("redis/bitmaps"),
  ...familyRows("redis/hyperloglogs"),
  ...generic,
  ...familyRows("redis/dumps"),
  ...objects,
  ...familyRows("redis/sorting"),
  ...hashes,
  ...lists,
  ...sets,
  ...sortedSets,
  ...familyRows("redis/streams"),
  ...familyRows("redis/geo"),
  ...familyRows("json/documents"),
  ...familyRows("sql/relations"),
  ...familyRows("mongo/collections"),
  ...pubsub,
  ...scripting,
  ...server,
  ...connection,
  ...listener,
  ...dbsync,
  ...keys,
  ...timeline(findCommand),
  ...introspection({ all: () => commands, find: findCommand }),
];

/** The newest table of this release. Listeners, and daemons without a timeline, use it. */
export const commandTable = new CommandIndex(commands);

/** Returns a command by its name, regardless of upper and lower case; a subcommand is `CONTAINER|NAME`. */
export function findCommand(name: string): Command | undefined {
  return commandTable.find(name);
}
