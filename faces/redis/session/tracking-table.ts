/**
 * The connections that cache keys. Each connection receives one invalidation when a key changes. The change may be made
 * by any client, or result from commands that the daemon applies again after a late command. The size of the table is
 * limited: above the limit, the oldest keys are reported as changed.
 * Source: redis-server 7.0, tracking.c.
 */

import type {
  KeyChangeObservers,
  KeyObserver,
} from "../../../daemon/engine/backends/key-change-observers.js";
import { PrefixMap } from "../../../daemon/engine/channels/key-watchers.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import { touchesOf } from "../../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type Client, type Clients, Tracker, type TrackingMode } from "./clients.js";

/** Maximum memory of the tracked names and their connections in bytes, regardless of the number of keys. */
const NOTED_BYTES_MAX = 256 * 1024 * 1024;
/** The approximate memory of one connection that tracks a key, in addition to the name, in bytes. */
const ITEM_BYTES = 100;
/** Redis's default number of tracked keys. */
export const TRACKED_KEYS_MAX = 1_000_000;

/** The connections that track a prefix, and the changes since their last invalidation. */
interface Prefix {
  readonly beginning: ByteString;
  readonly trackers: Set<Tracker>;
  /**
   * The changed keys, with the sender of the change. The sender is null if there are several, or if it is not a client
   * of this daemon.
   */
  readonly changed: Map<ByteString, object | null>;
}

/** The session that has run a command. */
interface Reader extends Client {
  /** The queued commands, or null if no transaction is open. */
  readonly queued: readonly object[] | null;
  readonly isExecuting: boolean;
}

export class TrackingTable implements KeyObserver {
  readonly #changes: KeyChangeObservers | null;
  readonly #clients: Clients;
  /** The connections that track each key, with the oldest key first. Databases are not distinguished. */
  readonly #keys = new Map<ByteString, Set<Tracker>>();
  readonly #prefixes = new PrefixMap<Prefix>();
  /** The prefixes with changes, which are reported at the end of the turn. */
  readonly #changed = new Set<Prefix>();
  readonly #trackers = new Map<Client, Tracker>();
  /** The number of open connections that have used tracking. Every command reads this field. */
  size = 0;
  #maxKeys = TRACKED_KEYS_MAX;
  #items = 0;
  #bytes = 0;
  /** Invalidations for clients that have changed keys themselves; they are sent after the answer to the command. */
  #deferred: (() => void)[] = [];

  /** @param changes  the source of key changes, or null if key changes are not known here */
  constructor(changes: KeyChangeObservers | null, clients: Clients) {
    this.#changes = changes;
    this.#clients = clients;
  }

  /** Whether changes can be observed here. */
  get isPossible(): boolean {
    return this.#changes !== null;
  }

  /** Counts for INFO: connections that cache now, distinct tracked keys, pairs of key and connection, and prefixes. */
  get figures() {
    const clients = [...this.#trackers.values()].filter(({ mode }) => mode !== null).length;
    return { clients, keys: this.#keys.size, items: this.#items, prefixes: this.#prefixes.size };
  }

  /** The maximum number of tracked keys; 0: only memory limits it. */
  set maxKeys(maxKeys: number) {
    this.#maxKeys = maxKeys === 0 ? Number.POSITIVE_INFINITY : maxKeys;
    this.#shorten();
  }

  of(client: Client): Tracker | undefined {
    return this.#trackers.get(client);
  }

  /** @param by  the object that identifies the connection as the sender of changes */
  begin(client: Client, by: object, mode: TrackingMode): void {
    if (this.#trackers.size === 0) this.#changes?.observeKeys(this);
    const tracker = this.of(client) ?? new Tracker(client, by, this.#clients);
    this.#trackers.set(client, tracker);
    this.size = this.#trackers.size;
    tracker.mode = mode;
    tracker.isBroken = false;
    for (const prefix of mode.prefixes ?? []) {
      const known = this.#prefixes.get(prefix) ?? {
        beginning: prefix,
        trackers: new Set(),
        changed: new Map(),
      };
      this.#prefixes.set(prefix, known);
      known.trackers.add(tracker);
    }
  }

  /** Ends the tracking. As in Redis, tracked keys remain until they change. */
  end(client: Client): void {
    const tracker = this.of(client);
    for (const prefix of tracker?.mode?.prefixes ?? []) {
      const known = this.#prefixes.get(prefix);
      known?.trackers.delete(tracker as Tracker);
      if (known?.trackers.size === 0) this.#prefixes.delete(prefix);
    }
    if (tracker !== undefined)
      Object.assign(tracker, { mode: null, isNamedByCaching: false, isBroken: false });
  }

  /** Removes a closed connection. */
  disconnected(client: Client): void {
    this.end(client);
    this.of(client)?.release();
    if (!this.#trackers.delete(client)) return;
    this.size = this.#trackers.size;
    if (this.size > 0) return;
    this.#clear();
    this.#changes?.forget(this);
  }

  /**
   * Tracks the keys that a command has read, except those that a script declares. CLIENT CACHING applies to a complete
   * transaction.
   */
  ran(reader: Reader, command: Command, argv: readonly ByteString[]): void {
    const tracker = this.of(reader);
    if (tracker === undefined) return;
    if (command.reads && tracker.notes && command.runsScript !== true)
      for (const key of keysRead(command, argv)) this.#note(tracker, key);
    const isAlone = reader.queued === null && !reader.isExecuting;
    if (isAlone && !command.name.startsWith("CLIENT")) tracker.isNamedByCaching = false;
  }

  /**
   * Tracks the keys that a script reads. As in Redis, its first read also tracks all keys that its caller declares,
   * because the client caches the script's result with them. CLIENT CACHING applies to the complete script.
   */
  ranInScript(
    client: Client,
    command: Command,
    argv: readonly ByteString[],
    declared: readonly ByteString[],
  ): void {
    const tracker = this.of(client);
    if (tracker === undefined || !command.reads || !tracker.notes) return;
    for (const key of declared) this.#note(tracker, key);
    for (const key of keysRead(command, argv)) this.#note(tracker, key);
  }

  /**
   * Invalidates the keys that an earlier command has read. The keys may have changed since then, so the client must not
   * cache the reply.
   */
  ranEarlier(client: Client, command: Command, argv: readonly ByteString[]): void {
    const tracker = this.of(client);
    if (tracker === undefined || !command.reads || !tracker.notes) return;
    const keys = keysRead(command, argv);
    if (keys.length > 0) setImmediate(() => tracker.invalidate(keys));
  }

  keyChanged(_: number, key: ByteString, by: object | null): void {
    for (const prefix of this.#prefixes.size === 0 ? [] : this.#prefixes.matching(key)) {
      if (this.#changed.size === 0) queueMicrotask(this.#reportPrefixes);
      this.#changed.add(prefix);
      const { changed } = prefix;
      changed.set(key, changed.has(key) && changed.get(key) !== by ? null : by);
    }

    const trackers = this.#keys.get(key);
    if (trackers === undefined) return;

    this.#drop(key, trackers);
    for (const tracker of trackers) {
      const { mode } = tracker;
      if (mode === null || mode.prefixes !== null || (mode.noLoop && tracker.by === by)) continue;
      this.#report(tracker, [key], by);
    }
  }

  allChanged(_: ReadonlySet<number> | null, by: object | null): void {
    this.#clear();
    for (const tracker of this.#trackers.values()) if (tracker.mode !== null) this.#report(tracker, null, by);
  }

  /** Sends the invalidations that were delayed until the answer to a command was sent. */
  readonly sendDeferred = (): void => {
    if (this.#deferred.length === 0) return;
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const send of deferred) send();
  };

  /** Sends the changes of this turn to the trackers of their prefixes, sorted and combined. */
  readonly #reportPrefixes = (): void => {
    this.sendDeferred();
    const inOrder = [...this.#changed].sort((a, b) => (a.beginning < b.beginning ? -1 : 1));
    this.#changed.clear();
    for (const { trackers, changed } of inOrder) {
      const keys = [...changed.keys()].sort();
      for (const tracker of trackers) {
        const foreign = tracker.mode?.noLoop ? keys.filter((key) => changed.get(key) !== tracker.by) : keys;
        if (foreign.length > 0) tracker.invalidate(foreign);
      }
      changed.clear();
    }
  };

  #report(tracker: Tracker, keys: readonly ByteString[] | null, by: object | null): void {
    if (tracker.by !== by) {
      tracker.invalidate(keys);
      return;
    }
    if (this.#deferred.length === 0) queueMicrotask(this.sendDeferred);
    this.#deferred.push(() => tracker.invalidate(keys));
  }

  #note(tracker: Tracker, key: ByteString): void {
    const known = this.#keys.get(key);
    if (known?.has(tracker)) return;
    if (known === undefined) {
      this.#keys.set(key, new Set([tracker]));
      this.#bytes += key.length;
    } else known.add(tracker);
    this.#items++;
    this.#bytes += ITEM_BYTES;
    this.#shorten();
  }

  #drop(key: ByteString, trackers: ReadonlySet<Tracker>): void {
    this.#keys.delete(key);
    this.#items -= trackers.size;
    this.#bytes -= key.length + trackers.size * ITEM_BYTES;
  }

  #clear(): void {
    this.#keys.clear();
    this.#items = this.#bytes = 0;
  }

  #shorten(): void {
    for (const [key, trackers] of this.#keys) {
      if (this.#keys.size <= this.#maxKeys && this.#bytes <= NOTED_BYTES_MAX) return;
      this.#drop(key, trackers);
      for (const tracker of trackers) if (tracker.mode?.prefixes === null) this.#report(tracker, [key], null);
    }
  }
}

function keysRead({ keys }: Command, argv: readonly ByteString[]): readonly ByteString[] {
  return touchesOf(keys, argv).flatMap(({ key }) => key ?? []);
}
