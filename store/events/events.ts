/**
 * What commands do to keys, as Redis's keyspace notifications name it: a class, which is a letter, and a name.
 * Source: redis-server 7.0, notify.c; test/listeners/resp/notices.test.ts.
 */
import type { HeardCommand } from "./change-listener.js";
import { Doing, type TellEvent } from "./doing.js";
import { EVENT_RULES } from "./event-rules.js";

/** Tells of what a command has done, in Redis's order. */
export function tellEvents(heard: HeardCommand, tell: TellEvent): void {
  // OBJECT asks about keys, and of none that is not there anybody is told.
  if (!heard.command.name.startsWith("OBJECT|"))
    for (const key of heard.missed) tell("m", "keymiss", heard.unit.db, key);
  if (heard.reply.kind !== "error") EVENT_RULES.get(heard.command.name)?.(new Doing(heard, tell));
}
