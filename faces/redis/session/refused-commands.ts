/**
 * Handles refused commands: the error for the client, and the entry in ACL LOG. Source: redis-server 7.0, acl.c,
 * sort.c.
 */

import type { AclRefusal } from "../../../daemon/store/rights/acl.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../../protocol/reply.js";
import { patternOption } from "../store/commands/sort.js";
import { type Client, clientLine } from "./clients.js";
import type { Denied } from "./denied-log.js";
import type { RespServer } from "./resp-server.js";

/** The session of a refused command. */
export interface DeniedSession extends Client {
  readonly server: RespServer;
  /** The queued commands, or null if no transaction is open. */
  readonly queued: readonly unknown[] | null;
  readonly isExecuting: boolean;
  readonly as: ByteString | null;
}

/** Redis's default for acllog-max-len. */
const DENIED_DEFAULT = 128;

/** Adds an entry to ACL LOG. @param object  the refused command, key or channel, or `AUTH` */
export function noteDenied(
  session: DeniedSession,
  reason: Denied["reason"],
  object: ByteString,
  userName: ByteString,
  within: Denied["context"] | null = null,
): void {
  const { server, queued, isExecuting } = session;
  const { environment } = server;
  const context = within ?? (queued === null && !isExecuting ? "toplevel" : "multi");
  const line = clientLine(session, environment.uptime());
  server.denied.add(
    { reason, context, object, userName, client: line },
    environment.clock(),
    server.numberOf("acllog-max-len", DENIED_DEFAULT),
  );
}

/** Returns the object that a user's rights refuse: the key, the channel, or the command's name. */
export function objectOf({ name }: Command, refusal: AclRefusal): ByteString {
  if (refusal.what === "key") return refusal.key;
  return refusal.what === "channel" ? refusal.channel : name.toLowerCase();
}

/** Adds a refusal because of a user's rights to ACL LOG. */
export function noteRefusal(
  session: DeniedSession,
  command: Command,
  refusal: AclRefusal,
  within: Denied["context"] | null = null,
): void {
  noteDenied(session, refusal.what, objectOf(command, refusal), session.as ?? "", within);
}

/** The refusal of a command that needs memory while memory is full. */
export const OUT_OF_MEMORY = error("OOM command not allowed when used memory > 'maxmemory'.");
const NO_KEY = error("NOPERM this user has no permissions to access one of the keys used as arguments");
const NO_CHANNEL = error(
  "NOPERM this user has no permissions to access one of the channels used as arguments",
);

/**
 * Returns the error for a refusal because of a user's rights, and adds it to ACL LOG. As in Redis, a refused pattern of
 * SORT is not added.
 */
export function refusalReply(
  session: DeniedSession,
  command: Command,
  argv: readonly ByteString[],
  refusal: AclRefusal,
): ErrorReply {
  const option = refusal.what === "key" && refusal.key === "*" ? patternOption(command.name, argv) : null;
  if (option !== null)
    return error(`ERR ${option} option of SORT denied due to insufficient ACL permissions.`);

  noteRefusal(session, command, refusal);
  if (refusal.what === "channel") return NO_CHANNEL;
  return refusal.what === "key" ? NO_KEY : noCommand(command);
}

function noCommand({ name }: Command): ErrorReply {
  return error(`NOPERM this user has no permissions to run the '${name.toLowerCase()}' command`);
}
