/** Commands that have a meaning only for a connection, and what an envelope uses instead. */
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";
import { CommandFailure } from "../arguments/command-errors.js";

const TOGETHER = "commands that belong together form an envelope with multi, client.multi()";
const CONDITIONS = "the header's if, an option of the client, sets the condition of a call";

const SIGNED = "its signature identifies its sender";
const OWN = "it is for connections of the RESP listener (--resp)";

/** What an envelope uses instead of each command, or of all commands that begin with this word. */
const INSTEAD: Readonly<Record<string, string>> = {
  SELECT: "its header names the database (db)",
  MULTI: TOGETHER,
  EXEC: TOGETHER,
  DISCARD: TOGETHER,
  WATCH: CONDITIONS,
  UNWATCH: CONDITIONS,
  HELLO: SIGNED,
  QUIT: OWN,
  RESET: OWN,
  DBSYNC: OWN,
};

const MISTAKES: ReadonlyMap<string, ErrorReply> = new Map(
  Object.entries(INSTEAD).map(([name, cure]) => [
    name,
    error(`ERR ${name} is not permitted in an envelope: ${cure}`),
  ]),
);

const LENGTHS: ReadonlySet<number> = new Set(Object.keys(INSTEAD).map(({ length }) => length));

/** Returns the error for a connection's command in an envelope, or null for any other command. */
export function connectionMistake(argv: readonly ByteString[]): ErrorReply | null {
  const name = argv[0] as ByteString;
  return LENGTHS.has(name.length) ? (MISTAKES.get(name.toUpperCase()) ?? null) : null;
}

/** Whether a command has a meaning only for a connection. @param name as in the command table */
export function isOfConnection(name: string): boolean {
  return MISTAKES.has(name.split("|")[0] as string);
}

/** Rejects a connection's command if there is no connection. @throws CommandFailure */
export function refuseWithoutConnection(_: unknown, argv: readonly ByteString[]): never {
  throw new CommandFailure(connectionMistake(argv)?.text ?? "ERR needs a connection");
}
