/**
 * What commands, and time, do to keys, handed to whoever asks: channels, connections that keep copies, live keys. While nobody
 * asks, the database is told so, and nothing of it is looked at.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Database } from "../../store/database.js";
import type { ChangeListener, GoneBy, HeardCommand } from "../../store/events/change-listener.js";
import type { TellEvent } from "../../store/events/doing.js";
import { tellEvents } from "../../store/events/events.js";
import { visitChanges } from "../../store/events/key-changes.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";

/** Told in the middle of a change: what it reads then is no state that anybody else can see. */
export interface KeyObserver {
  /**
   * A key has been changed by a command, now or before: also when others that were to come before it arrived late, so that it was
   * taken back and made again; or its time is over, or it went to free memory. It may be as it was.
   * @param by  who sent the command, as `UnitSender.lastWrite`; null: nobody here
   */
  keyChanged(db: number, key: ByteString, by: object | null): void;
  /** All keys may have changed. @param dbs  of these databases; null: of all */
  allChanged(dbs: ReadonlySet<number> | null, by: object | null): void;
}

/** Told of what commands do for the first time, as Redis names it, and of keys that go by themselves. */
export interface EventObserver {
  readonly event: TellEvent;
}

/** Keys, each once. */
class Touched {
  readonly keys = new Map<string, { readonly db: number; readonly key: ByteString }>();
  /** Databases all of which was. */
  readonly wholes = new Set<number>();

  add(db: number, key: ByteString | null): void {
    if (key === null) this.wholes.add(db);
    else this.keys.set(`${db} ${key}`, { db, key });
  }
}

export class Changes implements ChangeListener {
  readonly #owner: { readonly database: Database };
  readonly #keyObservers = new Set<KeyObserver>();
  readonly #eventObservers = new Set<EventObserver>();
  /** Who sent the units of the envelope that is being recorded, in their order; null: it is none of ours. */
  senders: readonly { readonly lastWrite?: object | undefined }[] | null = null;

  /** @param owner  has the database that serves now */
  constructor(owner: { readonly database: Database }) {
    this.#owner = owner;
  }

  hearKeys(observer: KeyObserver): void {
    this.#keyObservers.add(observer);
    this.#listen();
  }

  hearEvents(observer: EventObserver): void {
    this.#eventObservers.add(observer);
    this.#listen();
  }

  /** Tells it nothing any more. */
  forget(observer: KeyObserver | EventObserver): void {
    this.#keyObservers.delete(observer as KeyObserver);
    this.#eventObservers.delete(observer as EventObserver);
    this.#listen();
  }

  /** How often keys were found, and not, that were to be read. May be set back. */
  get lookups(): Database["lookups"] {
    return this.#owner.database.lookups;
  }

  applied(heard: HeardCommand): void {
    if (heard.records.length === 0 && heard.missed.length === 0 && !heard.command.writes) return;
    if (this.#keyObservers.size === 0) {
      tellEvents(heard, this.#tellEvent);
      return;
    }
    const touched = new Touched();
    tellEvents(heard, (kind, name, db, key) => {
      this.#tellEvent(kind, name, db, key);
      if (kind !== "m") touched.add(db, key);
    });
    visitChanges(heard.records, ({ db, key }) => touched.add(db, key));
    this.#tellKeys(touched, this.#senderOf(heard));
  }

  redone(records: readonly UndoRecord[]): void {
    if (this.#keyObservers.size === 0) return;
    const touched = new Touched();
    visitChanges(records, ({ db, key }) => touched.add(db, key));
    this.#tellKeys(touched, null);
  }

  gone(db: number, key: ByteString, by: GoneBy): void {
    this.#tellEvent(by === "expired" ? "x" : "e", by, db, key);
    for (const observer of this.#keyObservers) observer.keyChanged(db, key, null);
  }

  replaced(): void {
    for (const observer of this.#keyObservers) observer.allChanged(null, null);
  }

  readonly #tellEvent: TellEvent = (kind, name, db, key) => {
    for (const observer of this.#eventObservers) observer.event(kind, name, db, key);
  };

  #tellKeys({ keys, wholes }: Touched, by: object | null): void {
    for (const observer of this.#keyObservers) {
      for (const { db, key } of keys.values()) observer.keyChanged(db, key, by);
      if (wholes.size > 0) observer.allChanged(wholes, by);
    }
  }

  #senderOf({ unit }: HeardCommand): object | null {
    // What is one unit has one sender.
    const sender = this.senders?.[this.senders.length === 1 ? 0 : (unit.parts?.index ?? 0)];
    return unit.by ?? sender?.lastWrite ?? null;
  }

  #listen(): void {
    const isAsked = this.#keyObservers.size + this.#eventObservers.size > 0;
    this.#owner.database.listener = isAsked ? this : null;
  }
}
