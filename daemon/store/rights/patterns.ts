/**
 * Decides which keys a rule permits a command to read and write, and which channels the patterns after `&` permit.
 * Source: redis-server 7.0, acl.c.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { globMatches } from "../patterns/glob.js";
import type { Command } from "../rows/command-row.js";
import type { Permission } from "../rows/key-spec.js";

export interface KeyPattern {
  readonly read: boolean;
  readonly write: boolean;
  readonly glob: ByteString;
}

/** Whether a single pattern grants the complete permission for a key, as in Redis. */
export function allows(patterns: readonly KeyPattern[], key: ByteString, needs: Permission): boolean {
  return patterns.some((pattern) => grants(pattern, needs) && globMatches(pattern.glob, key));
}

/** Whether the patterns permit access to all possible keys. */
export function allowsAll(patterns: readonly KeyPattern[], needs: Permission): boolean {
  return patterns.some((pattern) => grants(pattern, needs) && pattern.glob === "*");
}

const ENDS_ON_ANYTHING = /(?<!\\)(?:\\\\)*\*$/;

/** Whether the patterns permit access to all keys with a common beginning. */
export function allowsBeginning(
  patterns: readonly KeyPattern[],
  beginning: ByteString,
  needs: Permission,
): boolean {
  return patterns.some((pattern) => grants(pattern, needs) && matchesBeginning(pattern.glob, beginning));
}

/** Whether a glob matches every key with this beginning, because it ends with `*`. */
function matchesBeginning(glob: ByteString, beginning: ByteString): boolean {
  if (!ENDS_ON_ANYTHING.test(glob)) return false;
  const before = glob.slice(0, -1);
  for (let end = 0; end <= beginning.length; end++) {
    const text = beginning.slice(0, end);
    // If appending `]` makes the match fail, the `]` is an ordinary character, so the star does not belong to an
    // unfinished class.
    if (globMatches(before, text) && !globMatches(`${before}]`, text)) return true;
  }
  return false;
}

function grants({ read, write }: KeyPattern, needs: Permission): boolean {
  return (read || !needs.includes("R")) && (write || !needs.includes("W"));
}

/** Returns the channels, or patterns of channels, that a command names and that need permission. */
export function channelsNamed(
  { channels }: Pick<Command, "channels">,
  argv: readonly ByteString[],
): readonly ByteString[] {
  return channels === undefined ? [] : argv.slice(1, channels === "first" ? 2 : undefined);
}

/**
 * Whether the patterns permit a channel.
 * @param isPattern whether `channel` is a pattern itself. Such a pattern must be literally one of `patterns`, because
 * any other pattern might match channels that are not permitted.
 */
export function allowsChannel(
  patterns: readonly ByteString[],
  channel: ByteString,
  isPattern: boolean,
): boolean {
  return isPattern ? patterns.includes(channel) : patterns.some((pattern) => globMatches(pattern, channel));
}
