/**
 * Decides which channels a user may subscribe to and publish on, by the patterns after `&`. Source: redis-server 7.0,
 * acl.c.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { globMatches } from "../patterns/glob.js";
import type { Command } from "../rows/command-row.js";

/** Returns the first channel of a command that the patterns do not permit, or null if they permit all. */
export function forbiddenChannel(
  patterns: readonly ByteString[],
  { channels }: Pick<Command, "channels">,
  argv: readonly ByteString[],
): ByteString | null {
  if (channels === undefined) return null;
  return refusedChannel(
    patterns,
    argv.slice(1, channels === "first" ? 2 : undefined),
    channels === "patterns",
  );
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
