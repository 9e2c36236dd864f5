import type {
  EventObserver,
  KeyChangeObservers,
} from "../../../daemon/engine/backends/key-change-observers.js";
import type { Channels } from "../../../daemon/engine/channels/channels.js";
import { type EventFlags, NO_EVENTS } from "../../../daemon/options/event-flags.js";
import type { ByteString } from "../../../protocol/byte-string.js";

/**
 * Keyspace notifications: events about keys, published on channels of this daemon only. An event is published once,
 * when the command first runs here. Source: redis-server 7.0, notify.c.
 */
export class KeyspaceNotices implements EventObserver {
  readonly #changes: KeyChangeObservers | null;
  readonly #channels: Channels;
  #flags = NO_EVENTS;

  /** @param changes  the source of key changes, or null if key changes are not known here */
  constructor(changes: KeyChangeObservers | null, channels: Channels) {
    this.#changes = changes;
    this.#channels = channels;
  }

  /** Whether events can be observed here. */
  get isPossible(): boolean {
    return this.#changes !== null;
  }

  get flags(): EventFlags {
    return this.#flags;
  }

  set flags(flags: EventFlags) {
    this.#flags = flags;
    if (flags.classes.size > 0 && (flags.byKey || flags.byEvent)) this.#changes?.observeEvents(this);
    else this.#changes?.removeObserver(this);
  }

  readonly event: EventObserver["event"] = (kind, name, db, key) => {
    const { classes, byKey, byEvent } = this.#flags;
    if (!classes.has(kind)) return;
    if (byKey) this.#publish(`__keyspace@${db}__:${key}`, name);
    if (byEvent) this.#publish(`__keyevent@${db}__:${name}`, key);
  };

  /** Publishes to this daemon's own subscribers. */
  #publish(channel: ByteString, text: ByteString): void {
    this.#channels.publishLocally({ kind: "channel", channel, text });
  }
}
