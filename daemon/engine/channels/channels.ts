/**
 * The subscribers of this daemon's channels, and the commands that publish messages. Messages are not stored, so a
 * subscriber receives only messages that are published while it is subscribed. Messages published here are also sent to
 * the other daemons. Source: redis-server 7.0, pubsub.c.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { writeFrame } from "../../../protocol/frame.js";
import type { ChannelKind } from "../../../protocol/members/subscriber-counts.js";
import { writePush } from "../../../protocol/resp/resp-writer.js";
import type { Envelope } from "../../../protocol/version-2/envelope.js";
import { writeEvent } from "../../../protocol/version-2/messages-v2.js";
import { GlobSteps, globMatches } from "../../store/patterns/glob.js";

export interface Subscriber {
  receive(message: EncodedMessage): void;
  /**
   * Called when messages from other daemons may be missing. Absent if the subscriber's protocol cannot report a gap.
   */
  miss?(): void;
  /** Called when the users' rules have changed, so that the subscriber checks its permissions again. */
  review(): void;
}

/** A message on a channel, or on a shard channel. */
export interface ChannelMessage {
  readonly kind: "channel" | "shard";
  readonly channel: ByteString;
  readonly text: ByteString;
}

/** The sender of messages to the other daemons. */
export interface MemberChannels {
  /** Sends the message to all connected daemons. A daemon that is disconnected does not receive it later. */
  send(message: ChannelMessage): void;
}

/** The subscribers of the connected members, as these have reported them. */
export interface MemberSubscribers {
  /** Called when this daemon's number of subscribers of a channel or pattern has changed. */
  changed(kind: ChannelKind, name: ByteString, count: number): void;
  subscribersOf(kind: ChannelKind, name: ByteString): number;
  /** Returns the names of the channels, or the patterns, that have subscribers; some of them more than once. */
  names(kind: ChannelKind): Iterable<ByteString>;
  /** Returns the number of subscribers that receive the message if it reaches their daemons. */
  countReceivers(message: ChannelMessage): number;
}

type Subscribers = Map<ByteString, Set<Subscriber>>;

/** Checks whether a unit may publish another message. @throws the refusal of the unit */
export type MessageCheck = (message: ChannelMessage) => void;

/** A unit that may still be refused, and its messages. */
export interface HeldMessages<Result> {
  /** What the unit has returned, or null while it runs. */
  result: Result | null;
  /** The messages, or null if there are none. */
  messages: ChannelMessage[] | null;
  /** The check of this unit, or null before its first message. */
  check: MessageCheck | null;
  readonly newCheck: () => MessageCheck;
}

export class Channels {
  /** Sends messages to the other daemons; null if there are none. */
  members: MemberChannels | null = null;
  /** Counts the subscribers of the other daemons; null if there are none. */
  memberSubscribers: MemberSubscribers | null = null;
  #held: HeldMessages<unknown> | null = null;
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
    this.memberSubscribers?.changed(kind, name, others?.size ?? 1);
  }

  remove(kind: ChannelKind, name: ByteString, subscriber: Subscriber): void {
    const others = this.#subscribers[kind].get(name);
    others?.delete(subscriber);
    if (others?.size === 0) this.#subscribers[kind].delete(name);
    this.memberSubscribers?.changed(kind, name, others?.size ?? 0);
  }

  /**
   * Publishes a client's message on this daemon and on the other daemons.
   * @returns the number of local subscribers that received the message, and of the subscribers that the connected
   * members have reported; a subscriber with two matching subscriptions counts twice
   * @throws the refusal of the unit that publishes the message, if it publishes too much
   */
  publish(message: ChannelMessage): number {
    if (this.#held !== null) return this.#hold(message, this.#held);
    this.members?.send(message);
    return this.publishLocally(message) + this.countMemberReceivers(message);
  }

  /**
   * Runs a function in this turn, and holds back the messages that it publishes.
   * @param newCheck  returns the check of the function's messages
   * @returns the function's result, and the messages for `publishHeld`
   */
  holding<Result>(run: () => Result, newCheck: () => MessageCheck): HeldMessages<Result> {
    const before = this.#held;
    const held: HeldMessages<Result> = { result: null, messages: null, check: null, newCheck };
    this.#held = held;
    try {
      held.result = run();
      return held;
    } finally {
      this.#held = before;
    }
  }

  /** Publishes the messages that were held back. */
  publishHeld({ messages }: HeldMessages<unknown>): void {
    for (const message of messages ?? []) this.publish(message);
  }

  #hold(message: ChannelMessage, held: HeldMessages<unknown>): number {
    held.check ??= held.newCheck();
    held.check(message);
    held.messages ??= [];
    held.messages.push(message);
    return this.countReceivers(message);
  }

  /** Publishes a message on this daemon only. @returns the number of local subscribers that received it */
  publishLocally({ kind, channel, text }: ChannelMessage): number {
    if (kind === "channel") return this.#sendToChannel(channel, text);
    return this.#send("shard", channel, ["smessage", channel, text]);
  }

  /** Returns the number of subscribers that would receive the message now, as `publish` counts them. */
  countReceivers(message: ChannelMessage): number {
    return this.countLocalReceivers(message) + this.countMemberReceivers(message);
  }

  /** Returns the number of the connected members' subscribers that would receive the message. */
  countMemberReceivers(message: ChannelMessage): number {
    return this.memberSubscribers?.countReceivers(message) ?? 0;
  }

  /** Returns the number of local subscribers that would receive the message now. */
  countLocalReceivers({ kind, channel }: ChannelMessage): number {
    let receivers = this.subscribersOf(kind, channel);
    const steps = new GlobSteps();
    if (kind === "channel")
      for (const [pattern, { size }] of this.#subscribers.pattern)
        if (globMatches(pattern, channel, steps)) receivers += size;
    return receivers;
  }

  /** Returns the names of the channels, or the patterns, that have local subscribers. */
  names(kind: ChannelKind): Iterable<ByteString> {
    return this.#subscribers[kind].keys();
  }

  /** Returns the names of the channels, or the patterns, that have subscribers here or on connected members. */
  allNames(kind: ChannelKind): ReadonlySet<ByteString> {
    const all = new Set(this.names(kind));
    for (const name of this.memberSubscribers?.names(kind) ?? []) all.add(name);
    return all;
  }

  /** Returns the number of channels or patterns that have subscribers here or on connected members. */
  countAllNames(kind: ChannelKind): number {
    return this.memberSubscribers === null ? this.size(kind) : this.allNames(kind).size;
  }

  /** Returns the number of channels or patterns that have local subscribers. */
  size(kind: ChannelKind): number {
    return this.#subscribers[kind].size;
  }

  /** Returns the number of local subscribers. */
  subscribersOf(kind: ChannelKind, name: ByteString): number {
    return this.#subscribers[kind].get(name)?.size ?? 0;
  }

  /** Returns the number of subscribers here and on connected members. */
  countAllSubscribers(kind: ChannelKind, name: ByteString): number {
    return this.subscribersOf(kind, name) + (this.memberSubscribers?.subscribersOf(kind, name) ?? 0);
  }

  /** Makes all subscribers check their permission again, after the users' rules have changed. */
  review(): void {
    for (const subscriber of this.#all) subscriber.review();
  }

  /** Sends a gap event to all subscribers, because messages of other daemons may be missing. */
  miss(): void {
    for (const subscriber of this.#all) subscriber.miss?.();
  }

  get #all(): ReadonlySet<Subscriber> {
    const all = Object.values(this.#subscribers).flatMap((kind) => [...kind.values()]);
    return new Set(all.flatMap((some) => [...some]));
  }

  #sendToChannel(channel: ByteString, text: ByteString): number {
    const { pattern: patterns } = this.#subscribers;
    let received = this.#send("channel", channel, ["message", channel, text]);
    const steps = new GlobSteps();
    for (const pattern of patterns.keys())
      if (globMatches(pattern, channel, steps))
        received += this.#send("pattern", pattern, ["pmessage", pattern, channel, text]);
    return received;
  }

  #send(kind: ChannelKind, name: ByteString, parts: readonly ByteString[]): number {
    const subscribers = this.#subscribers[kind].get(name);
    if (subscribers === undefined) return 0;
    const message = new EncodedMessage(parts);
    // Compare the sizes, because a subscriber whose connection is closed for too much pending output is removed during
    // the loop.
    const { size } = subscribers;
    for (const subscriber of subscribers) subscriber.receive(message);
    return size;
  }
}

/**
 * A message to the subscribers of a channel or pattern, encoded only once for all subscribers that use the same
 * protocol.
 */
export class EncodedMessage {
  readonly parts: readonly ByteString[];
  /** The encodings for RESP2 and RESP3, or null if not needed yet. */
  #written2: ByteString | null = null;
  #written3: ByteString | null = null;
  #event: ByteString | null = null;

  /** @param parts  the kind, the pattern if there is one, the channel, the text */
  constructor(parts: readonly ByteString[]) {
    this.parts = parts;
  }

  written(protocol: 2 | 3): ByteString {
    if (protocol === 3) {
      this.#written3 ??= writePush(this.parts, 3);
      return this.#written3;
    }
    this.#written2 ??= writePush(this.parts, 2);
    return this.#written2;
  }

  /** The message as a frame of version 2. */
  get event(): ByteString {
    this.#event ??= writeFrame(writeEvent(this.parts), 2);
    return this.#event;
  }
}

const KINDS: Readonly<Record<string, ChannelMessage["kind"]>> = { PUBLISH: "channel", SPUBLISH: "shard" };
/**
 * The lengths of the names PUBLISH and SPUBLISH. Commands with names of other lengths are skipped without converting
 * their names to upper case.
 */
const SHORTEST = 7;
const LONGEST = 8;
/** The number of arguments of both commands, including the name. */
const ARGUMENTS = 3;

/**
 * Returns the message that a command publishes, or null if it is not PUBLISH or SPUBLISH, or has a wrong number of
 * arguments.
 */
export function messageOf(argv: readonly ByteString[]): ChannelMessage | null {
  // This runs for each signed command, so it allocates nothing for most commands.
  const name = argv[0] ?? "";
  if (name.length < SHORTEST || name.length > LONGEST || argv.length !== ARGUMENTS) return null;
  const kind = KINDS[name.toUpperCase()];
  return kind === undefined ? null : { kind, channel: argv[1] as ByteString, text: argv[2] as ByteString };
}

/** Returns the command that publishes a message. */
export const commandOf = ({ kind, channel, text }: ChannelMessage): readonly ByteString[] => [
  kind === "channel" ? "PUBLISH" : "SPUBLISH",
  channel,
  text,
];

/** Returns the messages of an envelope that only publishes, or null if it contains other commands. */
export function messagesOf({
  commands,
  multi,
  units,
  if: conditions,
}: Envelope): readonly ChannelMessage[] | null {
  if (multi || units !== null || conditions !== null) return null;
  // Allocate the array only for the first message, because this runs for each signed envelope, and few envelopes
  // contain messages.
  let all: ChannelMessage[] | null = null;
  for (const argv of commands) {
    const message = messageOf(argv);
    if (message === null) return null;
    all ??= [];
    all.push(message);
  }
  return all;
}
