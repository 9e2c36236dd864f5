/** Which channels a user may hear and speak on, by the patterns behind `&` in his rules. Source: redis-server 7.0, acl.c. */
import type { ByteString } from "../../protocol/byte-string.js";
import { globMatches } from "../../store/patterns/glob.js";
import type { AclRefusal } from "../../store/rights/acl.js";
import type { Command } from "../../store/rows/command.js";
import type { User } from "./users.js";

/** Commands that name channels: where, and whether as patterns. Who hears no more needs no right to that. */
const NAMED: ReadonlyMap<string, { readonly all: boolean; readonly asPatterns: boolean }> = new Map([
  ["PUBLISH", { all: false, asPatterns: false }],
  ["SPUBLISH", { all: false, asPatterns: false }],
  ["SUBSCRIBE", { all: true, asPatterns: false }],
  ["SSUBSCRIBE", { all: true, asPatterns: false }],
  ["PSUBSCRIBE", { all: true, asPatterns: true }],
]);

/** What a user's rules say against a command, those on channels among them; null: nothing. */
export function refusalOf(
  { acl, channels }: User,
  command: Command,
  argv: readonly ByteString[],
): AclRefusal | null {
  const refusal = acl.isUnlimited ? null : acl.refusal(command, argv);
  if (refusal !== null || channels === null) return refusal;
  const named = NAMED.get(command.name);
  if (named === undefined) return null;
  const channel = refusedChannel(channels, argv.slice(1, named.all ? undefined : 2), named.asPatterns);
  return channel === null ? null : { what: "channel", channel };
}

/**
 * The first that the patterns do not give; null: they give all.
 * @param asPatterns  they are patterns themselves: one that is not the user's own, as it stands, might match more
 */
export function refusedChannel(
  patterns: readonly ByteString[] | null,
  channels: Iterable<ByteString>,
  asPatterns: boolean,
): ByteString | null {
  if (patterns === null) return null;
  for (const channel of channels) {
    const isGiven = asPatterns
      ? patterns.includes(channel)
      : patterns.some((pattern) => globMatches(pattern, channel));
    if (!isGiven) return channel;
  }
  return null;
}
