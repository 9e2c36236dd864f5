/** The sources of the events that clients of version 2 may subscribe to: channels, and changes of keys. */
import type { Channels } from "../../engine/channels/channels.js";
import { type KeyChanges, KeyWatchers } from "../../engine/channels/key-watchers.js";
import type { ByteString } from "../../protocol/byte-string.js";

/** A database in memory. */
export interface WatchedDatabase {
  readonly changes: KeyChanges;
  /** Returns the unit that last changed a key; empty: the key is absent. */
  writerOf(db: number, key: ByteString): ByteString;
}

export class EventSources {
  readonly channels: Channels;
  /** null: the database does not report which keys change. */
  readonly keys: KeyWatchers | null;
  readonly #database: Partial<WatchedDatabase>;

  constructor(channels: Channels, database: Partial<WatchedDatabase>) {
    this.channels = channels;
    this.keys = database.changes === undefined ? null : new KeyWatchers(database.changes);
    this.#database = database;
  }

  /** Whether a key exists now. */
  exists(db: number, key: ByteString): boolean {
    return (this.#database.writerOf?.(db, key) ?? "") !== "";
  }
}
