/** The commands of Redis clients that a sidecar does not support, and the reasons. */
import { commands } from "../../daemon/store/command-table.js";
import { type Command, type SidecarLack, waitsByOption } from "../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";

const WAITS =
  "it waits for data, but a signed command is applied once, at its date: connect workers to --resp of a daemon, " +
  "or read, and remove the element by a command that names it (LREM, ZREM, XACK)";
const STREAMS =
  "it turns its connection into a stream of messages, but the daemons send one answer to each signed command";
const MESSAGES = "channels belong to the daemon that a client is connected to, but no client listens here";

const LACKS: Readonly<Record<SidecarLack, string>> = {
  "monitored-commands":
    "the commands that the daemons accept do not pass through the sidecar: dbsync log shows them",
  replicas: "only the daemons know which of them have a write: --policy sets how many must answer",
  internals: "it concerns a daemon's internals, but this daemon has no data",
  storage: "this daemon stores nothing: the other daemons do",
};

/** Returns why a sidecar does not support a command in any form, or null if it may. */
function reasonAgainst({ sidecarLacks, waitsFor, connectionUse, flags }: Command): string | null {
  if (sidecarLacks !== undefined) return LACKS[sidecarLacks];
  if (waitsFor?.isOptional === false) return WAITS;
  if (connectionUse === "listens") return STREAMS;
  return flags.includes("pubsub") ? MESSAGES : null;
}

/**
 * The errors for the commands of Redis clients that a sidecar neither sends to the daemons nor answers itself, by
 * command name in upper case.
 */
export const UNSUPPORTED_COMMANDS: ReadonlyMap<string, ErrorReply> = new Map(
  commands.flatMap((command) => {
    const reason = reasonAgainst(command);
    return reason === null ? [] : [[command.name, refusalOf(command.name, reason)] as const];
  }),
);

/** Returns the error for a call that waits because of an option, or null for any other call. */
export function refusalOfForm({ name, waitsFor }: Command, argv: readonly ByteString[]): ErrorReply | null {
  return waitsByOption(waitsFor, argv) ? refusalOf(`${name} with BLOCK`, WAITS) : null;
}

/**
 * Returns the error for a command that was not sent. It does not begin with ERR, because phpredis returns false for
 * such an error, which its callers take for an answer. Source: redis_error_throw in phpredis's library.c.
 */
function refusalOf(name: string, reason: string): ErrorReply {
  return error(`NOTAPPLIED ${name.replace("|", " ")} is not supported by dbsyncd -d dbsync: ${reason}`);
}
