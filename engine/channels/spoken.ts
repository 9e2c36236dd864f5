/** Commands that say something on a channel, as they stand in envelopes. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import type { Said } from "./channels.js";

const KINDS: Readonly<Record<string, Said["kind"]>> = { PUBLISH: "channel", SPUBLISH: "shard" };
/** Of the names above: others are told from these without being converted. */
const SHORTEST = 7;
const LONGEST = 8;
/** With the name. */
const ARGUMENTS = 3;

/** What a command says; null: it is no PUBLISH or SPUBLISH, or has another number of arguments. */
export function saidBy(argv: readonly ByteString[]): Said | null {
  // Each signed command is asked: nothing is made of most.
  const name = argv[0] ?? "";
  if (name.length < SHORTEST || name.length > LONGEST || argv.length !== ARGUMENTS) return null;
  const kind = KINDS[name.toUpperCase()];
  return kind === undefined ? null : { kind, channel: argv[1] as ByteString, text: argv[2] as ByteString };
}

/** How a command says it. */
export const commandOf = ({ kind, channel, text }: Said): readonly ByteString[] => [
  kind === "channel" ? "PUBLISH" : "SPUBLISH",
  channel,
  text,
];

/** What an envelope says that does nothing else; null: it does something else. */
export function spokenBy({ commands, multi, if: conditions }: Envelope): readonly Said[] | null {
  if (multi || conditions !== null) return null;
  // Made at the first one: each signed envelope is asked, and few say anything.
  let all: Said[] | null = null;
  for (const argv of commands) {
    const said = saidBy(argv);
    if (said === null) return null;
    all ??= [];
    all.push(said);
  }
  return all;
}
