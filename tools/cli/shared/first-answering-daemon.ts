/** Sends all requests to the first daemon of the list that answers, because a cursor is valid only on one daemon. */
import type { Settings } from "../../../client/settings/client-settings.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import type { Address } from "../../../client/shared/server-list.js";
import { openFrom } from "./client-options.js";

/** Sends a command; strings of the reply are Buffers. @throws DbsyncError */
export type BufferQuery = (command: readonly (string | Buffer)[]) => Promise<ReplyValue>;

/** The daemon that receives all requests. */
export interface QueriedDaemon {
  readonly query: BufferQuery;
  readonly server: Address;
}

/** Finds the daemon. @throws DbsyncError  no daemon of the list answers, or all that answer speak version 1 */
export async function oneDaemon(settings: Settings): Promise<QueriedDaemon> {
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
