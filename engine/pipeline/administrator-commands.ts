/**
 * Recognizes commands that need an administrator's key. They are refused in version 1 and in unsigned envelopes. The
 * functions are pure.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";
import { isKeyCommand } from "../../store/key-ring.js";
import { connectionMistake } from "../../store/rows/connection-only-commands.js";

/** Returns whether a command is about the key ring or about the timeline's history. */
export function isForAdministrators(argv: readonly ByteString[]): boolean {
  return isKeyCommand(argv) || isOfTimeline(argv[0] as ByteString);
}

const TIMELINE = "TIMELINE";

/** This runs for every command: the length rules out most of them. */
const isOfTimeline = (name: ByteString) => name.length === TIMELINE.length && name.toUpperCase() === TIMELINE;

/** Returns the refusal of an unsigned unit, or null if it is applied, because a daemon without keys has no rules. */
export function unsignedRefusalOf(commands: readonly (readonly ByteString[])[]): ErrorReply | null {
  for (const argv of commands) {
    if (isForAdministrators(argv)) return NEEDS_KEYS;
    const mistake = connectionMistake(argv);
    if (mistake !== null) return mistake;
  }
  return null;
}

const NEEDS_KEYS = error(
  "NOPERM this is for administrators, and the daemon was started without keys: -s, --root-key",
);
