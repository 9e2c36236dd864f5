/** The public types of a client. */

import type { FeedEvent, FollowOptions } from "./live/follow.js";
import type { ChannelEvent, ChannelInput, KeyInput, ListenOptions, WatchEvent } from "./live/live-events.js";
import type { CallOptions, TypedCallOptions } from "./settings/call-options.js";
import type { CommandInput } from "./shared/command-input.js";
import type { CommandMethods } from "./shared/commands.js";
import type { Outcome } from "./shared/errors.js";
import type { ReplyValue } from "./shared/reply-value.js";

/** The calls and subscriptions of a client. The promises of calls settle by the deadline; errors.ts has the errors. */
export interface CallingClient extends AsyncDisposable {
  /**
   * Sends a command to every daemon. The policy selects the result: the value as text, the elements of a list on a
   * line each, or null for nil and an empty list, which `call` returns as [].
   * @param command  a line, which the daemon splits at spaces; or a list of arguments
   */
  send(command: CommandInput, options?: CallOptions): Promise<string | null>;
  /**
   * Sends a command and resolves with its typed reply: text, number, list and so on. A daemon that speaks version 1
   * returns text. null means nil, or that a condition of `if` does not hold. `WRITERS` returns the hexadecimal digits
   * that `if` accepts, unless `buffers` is set. `Reply` is the type that the caller expects, for example
   * `string | null`; the client does not check it. Commands that wait for data, such as BLPOP, do not wait here: use
   * `watch`.
   */
  call<Reply extends ReplyValue = ReplyValue>(
    command: CommandInput,
    options?: TypedCallOptions,
  ): Promise<Reply>;
  /**
   * Sends commands that each daemon applies together, with no other command between them, and resolves with their
   * replies. The reply of a failed command is its error. null means that a condition of `if` does not hold. Requires
   * version 2.
   */
  multi(commands: readonly CommandInput[], options?: TypedCallOptions): Promise<ReplyValue[] | null>;
  /**
   * Sends a command to every daemon and resolves when each has answered or failed, in the order of `servers`.
   */
  sendAll(command: CommandInput, options?: CallOptions): Promise<{ outcomes: Outcome[] }>;
  /**
   * Iterates over the messages on a channel, on the channels that match `{ pattern }`, or on the channel `{ shard }`.
   * The client receives them from one daemon, and from another one if it loses the first. The first event is `open`;
   * a `gap` event reports that messages may be missing. Requires version 2.
   */
  subscribe(channel: ChannelInput, options?: ListenOptions): AsyncIterableIterator<ChannelEvent>;
  /**
   * Iterates over the changes of a key, or of all keys that begin with `{ prefix }`. This includes changes by writes
   * that arrived late.
   */
  watch(key: KeyInput, options?: ListenOptions): AsyncIterableIterator<WatchEvent>;
  /**
   * This client's newest write that a daemon has acknowledged, for the option `after` of another call, or null if
   * there is none. Requires version 2.
   */
  readonly lastWrite: string | null;
  /**
   * Closes all connections. Calls in flight and later calls fail with `closed`. Closing twice is harmless.
   */
  close(): Promise<void>;
}

/** The client that `createClient` returns, with typed methods for commands. */
export interface Client extends CallingClient, CommandMethods {
  /**
   * Returns the methods for commands with these options for each call:
   * `client.withOptions({ signal }).get("greeting")`.
   */
  withOptions(options: CallOptions): CommandMethods;
  /**
   * Iterates over the recorded writes of all clients: in their final order, or as they arrive at one daemon. Continue
   * with `from` at the `position` of the last unit that your program has processed. The key needs permission for
   * `TIMELINE LOG`, and the feed contains only units of which it may read all keys.
   */
  follow(options?: FollowOptions): AsyncIterableIterator<FeedEvent>;
}
