/** The events that the iterators of `subscribe` and `watch` return. */

import type { ByteBuffer } from "../../protocol/byte-string.js";

/** The connection is open: from now on, until a gap, the iterator receives all events that this daemon receives. */
export interface OpenEvent {
  readonly type: "open";
  /** The address, as in the list of servers. */
  readonly server: string;
}

/**
 * Events may be missing. After `lost`, the iterator continues with `open` once it has reached another daemon.
 * - `lost`: the connection or the daemon was lost
 * - `members`: a connection between daemons was opened or lost, or a daemon had more messages for another daemon than
 *   that daemon could accept
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
