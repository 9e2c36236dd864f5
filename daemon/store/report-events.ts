/**
 * Events of keys, in the form of Redis's keyspace notifications: a class, which is a letter, and a name.
 * Source: redis-server 7.0, notify.c; test/faces/redis/notices.test.ts.
 */
import type { ExecutedCommand } from "./change-listener.js";
import { CommandEffects, type ReportEvent } from "./events/command-effects.js";

/** Reports the events of a command, in Redis's order. */
export function reportEvents(executed: ExecutedCommand, report: ReportEvent): void {
  // OBJECT inspects keys, and Redis reports no event for a missing one.
  if (!executed.command.name.startsWith("OBJECT|"))
    for (const key of executed.missed) report("m", "keymiss", executed.unit.db, key);
  if (executed.reply.kind !== "error") executed.command.events?.(new CommandEffects(executed, report));
}
