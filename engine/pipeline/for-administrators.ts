/** What only an administrator's key may ask for: so neither version 1 carries it, nor an envelope that nobody has signed. Pure. */
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";
import { isKeyCommand } from "../../store/key-ring.js";
import { connectionMistake } from "../../store/rows/connection-commands.js";

/** Commands of the key ring, and of the timeline's past. */
export function isForAdministrators(argv: readonly ByteString[]): boolean {
  return isKeyCommand(argv) || isOfTimeline(argv[0] as ByteString);
}

const TIMELINE = "TIMELINE";

/** Asked of every command: most are told from it by their length. */
const isOfTimeline = (name: ByteString) => name.length === TIMELINE.length && name.toUpperCase() === TIMELINE;

/** Why a unit that nobody has signed is not applied; null: it is, as a daemon without keys has no rules. */
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
