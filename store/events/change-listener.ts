/** Interface of the listener for what commands do to keys. It is not part of the state: whether there is a listener changes nothing. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { Keyspace } from "../keyspace/keyspace.js";
import type { UndoRecord } from "../keyspace/undo.js";
import type { Unit } from "../keyspace/unit.js";
import type { Command } from "../rows/command.js";

/** A command that has been run. */
export interface ExecutedCommand {
  readonly command: Command;
  readonly argv: readonly ByteString[];
  /** Lent. */
  readonly unit: Unit;
  readonly reply: Reply;
  /** The undo records, and so the changes, in order. */
  readonly records: readonly UndoRecord[];
  /** The data after the command. */
  readonly keyspaces: readonly Keyspace[];
  /** Keys that it looked for and did not find, in its order. */
  readonly missed: readonly ByteString[];
}

/** Why a key went that no command removed. */
export type GoneBy = "expired" | "evicted";

export interface ChangeListener {
  /** A command has been run for the first time. */
  applied(executed: ExecutedCommand): void;
  /** Called after changes were undone, or redone after inserted ones. */
  redone(records: readonly UndoRecord[]): void;
  /** A key expired, or was evicted to free memory. */
  gone(db: number, key: ByteString, by: GoneBy): void;
  /** Is called after another state has replaced this one: the keys that differ are not known. */
  replaced(): void;
}
