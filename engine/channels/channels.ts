/**
 * Who hears which channels of this daemon. Messages are no data: nothing is kept of them, and nobody hears them later. What is
 * said here goes to the other daemons too, where there are any.
 * Source: redis-server 7.0, pubsub.c.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { GlobSteps, globMatches } from "../../store/patterns/glob.js";
import { Message } from "./message.js";

/** Patterns hear what is said on channels, shard channels have messages of their own. */
export const CHANNEL_KINDS = ["channel", "pattern", "shard"] as const;
export type ChannelKind = (typeof CHANNEL_KINDS)[number];

export interface Subscriber {
  hear(message: Message): void;
  /** Something may have been said on other daemons that it does not hear. Who can be told so is told. */
  miss?(): void;
  /** The users' rules have changed. */
  review(): void;
}

/** What is said on a channel, or on a shard channel. */
export interface Said {
  readonly kind: "channel" | "shard";
  readonly channel: ByteString;
  readonly text: ByteString;
}

/** The way to the other daemons. */
export interface Relay {
  /** Hands it to all that are connected; it waits for none that is away. */
  give(said: Said): void;
}

type Subscribers = Map<ByteString, Set<Subscriber>>;

export class Channels {
  /** null: there are no other daemons. */
  relay: Relay | null = null;
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

  /** Said by a client of this daemon. @returns how many have heard it here, who hears it twice counted twice */
  say(said: Said): number {
    this.relay?.give(said);
    return this.tell(said);
  }

  /** Said here or elsewhere. @returns as `say` */
  tell({ kind, channel, text }: Said): number {
    if (kind === "channel") return this.#publish(channel, text);
    return this.#tell("shard", channel, ["smessage", channel, text]);
  }

  /** How many would hear it now. */
  hearersOf({ kind, channel }: Said): number {
    let hearers = this.subscribersOf(kind, channel);
    const steps = new GlobSteps();
    if (kind === "channel")
      for (const [pattern, { size }] of this.#subscribers.pattern)
        if (globMatches(pattern, channel, steps)) hearers += size;
    return hearers;
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
    for (const subscriber of this.#all) subscriber.review();
  }

  /** Something may have been said on other daemons that is not heard here. */
  miss(): void {
    for (const subscriber of this.#all) subscriber.miss?.();
  }

  get #all(): ReadonlySet<Subscriber> {
    const all = Object.values(this.#subscribers).flatMap((kind) => [...kind.values()]);
    return new Set(all.flatMap((some) => [...some]));
  }

  #publish(channel: ByteString, text: ByteString): number {
    const { pattern: patterns } = this.#subscribers;
    let heard = this.#tell("channel", channel, ["message", channel, text]);
    const steps = new GlobSteps();
    for (const pattern of patterns.keys())
      if (globMatches(pattern, channel, steps))
        heard += this.#tell("pattern", pattern, ["pmessage", pattern, channel, text]);
    return heard;
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
