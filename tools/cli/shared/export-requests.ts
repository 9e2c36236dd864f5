/**
 * Sends the requests of an export. Replies keep the types of numbers and texts, and a request can require that a key
 * has not changed.
 */

import type { OutboxClient } from "../../../client/outbox-client.js";
import { readCallOptions } from "../../../client/settings/call-options.js";
import type { Settings } from "../../../client/settings/client-settings.js";
import { commandBytes } from "../../../client/shared/command-bytes.js";
import type { CommandInput } from "../../../client/shared/command-input.js";
import type { Reply } from "../../../protocol/reply.js";
import { callForRawReply } from "./raw-reply-call.js";

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

export function typedRequests(client: OutboxClient, settings: Settings): TypedRequests {
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
        settings: options,
      });
    },
  };
}
