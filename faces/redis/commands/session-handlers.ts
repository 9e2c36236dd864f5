/** The handlers of all commands that a connection executes itself. A new family of them needs one line here. */
import { aclHandlers } from "./acl-commands.js";
import { channelHandlers } from "./channel-commands.js";
import { clientHandlers } from "./client-commands.js";
import type { SessionHandlers } from "./command-routes.js";
import { configHandlers } from "./config-commands.js";
import { greetingHandlers } from "./connection-commands.js";
import { debugHandlers } from "./debug-commands.js";
import { infoHandlers } from "./info-command.js";
import { latencyHandlers } from "./latency-commands.js";
import { memoryHandlers } from "./memory-commands.js";
import { processHandlers } from "./process-commands.js";
import { replicationHandlers, replicaWaitHandlers } from "./replication-commands.js";
import { functionHandlers, scriptHandlers } from "./script-commands.js";
import { trackingHandlers } from "./tracking-commands.js";
import { transactionHandlers } from "./transaction-commands.js";

export const sessionHandlers: SessionHandlers = new Map([
  ...greetingHandlers,
  ...transactionHandlers,
  ...clientHandlers,
  ...trackingHandlers,
  ...channelHandlers,
  ...aclHandlers,
  ...infoHandlers,
  ...configHandlers,
  ...scriptHandlers,
  ...functionHandlers,
  ...latencyHandlers,
  ...memoryHandlers,
  ...processHandlers,
  ...debugHandlers,
  ...replicaWaitHandlers,
  ...replicationHandlers,
]);
