/**
 * Who hears which channels of this daemon. Messages are no data: nothing is kept of them, and nobody hears them later.
 * Source: redis-server 7.0, pubsub.c.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { globMatches } from "../../store/patterns/glob.js";
import { Message } from "./message.js";

/** Patterns hear what is said on channels, shard channels have messages of their own. */
export type ChannelKind = "channel" | "pattern" | "shard";

export interface Subscriber {
  hear(message: Message): void;
  /** The users' rules have changed. */
  review(): void;
}

type Subscribers = Map<ByteString, Set<Subscriber>>;

export class Channels {
  readonly #subscribers: Readonly<Record<ChannelKind, Subscribers>> = {
    channel: new Map(),
    pattern: new Map(),
    shard: new Map(),
  };

  add(kind: ChannelKind, name: ByteString, subscriber: Subscriber): void {
    const subscribers = this.#subscribers[kind];
    const others = subscribers.get(name);
    if (others === undefined) subscribers.set(name, new Set([subscriber]));
    else others.add(subscriber);
  }

  remove(kind: ChannelKind, name: ByteString, subscriber: Subscriber): void {
    const others = this.#subscribers[kind].get(name);
    others?.delete(subscriber);
    if (others?.size === 0) this.#subscribers[kind].delete(name);
  }

  /** @returns how many have heard it, who hears it twice counted twice */
  publish(channel: ByteString, text: ByteString): number {
    const { pattern: patterns } = this.#subscribers;
    let heard = this.#tell("channel", channel, ["message", channel, text]);
    for (const pattern of patterns.keys())
      if (globMatches(pattern, channel))
        heard += this.#tell("pattern", pattern, ["pmessage", pattern, channel, text]);
    return heard;
  }

  /** The same on a shard channel. */
  publishInShard(channel: ByteString, text: ByteString): number {
    return this.#tell("shard", channel, ["smessage", channel, text]);
  }

  /** Those that somebody hears. */
  names(kind: ChannelKind): Iterable<ByteString> {
    return this.#subscribers[kind].keys();
  }

  /** How many different ones somebody hears. */
  size(kind: ChannelKind): number {
    return this.#subscribers[kind].size;
  }

  subscribersOf(kind: ChannelKind, name: ByteString): number {
    return this.#subscribers[kind].get(name)?.size ?? 0;
  }

  /** The users' rules have changed: who may not hear any more what he hears is to go. */
  review(): void {
    const all = Object.values(this.#subscribers).flatMap((kind) => [...kind.values()]);
    for (const subscriber of new Set(all.flatMap((some) => [...some]))) subscriber.review();
  }

  #tell(kind: ChannelKind, name: ByteString, parts: readonly ByteString[]): number {
    const subscribers = this.#subscribers[kind].get(name);
    if (subscribers === undefined) return 0;
    const message = new Message(parts);
    // Who is closed for what lies at his connection is taken out of the set meanwhile.
    const { size } = subscribers;
    for (const subscriber of subscribers) subscriber.hear(message);
    return size;
  }
}
