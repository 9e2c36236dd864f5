/** The events of an iterator of `subscribe` or `watch`. */

import type { ByteBuffer } from "../../protocol/byte-string.js";

/** From now on the iterator gets all events that this daemon receives, until a gap. */
export interface OpenEvent {
  readonly type: "open";
  /** The address, as in the list of servers. */
  readonly server: string;
}

/**
 * Events may be missing. After `lost`, the iterator continues with `open` once another daemon is reached.
 * - `lost`: the connection or the daemon was lost
 * - `members`: a connection between daemons was opened or lost, or one had more messages for another than it could
 *   accept
 * - `keys`: any key may have changed, because all were replaced in one step
 * - `slow`: more events arrived than this program took from the iterator
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
  /** The pattern that matches its channel. */
  readonly pattern?: string;
}

export interface KeyEvent {
  /**
   * The kind of change. `changed`: its value may be different. `deleted`, `expired`, `evicted` (to free memory): it
   * no longer exists.
   */
  readonly type: "changed" | "deleted" | "expired" | "evicted";
  readonly db: number;
  readonly key: string | ByteBuffer;
}

export type ChannelEvent = OpenEvent | GapEvent | MessageEvent;
export type WatchEvent = OpenEvent | GapEvent | KeyEvent;
export type LiveEvent = ChannelEvent | WatchEvent;

/** A channel; or all that match a pattern, or a shard channel. */
export type ChannelInput = string | { readonly pattern: string } | { readonly shard: string };
/** A key, or a prefix of keys. */
export type KeyInput = string | Uint8Array | { readonly prefix: string | Uint8Array };

export interface ListenOptions {
  /** Texts and keys as Buffers; default false. */
  readonly buffers?: boolean | undefined;
  /** Number of the database, of `watch`; default: the client's own. */
  readonly db?: number | undefined;
}
