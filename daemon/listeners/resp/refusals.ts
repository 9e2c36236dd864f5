/** What is denied to whom, kept for ACL LOG. Source: redis-server 7.0, acl.c. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { AclRefusal } from "../../../store/acl.js";
import type { Command } from "../../../store/command.js";
import { type Client, clientLine } from "./clients.js";
import type { Denied } from "./denied-log.js";
import type { ServerState } from "./server-state.js";

/** A connection, as far as it matters here. */
export interface DeniedSession {
  readonly host: { readonly state: ServerState };
  /** null: no transaction is open. */
  readonly queued: readonly unknown[] | null;
  readonly isExecuting: boolean;
  readonly client: Client;
  readonly as: ByteString | null;
}

/** Keeps for ACL LOG what was denied to whom. @param object  what it was about */
export function noteDenied(
  { host: { state }, queued, isExecuting, client }: DeniedSession,
  reason: Denied["reason"],
  object: ByteString,
  userName: ByteString,
): void {
  const { environment } = state;
  const context = queued === null && !isExecuting ? "toplevel" : "multi";
  const line = clientLine(client, environment.uptime());
  state.denied.add({ reason, context, object, userName, client: line }, environment.clock());
}

/** Keeps for ACL LOG what a user's rules have refused. */
export function noteRefusal(session: DeniedSession, command: Command, refusal: AclRefusal): void {
  const object = refusal.what === "key" ? refusal.key : command.name.toLowerCase();
  noteDenied(session, refusal.what, object, session.as ?? "");
}
