/** The sources of the events that clients of version 2 can subscribe to: channels and key changes. */

import type { ByteString } from "../../protocol/byte-string.js";
import type { Channels } from "../engine/channels/channels.js";
import { type KeyChanges, KeyWatchers } from "../engine/channels/key-watchers.js";

/** A database in memory. */
export interface WatchedDatabase {
  readonly changes: KeyChanges;
  /** Returns the id of the unit that last changed a key, or an empty id if the key does not exist. */
  writerOf(db: number, key: ByteString): ByteString;
}

export class EventSources {
  readonly channels: Channels;
  /** The watchers of keys, or null if the database does not report key changes. */
  readonly keys: KeyWatchers | null;
  readonly #database: Partial<WatchedDatabase>;

  constructor(channels: Channels, database: Partial<WatchedDatabase>) {
    this.channels = channels;
    this.keys = database.changes === undefined ? null : new KeyWatchers(database.changes);
    this.#database = database;
  }

  /** Returns whether a key exists now. */
  exists(db: number, key: ByteString): boolean {
    return (this.#database.writerOf?.(db, key) ?? "") !== "";
  }
}
