/** What `import … from 'dbsyncd'` gives: all that is public, and nothing else is. */

export type { OutcomeMessage, VersionMessage } from "./channels.js";
export type { Client } from "./client.js";
export type { Argument, CommandInput } from "./command.js";
// biome-ignore lint/performance/noBarrelFile: the package's one entry; inside, nobody imports it
export { createClient, dbsyncReset, dbsyncSend } from "./dbsync-send.js";
export { DbsyncError, type ErrorCode, type Outcome, type Stage } from "./errors.js";
export type { HeaderOptions, If } from "./header-options.js";
export type { CallOptions, KeyOption, SendOptions, TypedCallOptions } from "./options.js";
export type { Format } from "./outcome.js";
export type { Policy } from "./policy.js";
export type { ReplyValue } from "./reply-value.js";
