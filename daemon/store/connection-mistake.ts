/** Refuses the commands in envelopes that have a meaning only for a connection: those with `inEnvelope` in their rows. */
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";
import { commands } from "./command-table.js";

/** The errors by the first word of a command. */
const MISTAKES: ReadonlyMap<string, ErrorReply> = new Map(
  commands.flatMap(({ name, inEnvelope }) => {
    const [word = ""] = name.split("|");
    const text = `ERR ${word} is not permitted in an envelope: ${inEnvelope}`;
    return inEnvelope === undefined ? [] : [[word, error(text)] as const];
  }),
);

const LENGTHS: ReadonlySet<number> = new Set([...MISTAKES.keys()].map(({ length }) => length));

/** Returns the error for a connection's command in an envelope, or null for any other command. */
export function connectionMistake(argv: readonly ByteString[]): ErrorReply | null {
  const name = argv[0] as ByteString;
  return LENGTHS.has(name.length) ? (MISTAKES.get(name.toUpperCase()) ?? null) : null;
}
