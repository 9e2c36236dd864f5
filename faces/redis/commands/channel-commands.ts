/** The channel commands: subscriptions and messages. Order and texts: redis-server 7.0, pubsub.c. */

import type { ChannelMessage, Channels } from "../../../daemon/engine/channels/channels.js";
import { custom } from "../../../daemon/store/arguments/command-errors.js";
import { GlobSteps, globMatches } from "../../../daemon/store/patterns/glob.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ChannelKind } from "../../../protocol/members/subscriber-counts.js";
import { array, bulk, bulks, integer, type Reply } from "../../../protocol/reply.js";
import { subscriptionReply } from "../../../protocol/resp/resp-writer.js";
import { answerBytes } from "../bytes/reply-bytes.js";
import type { SessionHandler } from "../session/resp-session.js";
import {
  type ExecTurns,
  mayUseChannels,
  type Subscribed,
  type SubscribingUser,
  Subscriptions,
} from "../session/subscriptions.js";

/** The session of a client that subscribes to channels. */
export interface SubscribingSession extends Subscribed {
  /** The user whose rules on channels apply. */
  readonly subscriber: SubscribingUser;
  readonly channels: Channels;
  readonly server: { readonly host: { readonly limits: { readonly maxOutputBytes: number } } };
  /** The subscriptions, or null if the client has never subscribed. */
  subscriptions: Subscriptions | null;
  readonly isExecuting: boolean;
  /** The turns of the lists of names in EXEC, or null if EXEC is not running, or runs in one turn. */
  readonly execTurns: ExecTurns | null;
  readonly isGone: boolean;
}

type SubscribingHandler = (
  session: SubscribingSession,
  argv: readonly ByteString[],
) => Reply | null | Promise<Reply | null>;

/** How a command changes the subscriptions of its client. */
interface Change {
  readonly kind: ChannelKind;
  /** Whether the command adds subscriptions, which the user's rules must permit. */
  readonly adds: boolean;
  /** Adds or removes subscriptions. @returns a confirmation for each name, at least one */
  apply(session: SubscribingSession, names: readonly ByteString[]): Reply[];
}

/** The commands that a sentinel also has. */
export const subscribingHandlers: readonly (readonly [string, SubscribingHandler])[] = [
  ["SUBSCRIBE", inTurns(subscribing("channel", "subscribe"))],
  ["PSUBSCRIBE", inTurns(subscribing("pattern", "psubscribe"))],
  ["UNSUBSCRIBE", inTurns(unsubscribing("channel", "unsubscribe"))],
  ["PUNSUBSCRIBE", inTurns(unsubscribing("pattern", "punsubscribe"))],
];

export const channelHandlers: readonly (readonly [string, SessionHandler])[] = [
  ...subscribingHandlers,
  ["SSUBSCRIBE", inTurns(subscribing("shard", "ssubscribe"))],
  ["SUNSUBSCRIBE", inTurns(unsubscribing("shard", "sunsubscribe"))],
  ["PUBLISH", publishing("channel")],
  ["SPUBLISH", publishing("shard")],
  ["PUBSUB|CHANNELS", listing("channel")],
  ["PUBSUB|NUMPAT", ({ server }) => integer(server.channels.countAllNames("pattern"))],
  ["PUBSUB|NUMSUB", counting("channel")],
  ["PUBSUB|SHARDCHANNELS", listing("shard")],
  ["PUBSUB|SHARDNUMSUB", counting("shard")],
];

/** The number of names of one turn, which take a few milliseconds. */
const NAMES_PER_TURN = 1000;

/** Returns the turns of an EXEC, or null if a command of it shows how far its lists are taken. */
export const execTurnsOf = (
  queued: readonly { readonly route: { readonly command: Command } }[],
): ExecTurns | null =>
  queued.some(({ route: { command } }) => command.group === "pubsub" && command.connectionUse !== "listens")
    ? null
    : { left: NAMES_PER_TURN, taken: null };

/**
 * Returns a handler that takes a long list of names in several turns, so that the listener serves other clients
 * meanwhile. A command without names removes all subscriptions of its kind.
 */
function inTurns(change: Change): SubscribingHandler {
  return (session, [, ...named]) => {
    const names = () =>
      change.adds || named.length > 0 ? named : (session.subscriptions?.all(change.kind) ?? []);
    if (session.isExecuting) return inExec(session, change, names);
    const now = names();
    return now.length <= NAMES_PER_TURN
      ? confirmed(session, change.apply(session, now), false)
      : takeInTurns(session, change, now, false);
  };
}

/** Takes a list of names in EXEC, after the lists of the commands before it. @param names  returns the list then */
function inExec(
  session: SubscribingSession,
  change: Change,
  names: () => readonly ByteString[],
): Reply | null | Promise<Reply | null> {
  const { execTurns } = session;
  if (execTurns === null) return confirmed(session, change.apply(session, names()), true);

  if (execTurns.taken === null) {
    const now = names();
    execTurns.left -= now.length;
    if (execTurns.left >= 0) return confirmed(session, change.apply(session, now), true);
  }

  const taken = (execTurns.taken ?? Promise.resolve())
    .then(nextTurn)
    .then(() => takeInTurns(session, change, names(), true));
  execTurns.taken = taken;
  return taken;
}

async function takeInTurns(
  session: SubscribingSession,
  change: Change,
  names: readonly ByteString[],
  isInExec: boolean,
): Promise<Reply | null> {
  for (let at = 0; !session.isGone; at += NAMES_PER_TURN) {
    const some = names.slice(at, at + NAMES_PER_TURN);
    if (change.adds && !mayStillSubscribe(session, change.kind, some)) {
      session.kill();
      return null;
    }

    const replies = change.apply(session, some);
    const isLast = at + NAMES_PER_TURN >= names.length;
    const last = confirmed(session, replies, isInExec && isLast);
    if (isLast) return last;
    await nextTurn();
  }
  return null;
}

/** Whether the user's rules still permit names. They may have changed after the command was permitted. */
function mayStillSubscribe(
  { subscriber }: SubscribingSession,
  kind: ChannelKind,
  names: readonly ByteString[],
): boolean {
  subscriber.renew();
  return mayUseChannels(subscriber.user, kind, names);
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function publishing(kind: ChannelMessage["kind"]): SessionHandler {
  return ({ server }, [, channel = "", text = ""]) =>
    integer(server.channels.publish({ kind, channel, text }));
}

function subscribing(kind: ChannelKind, word: ByteString): Change {
  const apply: Change["apply"] = (session, names) => {
    session.subscriptions ??= new Subscriptions(session.channels, session, session.subscriber);
    const { subscriptions } = session;
    return names.map((name) => {
      subscriptions.add(kind, name);
      return subscriptionReply(word, name, subscriptions.countShown(kind));
    });
  };
  return { kind, adds: true, apply };
}

function unsubscribing(kind: ChannelKind, word: ByteString): Change {
  const apply: Change["apply"] = ({ subscriptions }, names) => {
    if (names.length === 0) return [subscriptionReply(word, null, subscriptions?.countShown(kind) ?? 0)];
    return names.map((name) => {
      subscriptions?.remove(kind, name);
      return subscriptionReply(word, name, subscriptions?.countShown(kind) ?? 0);
    });
  };
  return { kind, adds: false, apply };
}

/**
 * Sends confirmations, even to a client without replies (CLIENT REPLY OFF).
 * @param isReply  whether the last one is returned instead of sent, because EXEC's array has one element for each
 * command
 */
function confirmed(session: SubscribingSession, replies: Reply[], isReply: boolean): Reply | null {
  const last = isReply ? (replies.pop() as Reply) : null;
  const { protocol } = session;
  const maxBytes = session.server.host.limits.maxOutputBytes;
  session.push(replies.map((reply) => answerBytes(reply, protocol, maxBytes) ?? "").join(""));
  return last;
}

/** `PUBSUB CHANNELS [pattern]` */
function listing(kind: ChannelKind): SessionHandler {
  return ({ server }, [, subcommand, pattern, more]) => {
    if (more !== undefined)
      throw custom(
        `ERR unknown subcommand or wrong number of arguments for '${subcommand}'. Try PUBSUB HELP.`,
      );
    const names = [...server.channels.allNames(kind)];
    if (pattern === undefined) return bulks(names);
    const steps = new GlobSteps();
    return bulks(names.filter((name) => globMatches(pattern, name, steps)));
  };
}

function counting(kind: ChannelKind): SessionHandler {
  return ({ server }, [, , ...names]) =>
    array(names.flatMap((name) => [bulk(name), integer(server.channels.countAllSubscribers(kind, name))]));
}
