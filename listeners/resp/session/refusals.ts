/** What is denied to whom, as it is told, and kept for ACL LOG. Source: redis-server 7.0, acl.c, sort.c. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../../protocol/reply.js";
import { patternOption } from "../../../store/commands/sort.js";
import type { AclRefusal } from "../../../store/rights/acl.js";
import type { Command } from "../../../store/rows/command.js";
import { type Client, clientLine } from "./clients.js";
import type { Denied } from "./denied-log.js";
import type { RespServer } from "./server.js";

/** A connection, as far as it matters here. */
export interface DeniedSession extends Client {
  readonly server: RespServer;
  /** null: no transaction is open. */
  readonly queued: readonly unknown[] | null;
  readonly isExecuting: boolean;
  readonly as: ByteString | null;
}

/** Redis's acllog-max-len. */
const DENIED_DEFAULT = 128;

/** Keeps for ACL LOG what was denied to whom. @param object  what it was about */
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

/** What a user's rules have refused: the key, the channel, or the command's name. */
export function objectOf({ name }: Command, refusal: AclRefusal): ByteString {
  if (refusal.what === "key") return refusal.key;
  return refusal.what === "channel" ? refusal.channel : name.toLowerCase();
}

/** Keeps for ACL LOG what a user's rules have refused. */
export function noteRefusal(
  session: DeniedSession,
  command: Command,
  refusal: AclRefusal,
  within: Denied["context"] | null = null,
): void {
  noteDenied(session, refusal.what, objectOf(command, refusal), session.as ?? "", within);
}

const NO_KEY = error("NOPERM this user has no permissions to access one of the keys used as arguments");
const NO_CHANNEL = error(
  "NOPERM this user has no permissions to access one of the channels used as arguments",
);

/** What a user's rules have refused, as it is told; kept for ACL LOG, but as in Redis not what an option of SORT would read. */
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
