/** Makes a call that resolves with the unconverted reply. */

import type { OutboxClient } from "../../../client/outbox-client.js";
import type { CallSettings } from "../../../client/settings/call-options.js";
import type { CommandKind } from "../../../client/shared/commands.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";

export interface RawReplyCall {
  /** A command, or several commands that are applied together. */
  readonly bytes: ByteString | readonly ByteString[];
  readonly commandKind: CommandKind;
  readonly settings: CallSettings;
}

/** Makes the call. @throws DbsyncError  the call failed, or the reply is an error (see repliedError) */
export function callForRawReply(
  client: OutboxClient,
  { bytes, commandKind, settings }: RawReplyCall,
): Promise<Reply> {
  return new Promise((resolve, reject) => client.forward(bytes, commandKind, settings, { resolve, reject }));
}
