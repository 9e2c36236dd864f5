/** All commands of the store, by name. To add a family, add a line to this file. */

import { documents } from "../../faces/json/store/commands/documents.js";
import { collections } from "../../faces/mongo/store/commands/mdb-commands.js";
import { bitmaps } from "../../faces/redis/store/commands/bitmaps/bitmaps.js";
import { dumps } from "../../faces/redis/store/commands/dump.js";
import { geo } from "../../faces/redis/store/commands/geo/geo.js";
import { hyperloglogs } from "../../faces/redis/store/commands/hyperloglogs.js";
import { sorting } from "../../faces/redis/store/commands/sort.js";
import { consumerGroups } from "../../faces/redis/store/commands/streams/consumer-groups.js";
import { streams } from "../../faces/redis/store/commands/streams/streams.js";
import { relations } from "../../faces/sql/store/commands/sql-commands.js";
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
import { type FamilyName, familyNamed, familyRows } from "./rows/command-families.js";
import { CommandIndex } from "./rows/command-index.js";
import type { Command } from "./rows/command-row.js";

const CODE: Readonly<Record<FamilyName, readonly Command[]>> = {
  bitmaps,
  hyperloglogs,
  dumps,
  sorting,
  streams,
  "consumer-groups": consumerGroups,
  geo,
  documents,
  relations,
  collections,
};
for (const [name, rows] of Object.entries(CODE)) familyNamed(name as FamilyName).supply(rows);

export const commands: readonly Command[] = [
  ...strings,
  ...familyRows("bitmaps"),
  ...familyRows("hyperloglogs"),
  ...generic,
  ...familyRows("dumps"),
  ...objects,
  ...familyRows("sorting"),
  ...hashes,
  ...lists,
  ...sets,
  ...sortedSets,
  ...familyRows("streams"),
  ...familyRows("consumer-groups"),
  ...familyRows("geo"),
  ...familyRows("documents"),
  ...familyRows("relations"),
  ...familyRows("collections"),
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
