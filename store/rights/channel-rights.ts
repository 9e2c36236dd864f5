/**
 * Decides which channels a user may subscribe to and publish on, by the patterns after `&`. Source: redis-server 7.0,
 * acl.c.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { globMatches } from "../patterns/glob.js";

/**
 * Commands that name channels: whether all arguments are channels, and whether the channels are patterns. Unsubscribing
 * needs no permission.
 */
const NAMED: ReadonlyMap<string, { readonly all: boolean; readonly asPatterns: boolean }> = new Map([
  ["PUBLISH", { all: false, asPatterns: false }],
  ["SPUBLISH", { all: false, asPatterns: false }],
  ["SUBSCRIBE", { all: true, asPatterns: false }],
  ["SSUBSCRIBE", { all: true, asPatterns: false }],
  ["PSUBSCRIBE", { all: true, asPatterns: true }],
]);

/**
 * Returns the first channel of a command that the patterns do not permit, or null if they permit all.
 * @param name as in the command table
 */
export function forbiddenChannel(
  patterns: readonly ByteString[],
  name: string,
  argv: readonly ByteString[],
): ByteString | null {
  const named = NAMED.get(name);
  if (named === undefined) return null;
  return refusedChannel(patterns, argv.slice(1, named.all ? undefined : 2), named.asPatterns);
}

/**
 * Returns the first channel that the patterns do not permit, or null if they permit all.
 * @param asPatterns whether the channels are patterns themselves. Such a pattern must be literally one of the user's
 * patterns, because any other pattern might match channels that the user may not use.
 */
export function refusedChannel(
  patterns: readonly ByteString[],
  channels: Iterable<ByteString>,
  asPatterns: boolean,
): ByteString | null {
  for (const channel of channels) {
    const isGiven = asPatterns
      ? patterns.includes(channel)
      : patterns.some((pattern) => globMatches(pattern, channel));
    if (!isGiven) return channel;
  }
  return null;
}
