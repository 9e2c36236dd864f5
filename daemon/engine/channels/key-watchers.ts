/**
 * Notifies watchers of changed keys, which they select by name or by prefix. Without watchers, changes are not
 * observed.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/**
 * An observer of changed keys. It is notified in the middle of a change: a read at that time sees a state that no
 * client can see.
 */
export interface KeyObserver {
  keyChanged(db: number, key: ByteString, by: object | null): void;
  /** @param dbs  the databases in which all keys may have changed, or null for all databases */
  allChanged(dbs: ReadonlySet<number> | null, by: object | null): void;
}

/** An observer of events on keys, with Redis's event names and classes. */
export interface EventObserver {
  readonly event: (kind: string, name: string, db: number, key: ByteString) => void;
}

/** The source of change notifications. */
export interface KeyChanges {
  observeKeys(observer: KeyObserver): void;
  observeEvents(observer: EventObserver): void;
  removeObserver(observer: KeyObserver | EventObserver): void;
}

/** The reason why a key was removed without a command. */
export type RemovalCause = "expired" | "evicted";

export interface KeyWatcher {
  /**
   * @param by  the reason if the key was removed without a command; null if a command changed the key, or the cause is
   * unknown
   */
  keyChanged(db: number, key: ByteString, by: RemovalCause | null): void;
  /** @param dbs  as in `KeyObserver` */
  allChanged(dbs: ReadonlySet<number> | null): void;
}

export type WatchKind = "key" | "prefix";

/** The event classes of keys that are removed without a command. */
const REMOVAL_CAUSES: Readonly<Record<string, RemovalCause>> = { x: "expired", e: "evicted" };

export class KeyWatchers implements KeyObserver, EventObserver {
  readonly #changes: KeyChanges;
  /** Watchers by database number and name or prefix. */
  readonly #watchers = {
    key: new Map<ByteString, Set<KeyWatcher>>(),
    prefix: new PrefixMap<Set<KeyWatcher>>(),
  };

  constructor(changes: KeyChanges) {
    this.#changes = changes;
  }

  add(kind: WatchKind, db: number, name: ByteString, watcher: KeyWatcher): void {
    if (this.#isEmpty) {
      this.#changes.observeKeys(this);
      this.#changes.observeEvents(this);
    }
    const watchers = this.#watchers[kind];
    const others = watchers.get(qualifiedName(db, name));
    if (others === undefined) watchers.set(qualifiedName(db, name), new Set([watcher]));
    else others.add(watcher);
  }

  remove(kind: WatchKind, db: number, name: ByteString, watcher: KeyWatcher): void {
    const watchers = this.#watchers[kind];
    const others = watchers.get(qualifiedName(db, name));
    others?.delete(watcher);
    if (others?.size === 0) watchers.delete(qualifiedName(db, name));
    if (this.#isEmpty) this.#changes.removeObserver(this);
  }

  readonly event = (kind: string, _: string, db: number, key: ByteString): void => {
    const by = REMOVAL_CAUSES[kind];
    if (by !== undefined) this.#notify(db, key, by);
  };

  keyChanged(db: number, key: ByteString): void {
    this.#notify(db, key, null);
  }

  allChanged(dbs: ReadonlySet<number> | null): void {
    const all = Object.values(this.#watchers).flatMap((kind) => [...kind.values()]);
    for (const watcher of new Set(all.flatMap((some) => [...some]))) watcher.allChanged(dbs);
  }

  #notify(db: number, key: ByteString, by: RemovalCause | null): void {
    const { key: byName, prefix: byBeginning } = this.#watchers;
    const name = qualifiedName(db, key);
    for (const watcher of byName.get(name) ?? []) watcher.keyChanged(db, key, by);
    if (byBeginning.size === 0) return;
    for (const watchers of byBeginning.matching(name))
      for (const watcher of watchers) watcher.keyChanged(db, key, by);
  }

  get #isEmpty(): boolean {
    return this.#watchers.key.size + this.#watchers.prefix.size === 0;
  }
}

const qualifiedName = (db: number, name: ByteString): ByteString => `${db} ${name}`;

/**
 * A map from prefixes to values. To find all prefixes of a text, it looks up the text's beginning once for each length,
 * instead of comparing each prefix.
 */
export class PrefixMap<Value> {
  readonly #values = new Map<ByteString, Value>();
  /** The number of prefixes of each length. */
  readonly #lengths = new Map<number, number>();

  get size(): number {
    return this.#values.size;
  }

  get(prefix: ByteString): Value | undefined {
    return this.#values.get(prefix);
  }

  values(): Iterable<Value> {
    return this.#values.values();
  }

  set(prefix: ByteString, value: Value): void {
    const { length } = prefix;
    if (!this.#values.has(prefix)) this.#lengths.set(length, (this.#lengths.get(length) ?? 0) + 1);
    this.#values.set(prefix, value);
  }

  delete(prefix: ByteString): void {
    if (!this.#values.delete(prefix)) return;
    const { length } = prefix;
    const remaining = (this.#lengths.get(length) as number) - 1;
    if (remaining === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, remaining);
  }

  /** Yields the values of all stored prefixes of a text. */
  *matching(text: ByteString): Generator<Value> {
    for (const length of this.lengthsUpTo(text.length)) {
      const found = this.#values.get(text.slice(0, length));
      if (found !== undefined) yield found;
    }
  }

  /**
   * Yields the lengths to look up: either the lengths of all stored prefixes, or all lengths up to the length of the
   * text, whichever are fewer.
   */
  *lengthsUpTo(max: number): Generator<number> {
    if (this.#lengths.size > max) for (let length = 0; length <= max; length++) yield length;
    else for (const length of this.#lengths.keys()) if (length <= max) yield length;
  }
}
