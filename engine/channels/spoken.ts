/** Commands that publish a message on a channel, as they appear in envelopes. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import type { Said } from "./channels.js";

const KINDS: Readonly<Record<string, Said["kind"]>> = { PUBLISH: "channel", SPUBLISH: "shard" };
/** Lengths of the names above: other commands are ruled out without converting their names. */
const SHORTEST = 7;
const LONGEST = 8;
/** Arguments, the name included. */
const ARGUMENTS = 3;

/** Returns the message of a command; null: it is no PUBLISH or SPUBLISH, or has another number of arguments. */
export function saidBy(argv: readonly ByteString[]): Said | null {
  // This runs for each signed command: allocate nothing for most of them.
  const name = argv[0] ?? "";
  if (name.length < SHORTEST || name.length > LONGEST || argv.length !== ARGUMENTS) return null;
  const kind = KINDS[name.toUpperCase()];
  return kind === undefined ? null : { kind, channel: argv[1] as ByteString, text: argv[2] as ByteString };
}

/** Returns the command that publishes a message. */
export const commandOf = ({ kind, channel, text }: Said): readonly ByteString[] => [
  kind === "channel" ? "PUBLISH" : "SPUBLISH",
  channel,
  text,
];

/** Returns the messages of an envelope that does nothing else; null: it does something else. */
export function spokenBy({ commands, multi, if: conditions }: Envelope): readonly Said[] | null {
  if (multi || conditions !== null) return null;
  // Allocated at the first message: this runs for each signed envelope, and few have any.
  let all: Said[] | null = null;
  for (const argv of commands) {
    const said = saidBy(argv);
    if (said === null) return null;
    all ??= [];
    all.push(said);
  }
  return all;
}
