/**
 * The interface of an observer of changes of keys, and the events of keys. An observer is not part of the state and
 * does not affect it.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { CommandEffects, type CommandResult, type ReportEvent } from "./events/command-effects.js";
import type { UndoRecord } from "./keyspace/undo.js";
import type { Command } from "./rows/command-row.js";

/** A command that has been executed. */
export interface ExecutedCommand extends CommandResult {
  readonly command: Command;
  /** Keys that the command looked up but did not find, in the order of the look-ups. */
  readonly missed: readonly ByteString[];
}

/** Why a key disappeared without being removed by a command. */
export type RemovalCause = "expired" | "evicted";

export interface ChangeObserver {
  /** Called after a command was executed for the first time. */
  applied(executed: ExecutedCommand): void;
  /** Called after changes were undone, or applied again because earlier entries were inserted. */
  redone(records: readonly UndoRecord[]): void;
  /**
   * Called after a key expired or was evicted to free memory.
   * @param inUnit  whether a unit has removed it, which may still be undone
   */
  removed(db: number, key: ByteString, by: RemovalCause, inUnit?: boolean): void;
  /** Called before a unit that may still be refused: its events must not be reported yet. */
  holdEvents(): void;
  /** Called after that unit. @param isDone  whether the unit takes effect; otherwise its events are dropped */
  releaseEvents(isDone: boolean): void;
  /** Called after another state has replaced this one. It is not known which keys differ. */
  replaced(): void;
}

/**
 * Reports the events of a command, in the form and the order of Redis's keyspace notifications. Source: redis-server
 * 7.0, notify.c; faces/redis/test/notices.test.ts.
 */
export function reportEvents(executed: ExecutedCommand, report: ReportEvent): void {
  // OBJECT inspects keys, and Redis reports no event for a missing one.
  if (!executed.command.name.startsWith("OBJECT|"))
    for (const key of executed.missed) report("m", "keymiss", executed.unit.db, key);
  if (executed.reply.kind !== "error") executed.command.events?.(new CommandEffects(executed, report));
}
