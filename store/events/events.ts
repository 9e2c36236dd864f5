/**
 * Events of keys, as Redis's keyspace notifications have them: a class, which is a letter, and a name.
 * Source: redis-server 7.0, notify.c; test/listeners/resp/notices.test.ts.
 */
import type { HeardCommand } from "./change-listener.js";
import { Doing, type TellEvent } from "./doing.js";
import { EVENT_RULES } from "./event-rules.js";

/** Reports the events of a command, in Redis's order. */
export function tellEvents(heard: HeardCommand, tell: TellEvent): void {
  // OBJECT inspects keys, and a missing key has no event.
  if (!heard.command.name.startsWith("OBJECT|"))
    for (const key of heard.missed) tell("m", "keymiss", heard.unit.db, key);
  if (heard.reply.kind !== "error") EVENT_RULES.get(heard.command.name)?.(new Doing(heard, tell));
}
