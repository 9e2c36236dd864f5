/** All commands of MongoDB clients, as listed in docs/mongo.md. Other commands fail with CommandNotFound. */
import type { MongoCommand } from "../session/mongo-session.js";
import { collectionCommands } from "./collection-commands.js";
import { greetings, logins, sessionCommands } from "./login-commands.js";
import { cursorCommands, readCommands } from "./read-commands.js";
import { writeCommands } from "./write-commands.js";

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
