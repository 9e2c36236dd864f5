/** Converts between channel messages and the commands of an envelope that publish them. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Envelope } from "../../../protocol/version-2/envelope.js";
import type { ChannelMessage } from "./channels.js";

const KINDS: Readonly<Record<string, ChannelMessage["kind"]>> = { PUBLISH: "channel", SPUBLISH: "shard" };
/**
 * The lengths of the names PUBLISH and SPUBLISH. Commands with names of other lengths are skipped without converting
 * their names to upper case.
 */
const SHORTEST = 7;
const LONGEST = 8;
/** The number of arguments of both commands, including the name. */
const ARGUMENTS = 3;

/**
 * Returns the message that a command publishes, or null if it is not PUBLISH or SPUBLISH, or has a wrong number of
 * arguments.
 */
export function messageOf(argv: readonly ByteString[]): ChannelMessage | null {
  // This runs for each signed command, so it allocates nothing for most commands.
  const name = argv[0] ?? "";
  if (name.length < SHORTEST || name.length > LONGEST || argv.length !== ARGUMENTS) return null;
  const kind = KINDS[name.toUpperCase()];
  return kind === undefined ? null : { kind, channel: argv[1] as ByteString, text: argv[2] as ByteString };
}

/** Returns the command that publishes a message. */
export const commandOf = ({ kind, channel, text }: ChannelMessage): readonly ByteString[] => [
  kind === "channel" ? "PUBLISH" : "SPUBLISH",
  channel,
  text,
];

/** Returns the messages of an envelope that only publishes, or null if it contains other commands. */
export function messagesOf({
  commands,
  multi,
  units,
  if: conditions,
}: Envelope): readonly ChannelMessage[] | null {
  if (multi || units !== null || conditions !== null) return null;
  // Allocate the array only for the first message, because this runs for each signed envelope, and few envelopes
  // contain messages.
  let all: ChannelMessage[] | null = null;
  for (const argv of commands) {
    const message = messageOf(argv);
    if (message === null) return null;
    all ??= [];
    all.push(message);
  }
  return all;
}
