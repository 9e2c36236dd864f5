/**
 * Notifies observers of changed, expired and evicted keys, for example for key events, client-side caching and live
 * keys. Without observers the database has none either, so changes cost nothing.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  type ChangeObserver,
  type ExecutedCommand,
  type RemovalCause,
  reportEvents,
} from "../../store/change-observer.js";
import type { Database } from "../../store/database.js";
import { type ReportEvent, visitChanges } from "../../store/events/command-effects.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";

/**
 * An observer of changed keys. It is notified in the middle of a change: a read at that time sees a state that no
 * client can see.
 */
export interface KeyObserver {
  /**
   * Called when a command has changed a key, or a key has expired or was evicted. If a unit arrived late, later units
   * were undone and applied again, and this method is called again for their changes. The key's value may be the same
   * as before.
   * @param by  the sender of the command, as `UnitSender.lastWrite`, or null if it is not a client of this daemon
   */
  keyChanged(db: number, key: ByteString, by: object | null): void;
  /** Called when all keys may have changed. @param dbs  the databases concerned, or null for all */
  allChanged(dbs: ReadonlySet<number> | null, by: object | null): void;
}

/**
 * An observer of key events, with Redis's event names. There is an event for each change by a command that is applied
 * for the first time, and for each expired or evicted key.
 */
export interface EventObserver {
  readonly event: ReportEvent;
}

/** The changed keys, without duplicates. */
class Touched {
  readonly keys = new Map<string, { readonly db: number; readonly key: ByteString }>();
  /** Databases in which all keys may have changed. */
  readonly databases = new Set<number>();

  add(db: number, key: ByteString | null): void {
    if (key === null) this.databases.add(db);
    else this.keys.set(`${db} ${key}`, { db, key });
  }
}

export class KeyChangeObservers implements ChangeObserver {
  readonly #owner: { readonly database: Database };
  readonly #keyObservers = new Set<KeyObserver>();
  readonly #eventObservers = new Set<EventObserver>();
  /** The events of a unit that may still be refused, or null if events are reported immediately. */
  #held: Parameters<ReportEvent>[] | null = null;
  /**
   * The senders of the units of the envelope that is being recorded, each at the index of its unit's first command, or
   * null if the envelope does not come from a client of this daemon.
   */
  senders: readonly { readonly lastWrite?: object | undefined }[] | null = null;

  /** @param owner  has the current database, which may be replaced */
  constructor(owner: { readonly database: Database }) {
    this.#owner = owner;
  }

  observeKeys(observer: KeyObserver): void {
    this.#keyObservers.add(observer);
    this.#listen();
  }

  observeEvents(observer: EventObserver): void {
    this.#eventObservers.add(observer);
    this.#listen();
  }

  /** Stops notifying an observer. */
  forget(observer: KeyObserver | EventObserver): void {
    this.#keyObservers.delete(observer as KeyObserver);
    this.#eventObservers.delete(observer as EventObserver);
    this.#listen();
  }

  /** Whether there are observers of keys, which are notified of the sender of each change. */
  get areObserved(): boolean {
    return this.#keyObservers.size > 0;
  }

  /** The number of reads that found a key, and the number of reads that did not. Both can be reset. */
  get lookups(): Database["lookups"] {
    return this.#owner.database.lookups;
  }

  applied(executed: ExecutedCommand): void {
    if (executed.records.length === 0 && executed.missed.length === 0 && !executed.command.writes) return;
    if (this.#keyObservers.size === 0) {
      reportEvents(executed, this.#notifyEvent);
      return;
    }

    const touched = new Touched();
    reportEvents(executed, (kind, name, db, key) => {
      this.#notifyEvent(kind, name, db, key);
      if (kind !== "m") touched.add(db, key);
    });
    visitChanges(executed.records, ({ db, key }) => touched.add(db, key));
    this.#notifyKeys(touched, this.#senderOf(executed));
  }

  redone(records: readonly UndoRecord[]): void {
    if (this.#keyObservers.size === 0) return;
    const touched = new Touched();
    visitChanges(records, ({ db, key }) => touched.add(db, key));
    this.#notifyKeys(touched, null);
  }

  removed(db: number, key: ByteString, by: RemovalCause, inUnit = false): void {
    const notify = inUnit ? this.#notifyEvent : this.#sendEvent;
    notify(by === "expired" ? "x" : "e", by, db, key);
    for (const observer of this.#keyObservers) observer.keyChanged(db, key, null);
  }

  replaced(): void {
    for (const observer of this.#keyObservers) observer.allChanged(null, null);
  }

  holdEvents(): void {
    this.#held = [];
  }

  releaseEvents(isDone: boolean): void {
    const held = this.#held ?? [];
    this.#held = null;
    if (isDone) for (const event of held) this.#sendEvent(...event);
  }

  readonly #notifyEvent: ReportEvent = (kind, name, db, key) => {
    if (this.#held === null) this.#sendEvent(kind, name, db, key);
    else this.#held.push([kind, name, db, key]);
  };

  readonly #sendEvent: ReportEvent = (kind, name, db, key) => {
    for (const observer of this.#eventObservers) observer.event(kind, name, db, key);
  };

  #notifyKeys({ keys, databases }: Touched, by: object | null): void {
    for (const observer of this.#keyObservers) {
      for (const { db, key } of keys.values()) observer.keyChanged(db, key, by);
      if (databases.size > 0) observer.allChanged(databases, by);
    }
  }

  #senderOf({ unit }: ExecutedCommand): object | null {
    // If there is a single sender, all commands belong to its unit.
    const sender = this.senders?.[this.senders.length === 1 ? 0 : (unit.index ?? 0)];
    return unit.by ?? sender?.lastWrite ?? null;
  }

  #listen(): void {
    const isObserved = this.#keyObservers.size + this.#eventObservers.size > 0;
    this.#owner.database.observer = isObserved ? this : null;
  }
}
