/** Sends the commands of an import to every daemon. */
import type { CommandInput } from "../../client/shared/command.js";
import type { ReplyValue } from "../../client/shared/reply-value.js";

/** @throws DbsyncError  a daemon has not taken it */
export type SendToAll = (command: CommandInput) => Promise<ReplyValue>;
