/**
 * Recognizes commands that need an administrator's key. They are refused in version 1 and in unsigned envelopes. The
 * functions are pure.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../../protocol/reply.js";
import { connectionMistake } from "../../store/connection-mistake.js";
import { isKeyCommand } from "../../store/key-ring.js";

/** Returns whether a command is about the key ring or about the timeline's history. */
export function isForAdministrators(argv: readonly ByteString[]): boolean {
  return isKeyCommand(argv) || isTimelineCommand(argv[0] as ByteString);
}

const TIMELINE = "TIMELINE";

/** Runs for every command, so it compares the length first. */
const isTimelineCommand = (name: ByteString) =>
  name.length === TIMELINE.length && name.toUpperCase() === TIMELINE;

/** Returns why an unsigned unit is refused, or null if it is permitted. A daemon without keys has no other rules. */
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
