/** What an iterator of `subscribe` or `watch` gives. */

import type { ByteBuffer } from "../../protocol/byte-string.js";

/** From here on everything is told that this daemon hears, until a gap. */
export interface OpenEvent {
  readonly type: "open";
  /** As in the list of servers. */
  readonly server: string;
}

/**
 * Something may have been missed; what follows, if it is `lost`, is told once another daemon is open.
 * - `lost`: the connection, or the daemon, is gone
 * - `members`: a connection between daemons came or went, or one had more messages for another than it could take
 * - `keys`: any key may have changed, as all were replaced at once
 * - `slow`: more came than this program took from the iterator
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
  /** UTF-8, or a Buffer where the option `buffers` asks for it. */
  readonly text: string | ByteBuffer;
  /** By which pattern it was heard. */
  readonly pattern?: string;
}

export interface KeyEvent {
  /** `changed`: its value is, or may be, another. It is no more: `deleted`, `expired`, or `evicted` to make room. */
  readonly type: "changed" | "deleted" | "expired" | "evicted";
  readonly db: number;
  readonly key: string | ByteBuffer;
}

export type ChannelEvent = OpenEvent | GapEvent | MessageEvent;
export type WatchEvent = OpenEvent | GapEvent | KeyEvent;
export type LiveEvent = ChannelEvent | WatchEvent;

/** A channel; or all that match a pattern, or a shard channel. */
export type ChannelInput = string | { readonly pattern: string } | { readonly shard: string };
/** A key; or all that begin so. */
export type KeyInput = string | Uint8Array | { readonly prefix: string | Uint8Array };

export interface ListenOptions {
  /** Texts and keys as Buffers; default false. */
  readonly buffers?: boolean | undefined;
  /** Number of the database, of `watch`; default: the client's own. */
  readonly db?: number | undefined;
}
