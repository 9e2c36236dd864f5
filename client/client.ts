/** The public types of a client. */

import type { CommandMethods } from "./command-methods.js";
import type { ChannelEvent, ChannelInput, KeyInput, ListenOptions, WatchEvent } from "./live/live-event.js";
import type { CallOptions, TypedCallOptions } from "./settings/call-options.js";
import type { CommandInput } from "./shared/command.js";
import type { Outcome } from "./shared/errors.js";
import type { ReplyValue } from "./shared/reply-value.js";

/** Results are promises that settle by the deadline; errors: see errors.ts. */
export interface CallingClient extends AsyncDisposable {
  /**
   * Sends a command to every daemon and resolves by the policy: with the value as text, or null for nil.
   * @param command  a line, split at spaces by the daemon; or arguments
   */
  send(command: CommandInput, options?: CallOptions): Promise<string | null>;
  /**
   * Sends a command and resolves with its reply, typed: text, number, list … A daemon that speaks version 1 returns
   * text. null: nil, or a condition of `if` does not hold. `WRITERS` returns hexadecimal digits, as `if` accepts
   * them, unless `buffers` is set.
   */
  call(command: CommandInput, options?: TypedCallOptions): Promise<ReplyValue>;
  /**
   * Sends commands that are applied together, with no other between them, and resolves with their replies; the reply
   * of a failed one is its error. null: a condition of `if` does not hold. Needs version 2.
   */
  multi(commands: readonly CommandInput[], options?: TypedCallOptions): Promise<ReplyValue[] | null>;
  /**
   * Sends a command to every daemon and resolves when each has answered or failed, in the order of `servers`.
   */
  sendAll(command: CommandInput, options?: CallOptions): Promise<{ outcomes: Outcome[] }>;
  /**
   * The newest write of this client that a daemon has answered, for the option `after` of another call; null: none.
   * In version 2 only.
   */
  readonly lastWrite: string | null;
  /**
   * Closes every connection. Calls in flight fail with `closed`, later ones too; closing twice is harmless.
   */
  close(): Promise<void>;
}

/** The client of `createClient`, with typed methods for commands. */
export interface Client extends ListenedClient, CommandMethods {}

/** A client that can listen. */
export interface ListenedClient extends CallingClient {
  /**
   * Iterates over the messages on a channel, on those that match `{ pattern }`, or on `{ shard }`: received from one
   * daemon, and from another when that one is lost. The first event is `open`; where messages may be missing there is
   * a `gap`. Needs version 2.
   */
  subscribe(channel: ChannelInput, options?: ListenOptions): AsyncIterableIterator<ChannelEvent>;
  /**
   * Iterates over the changes of a key, or of all keys that begin with `{ prefix }`, including those by writes that
   * came late.
   */
  watch(key: KeyInput, options?: ListenOptions): AsyncIterableIterator<WatchEvent>;
}
