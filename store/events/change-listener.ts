/** The interface of a listener for changes of keys. A listener is not part of the state and does not affect it. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { Keyspace } from "../keyspace/keyspace.js";
import type { UndoRecord } from "../keyspace/undo.js";
import type { Unit } from "../keyspace/unit.js";
import type { Command } from "../rows/command-row.js";

/** A command that has been executed. */
export interface ExecutedCommand {
  readonly command: Command;
  readonly argv: readonly ByteString[];
  /** Valid only during the call. */
  readonly unit: Unit;
  readonly reply: Reply;
  /** The undo records, which describe the changes, in order. */
  readonly records: readonly UndoRecord[];
  /** The data after the command. */
  readonly keyspaces: readonly Keyspace[];
  /** Keys that the command looked up but did not find, in the order of the look-ups. */
  readonly missed: readonly ByteString[];
}

/** Why a key disappeared without being removed by a command. */
export type RemovalCause = "expired" | "evicted";

export interface ChangeListener {
  /** Called after a command was executed for the first time. */
  applied(executed: ExecutedCommand): void;
  /** Called after changes were undone, or applied again because earlier entries were inserted. */
  redone(records: readonly UndoRecord[]): void;
  /** Called after a key expired or was evicted to free memory. */
  removed(db: number, key: ByteString, by: RemovalCause): void;
  /** Called after another state has replaced this one. It is not known which keys differ. */
  replaced(): void;
}
