/** The commands in envelopes that subscribe to events or unsubscribe from them. */

import type { ByteString } from "../../protocol/byte-string.js";
import type { ChannelKind } from "../engine/channels/channels.js";
import type { WatchKind } from "../engine/channels/key-watchers.js";

export interface SubscriptionCommand {
  /** The command's name. */
  readonly name: string;
  readonly target: "channels" | "keys";
  readonly kind: ChannelKind | WatchKind;
  /** Whether the command subscribes; otherwise it unsubscribes. */
  readonly subscribes: boolean;
}

const subscribeAndUnsubscribe = (
  name: string,
  target: SubscriptionCommand["target"],
  kind: SubscriptionCommand["kind"],
): [string, SubscriptionCommand][] => [
  [name, { name, target, kind, subscribes: true }],
  [name.replace(/^(P|S)?(SUBSCRIBE|WATCH)/, "$1UN$2"), { name, target, kind, subscribes: false }],
];

const COMMANDS: ReadonlyMap<string, SubscriptionCommand> = new Map([
  ...subscribeAndUnsubscribe("SUBSCRIBE", "channels", "channel"),
  ...subscribeAndUnsubscribe("PSUBSCRIBE", "channels", "pattern"),
  ...subscribeAndUnsubscribe("SSUBSCRIBE", "channels", "shard"),
  ...subscribeAndUnsubscribe("WATCH", "keys", "key"),
  ...subscribeAndUnsubscribe("WATCHPREFIX", "keys", "prefix"),
]);

/** Returns the properties of a command, or null for a command of another kind or without arguments. */
export function subscriptionCommandOf(argv: readonly ByteString[]): SubscriptionCommand | null {
  return argv.length < 2 ? null : (COMMANDS.get((argv[0] as ByteString).toUpperCase()) ?? null);
}
