/** Who hears what commands do to keys. Beside the state: whether anybody hears changes nothing of it. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { Keyspace } from "../keyspace/keyspace.js";
import type { UndoRecord } from "../keyspace/undo.js";
import type { Unit } from "../keyspace/unit.js";
import type { Command } from "../rows/command.js";

/** A command that has been run. */
export interface HeardCommand {
  readonly command: Command;
  readonly argv: readonly ByteString[];
  /** Lent. */
  readonly unit: Unit;
  readonly reply: Reply;
  /** What takes it back, and so what it has changed, in its order. */
  readonly records: readonly UndoRecord[];
  /** As they are behind it. */
  readonly keyspaces: readonly Keyspace[];
  /** Keys that it looked for and did not find, in its order. */
  readonly missed: readonly ByteString[];
}

/** Why a key went that no command removed. */
export type GoneBy = "expired" | "evicted";

export interface ChangeListener {
  /** A command has been run for the first time. */
  applied(heard: HeardCommand): void;
  /** What commands have changed before was taken back, or made again behind others. */
  redone(records: readonly UndoRecord[]): void;
  /** A key's time is over, or it went to free memory. */
  gone(db: number, key: ByteString, by: GoneBy): void;
  /** Another state has taken the place of this one: nobody knows which keys differ. */
  replaced(): void;
}
