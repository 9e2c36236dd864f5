/**
 * Sends the requests of subcommands: to the first daemon that answers or to all, for values or for unconverted replies.
 */
import type { ForwardedCall, OutboxClient } from "../../../client/outbox-client.js";
import { readCallOptions } from "../../../client/settings/call-options.js";
import type { ClientSettings } from "../../../client/settings/client-settings.js";
import { commandBytes } from "../../../client/shared/command-bytes.js";
import type { CommandInput } from "../../../client/shared/command-input.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import type { Address } from "../../../client/shared/server-list.js";
import type { Reply } from "../../../protocol/reply.js";
import { openFrom } from "./client-options.js";

/** Sends a command; strings of the reply are Buffers. @throws DbsyncError */
export type BufferQuery = (command: readonly (string | Buffer)[]) => Promise<ReplyValue>;

/** The daemon that receives all requests. */
export interface QueriedDaemon {
  readonly query: BufferQuery;
  readonly server: Address;
}

/** Finds the daemon. @throws DbsyncError  no daemon of the list answers, or all that answer speak version 1 */
export async function oneDaemon(settings: ClientSettings): Promise<QueriedDaemon> {
  let failure: unknown = null;
  for (const server of settings.servers) {
    const { client } = openFrom({ ...settings, servers: [server], policy: "first" });
    try {
      const query: BufferQuery = (command) => client.call(command, { buffers: true });
      if (Array.isArray(await query(["SCAN", "0", "COUNT", "1"]))) return { query, server };
      throw new DbsyncError(
        "bad-key",
        "the call used version 1 of the protocol, which has no cursors; specify a private key (-k)",
      );
    } catch (problem) {
      if (!(problem instanceof DbsyncError)) throw problem;
      failure ??= problem;
    }
  }
  throw failure;
}

/** Sends a command to all daemons. @throws DbsyncError  a daemon has not accepted it */
export type SendToAll = (command: CommandInput) => Promise<ReplyValue>;

/** A key and the unit that changed it last. */
export interface KeyState {
  readonly key: string;
  readonly writer: string;
}

export interface TypedRequests {
  /** Returns the state of a key, or null if there is no such key. @throws DbsyncError */
  stateOf(key: string): Promise<KeyState | null>;
  /**
   * Sends a request.
   * @param state  the required state, or null if any state is allowed
   * @returns the reply, which is nil if the key's state differs from the required one
   * @throws DbsyncError
   */
  query(command: CommandInput, state?: KeyState | null): Promise<Reply>;
}

/**
 * Sends the requests of an export. Replies keep the types of numbers and texts, and a request can require that a key
 * has not changed.
 */
export function typedRequests(client: OutboxClient, settings: ClientSettings): TypedRequests {
  return {
    async stateOf(key) {
      const writers = await client.call(["WRITERS", key]);
      const writer = Array.isArray(writers) ? writers[0] : null;
      return typeof writer === "string" ? { key, writer } : null;
    },
    query(command, state = null) {
      const options = readCallOptions(state === null ? {} : { if: [state] }, settings);
      return callForRawReply(client, {
        bytes: commandBytes(command),
        commandKind: "reads",
        inputs: command,
        settings: options,
      });
    },
  };
}

/**
 * Makes a call, and resolves with the unconverted reply.
 * @throws DbsyncError  the call failed, or the reply is an error
 */
export function callForRawReply(
  client: OutboxClient,
  { inputs, bytes, commandKind, settings }: ForwardedCall,
): Promise<Reply> {
  return new Promise((resolve, reject) =>
    client.forward(inputs, bytes, commandKind, settings, { resolve, reject }),
  );
}
