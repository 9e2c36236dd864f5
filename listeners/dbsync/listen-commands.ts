/** Commands in envelopes that subscribe to events or unsubscribe. */

import type { ChannelKind } from "../../engine/channels/channels.js";
import type { WatchKind } from "../../engine/channels/key-watchers.js";
import type { ByteString } from "../../protocol/byte-string.js";

export interface ListenCommand {
  /** The command's name. */
  readonly name: string;
  readonly of: "channels" | "keys";
  readonly kind: ChannelKind | WatchKind;
  /** Whether it subscribes; otherwise it unsubscribes. */
  readonly adds: boolean;
}

const asking = (
  name: string,
  of: ListenCommand["of"],
  kind: ListenCommand["kind"],
): [string, ListenCommand][] => [
  [name, { name, of, kind, adds: true }],
  [name.replace(/^(P|S)?(SUBSCRIBE|WATCH)/, "$1UN$2"), { name, of, kind, adds: false }],
];

const WORDS: ReadonlyMap<string, ListenCommand> = new Map([
  ...asking("SUBSCRIBE", "channels", "channel"),
  ...asking("PSUBSCRIBE", "channels", "pattern"),
  ...asking("SSUBSCRIBE", "channels", "shard"),
  ...asking("WATCH", "keys", "key"),
  ...asking("WATCHPREFIX", "keys", "prefix"),
]);

/** Returns the row of a command; null: it is no such command, or names nothing. */
export function listenCommandOf(argv: readonly ByteString[]): ListenCommand | null {
  return argv.length < 2 ? null : (WORDS.get((argv[0] as ByteString).toUpperCase()) ?? null);
}
