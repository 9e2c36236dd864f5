/** The commands in envelopes that subscribe to events or unsubscribe from them. */

import type { ChannelKind } from "../../engine/channels/channels.js";
import type { WatchKind } from "../../engine/channels/key-watchers.js";
import type { ByteString } from "../../protocol/byte-string.js";

export interface ListenCommand {
  /** The command's name. */
  readonly name: string;
  readonly of: "channels" | "keys";
  readonly kind: ChannelKind | WatchKind;
  /** Whether the command subscribes; otherwise it unsubscribes. */
  readonly adds: boolean;
}

const pairOf = (
  name: string,
  of: ListenCommand["of"],
  kind: ListenCommand["kind"],
): [string, ListenCommand][] => [
  [name, { name, of, kind, adds: true }],
  [name.replace(/^(P|S)?(SUBSCRIBE|WATCH)/, "$1UN$2"), { name, of, kind, adds: false }],
];

const WORDS: ReadonlyMap<string, ListenCommand> = new Map([
  ...pairOf("SUBSCRIBE", "channels", "channel"),
  ...pairOf("PSUBSCRIBE", "channels", "pattern"),
  ...pairOf("SSUBSCRIBE", "channels", "shard"),
  ...pairOf("WATCH", "keys", "key"),
  ...pairOf("WATCHPREFIX", "keys", "prefix"),
]);

/** Returns the properties of a command, or null for a command of another kind or without arguments. */
export function listenCommandOf(argv: readonly ByteString[]): ListenCommand | null {
  return argv.length < 2 ? null : (WORDS.get((argv[0] as ByteString).toUpperCase()) ?? null);
}
