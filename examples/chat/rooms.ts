/**
 * The rooms. Servers publish the events in a room, and each server forwards them to its users in that room.
 * Publications are not stored, so each server regularly reads missed messages from the history.
 */
import type { Redis } from "ioredis";
import type { History } from "./history.js";
import { isEventOf, type RoomEvent } from "./message.js";
import type { Dialect } from "./protocols.js";
import type { Presence, Sessions } from "./sessions.js";
import type { Limits } from "./settings.js";

/** A connection in a room. */
export interface Listener {
  readonly dialect: Dialect;
  /** Receives an event, which it may already have received before. */
  deliver(event: RoomEvent): void;
  send(frame: string): void;
}

export interface RoomsParts {
  readonly redis: Redis;
  /** A separate connection, since a subscribed connection cannot send requests. */
  readonly subscriber: Redis;
  readonly sessions: Sessions;
  readonly history: History;
  readonly limits: Limits;
  readonly log: (line: string) => void;
}

const PREFIX = "chat:room:";

export class Rooms {
  readonly #parts: RoomsParts;
  readonly #listeners = new Map<string, Set<Listener>>();

  constructor(parts: RoomsParts) {
    this.#parts = parts;
    parts.subscriber.on("message", (channel: string, text: string) => this.#onPublication(channel, text));
    // The subscription is active again: read the messages that were published in the meantime.
    parts.subscriber.on("ready", () => void this.refreshAll());
  }

  async enter(room: string, listener: Listener): Promise<void> {
    const inside = this.#listeners.get(room) ?? new Set();
    this.#listeners.set(room, inside.add(listener));
    await this.#parts.subscriber.subscribe(PREFIX + room);
  }

  async leave(room: string, listener: Listener): Promise<void> {
    const inside = this.#listeners.get(room);
    inside?.delete(listener);
    if (inside?.size !== 0) return;
    this.#listeners.delete(room);
    await this.#parts.subscriber.unsubscribe(PREFIX + room);
    // A user may have joined in the meantime.
    if (this.#listeners.has(room)) await this.#parts.subscriber.subscribe(PREFIX + room);
  }

  async publish(room: string, event: RoomEvent): Promise<void> {
    await this.#parts.redis.publish(PREFIX + room, JSON.stringify(event));
  }

  /** Updates the list of users in each room, and reports lost users and missed messages. */
  async refreshAll(): Promise<void> {
    if (this.#listeners.size === 0) return;
    const { sessions, log } = this.#parts;
    try {
      const rooms = await sessions.rooms();
      for (const [room, listeners] of this.#listeners) await this.#refresh(room, listeners, rooms);
    } catch (problem) {
      log(`the rooms could not be read: ${(problem as Error).message}`);
    }
  }

  async #refresh(room: string, listeners: ReadonlySet<Listener>, rooms: readonly string[]): Promise<void> {
    const { sessions, history, limits } = this.#parts;
    for (const { from, pseudo, color } of await sessions.swept(room)) {
      const at = Date.now();
      // Two servers may report the same lost user. Reports within the same minute have the same id.
      const id = `left-${from}-${Math.floor(at / 60_000)}`;
      await this.publish(room, { kind: "left", id, at, from, pseudo, color });
    }
    const last = await history.last(room, limits.HISTORY_COUNT, null);
    for (const message of last) for (const listener of listeners) listener.deliver({ kind: "said", message });
    this.#sendPresent(listeners, room, await sessions.present(room), rooms);
  }

  #sendPresent(
    listeners: ReadonlySet<Listener>,
    room: string,
    present: Presence,
    rooms: readonly string[],
  ): void {
    const texts = new Map<Dialect, string | null>();
    for (const listener of listeners) {
      const { dialect } = listener;
      if (!texts.has(dialect)) texts.set(dialect, dialect.present({ room, ...present, rooms }));
      const text = texts.get(dialect);
      if (typeof text === "string") listener.send(text);
    }
  }

  #onPublication(channel: string, text: string): void {
    const room = channel.slice(PREFIX.length);
    const event = eventIn(text, room);
    if (event === null) return;
    for (const listener of this.#listeners.get(room) ?? []) listener.deliver(event);
  }
}

/** Parses a publication. @returns null if another program has published it */
function eventIn(text: string, room: string): RoomEvent | null {
  try {
    const event: unknown = JSON.parse(text);
    return isEventOf(event, room) ? event : null;
  } catch {
    return null;
  }
}
