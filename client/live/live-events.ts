/** The events that the iterators of `subscribe` and `watch` return, and the queue of each iterator. */

import type { ByteBuffer } from "../../protocol/byte-string.js";
import { Queue } from "../../protocol/queue.js";

/** The connection is open: from now on, until a gap, the iterator receives all events that this daemon receives. */
export interface OpenEvent {
  readonly type: "open";
  /** The address, as in the list of servers. */
  readonly server: string;
}

/**
 * A gap: events may be missing. After `lost`, the iterator continues with `open` once it has reached another daemon.
 * - `lost`: the connection or the daemon was lost
 * - `members`: a connection between daemons was opened or lost, or a daemon dropped messages for another daemon, which
 *   read them too slowly
 * - `keys`: any key may have changed, because all keys were replaced in one step
 * - `slow`: events arrived faster than this program read them from the iterator
 */
export interface GapEvent {
  readonly type: "gap";
  readonly reason: "lost" | "members" | "keys" | "slow";
  readonly server: string;
  readonly detail: string;
}

export interface MessageEvent {
  readonly type: "message";
  readonly channel: string;
  /** The text, decoded as UTF-8, or a Buffer with the option `buffers`. */
  readonly text: string | ByteBuffer;
  /** The pattern that matches the channel. */
  readonly pattern?: string;
}

export interface KeyEvent {
  /**
   * The kind of change. `changed`: the key's value may be different. `deleted`, `expired`, `evicted` (to free memory):
   * the key no longer exists.
   */
  readonly type: "changed" | "deleted" | "expired" | "evicted";
  readonly db: number;
  readonly key: string | ByteBuffer;
}

export type ChannelEvent = OpenEvent | GapEvent | MessageEvent;
export type WatchEvent = OpenEvent | GapEvent | KeyEvent;
export type LiveEvent = ChannelEvent | WatchEvent;

/** A channel, all channels that match a pattern, or a shard channel. */
export type ChannelInput = string | { readonly pattern: string } | { readonly shard: string };
/** A key, or a prefix that selects keys. */
export type KeyInput = string | Uint8Array | { readonly prefix: string | Uint8Array };

export interface ListenOptions {
  /** Whether texts and keys are Buffers; default false. */
  readonly buffers?: boolean | undefined;
  /** The number of the database, for `watch`; default: the client's database. */
  readonly db?: number | undefined;
  /** Ends the iteration: `next` then rejects with `aborted`, whose `cause` is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The maximum number of events that wait for the iterator. */
const EVENTS_MAX = 10_000;

/**
 * The iterator that `subscribe` or `watch` returns, with a bounded queue of events. If the queue is full, events are
 * dropped and replaced by a gap event.
 */
export class EventQueue<Event extends LiveEvent> implements AsyncIterableIterator<Event> {
  readonly #events = new Queue<Event>();
  /** Whether the newest queued event is a gap event that replaces dropped events. */
  #isOverflowing = false;
  #pendingNexts: { resolve: (result: IteratorResult<Event>) => void; reject: (error: Error) => void }[] = [];
  #error: Error | null = null;
  #isOver = false;
  readonly #onReturn: (queue: EventQueue<Event>) => void;

  /** Creates a queue. @param onReturn  called when the caller has ended the iteration */
  constructor(onReturn: (queue: EventQueue<Event>) => void) {
    this.#onReturn = onReturn;
  }

  push(event: Event): void {
    if (this.#isOver || this.#error !== null) return;
    const waiting = this.#pendingNexts.shift();
    if (waiting !== undefined) waiting.resolve({ value: event, done: false });
    else if (this.#events.size < EVENTS_MAX) {
      this.#events.push(event);
      this.#isOverflowing = false;
    } else this.#overflow();
  }

  /** Ends the iteration with an error, after the queued events. */
  fail(error: Error): void {
    if (this.#isOver || this.#error !== null) return;
    this.#error = error;
    for (const { reject } of this.#pendingNexts.splice(0)) reject(error);
  }

  /** Ends the iteration, after the queued events. */
  end(): void {
    this.#isOver = true;
    for (const { resolve } of this.#pendingNexts.splice(0)) resolve({ value: undefined, done: true });
  }

  next(): Promise<IteratorResult<Event>> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve({ value: event, done: false });
    if (this.#error !== null) return Promise.reject(this.#error);
    if (this.#isOver) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => this.#pendingNexts.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<Event>> {
    this.#events.takeAll();
    if (!this.#isOver) {
      this.end();
      this.#onReturn(this);
    }
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * Appends one gap event in place of the events that are dropped. Later events are queued again once the caller has
   * read some.
   */
  #overflow(): void {
    if (this.#isOverflowing) return;
    this.#isOverflowing = true;
    const detail = `${EVENTS_MAX} events are waiting to be read`;
    this.#events.push({ type: "gap", reason: "slow", server: "", detail } as Event);
  }
}
