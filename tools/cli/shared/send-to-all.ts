/** The function with which an import sends commands to every daemon. */
import type { CommandInput } from "../../../client/shared/command-input.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";

/** Sends a command to all daemons. @throws DbsyncError  a daemon has not accepted it */
export type SendToAll = (command: CommandInput) => Promise<ReplyValue>;
