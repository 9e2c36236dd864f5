/**
 * The numbers of subscribers that a member reports, packed into one bulk string. Source: docs/member-protocol.md.
 */
import { type ByteString, bytesOf } from "../byte-string.js";

/** The kinds of subscriptions. A pattern matches channels, but not shard channels, whose messages are separate. */
export const CHANNEL_KINDS = ["channel", "pattern", "shard"] as const;
export type ChannelKind = (typeof CHANNEL_KINDS)[number];

/** The number of a daemon's subscribers of one channel or pattern. */
export interface SubscriberCount {
  readonly kind: ChannelKind;
  readonly name: ByteString;
  /** 0: there are none any more. */
  readonly count: number;
}

/** The maximum number of channels and patterns that a daemon reports, and the maximum bytes of all their names. */
export const REPORTED_NAMES_MAX = 50_000;
export const REPORTED_BYTES_MAX: number = 4 * 1024 * 1024;
/** The maximum length of a reported name in bytes. */
export const REPORTED_NAME_BYTES_MAX = 1024;
/** The maximum number of counts in one message. */
export const COUNTS_MAX = 4096;
/** The highest number of subscribers that a count can represent. */
const SUBSCRIBERS_MAX = 2 ** 32 - 1;
/** The length of the fields before a name: kind (1) ‖ count (4) ‖ length of the name (2). */
const HEAD_BYTES = 7;

/** Returns the bytes that a count needs in a message. */
export const countBytes = ({ name }: SubscriberCount): number => HEAD_BYTES + name.length;

/** Packs counts, each as kind (1: 0 channel, 1 pattern, 2 shard channel) ‖ count (4) ‖ length (2) ‖ name. */
export function writeSubscriberCounts(counts: readonly SubscriberCount[]): Buffer {
  const bytes = Buffer.allocUnsafe(counts.reduce((sum, count) => sum + countBytes(count), 0));
  let at = 0;
  for (const { kind, name, count } of counts) {
    at = bytes.writeUInt8(CHANNEL_KINDS.indexOf(kind), at);
    at = bytes.writeUInt32BE(Math.min(count, SUBSCRIBERS_MAX), at);
    at = bytes.writeUInt16BE(name.length, at);
    at += bytes.write(name, at, "latin1");
  }
  return bytes;
}

/** Unpacks counts. Returns null if the bytes are invalid, or there are too many counts. */
export function readSubscriberCounts(bytes: Buffer): SubscriberCount[] | null {
  const counts: SubscriberCount[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at + HEAD_BYTES;
    if (start > bytes.length || counts.length === COUNTS_MAX) return null;
    const kind = CHANNEL_KINDS[bytes.readUInt8(at)];
    const length = bytes.readUInt16BE(at + 5);
    const end = start + length;
    if (kind === undefined || length > REPORTED_NAME_BYTES_MAX || end > bytes.length) return null;
    counts.push({ kind, name: bytesOf(bytes, start, end), count: bytes.readUInt32BE(at + 1) });
    at = end;
  }
  return counts;
}
