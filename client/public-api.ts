/** The public exports of `dbsyncd`. */

export type { CallMessage, OutcomeMessage, VersionMessage } from "./calls/diagnostics-channels.js";
export type { Client } from "./client.js";
// biome-ignore lint/performance/noBarrelFile: the package's one entry; no file inside imports it
export { createClient, dbsyncReset, dbsyncSend } from "./dbsync-send.js";
export type { FeedEvent, FeedLost, FeedUnit, FeedWaiting, FollowOptions } from "./live/follow.js";
export type {
  ChannelEvent,
  ChannelInput,
  GapEvent,
  KeyEvent,
  KeyInput,
  ListenOptions,
  MessageEvent,
  OpenEvent,
  WatchEvent,
} from "./live/live-events.js";
export type { CallOptions, TypedCallOptions } from "./settings/call-options.js";
export type { KeyOption, SendOptions } from "./settings/client-settings.js";
export type { HeaderOptions, If } from "./settings/header-options.js";
export type { Argument, CommandInput } from "./shared/command-input.js";
export type { CommandMethods } from "./shared/commands.js";
export { DbsyncError, type ErrorCode, type Outcome, type Stage } from "./shared/errors.js";
export type { Format } from "./shared/outcome.js";
export type { Policy } from "./shared/policy.js";
export type { ReplyValue } from "./shared/reply-value.js";
