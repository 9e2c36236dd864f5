/** All commands of MongoDB clients, as docs/mongo.md lists them. Any other is CommandNotFound. */
import type { MongoCommand } from "../session/session.js";
import { collectionCommands } from "./collections.js";
import { cursorCommands } from "./cursors.js";
import { greetings } from "./greeting.js";
import { logins } from "./login.js";
import { readCommands } from "./reads.js";
import { sessionCommands } from "./sessions.js";
import { writeCommands } from "./writes.js";

export const mongoCommands: readonly MongoCommand[] = [
  ...greetings,
  ...logins,
  ...sessionCommands,
  ...readCommands,
  ...writeCommands,
  ...collectionCommands,
  ...cursorCommands,
];

export const mongoCommandsByName: ReadonlyMap<string, MongoCommand> = new Map(
  mongoCommands.flatMap((command) => command.names.map((name) => [name, command] as const)),
);
