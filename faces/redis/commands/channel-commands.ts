/** The channel commands: subscriptions and messages. Order and texts: redis-server 7.0, pubsub.c. */

import type { ChannelMessage, Channels } from "../../../daemon/engine/channels/channels.js";
import { custom } from "../../../daemon/store/arguments/command-errors.js";
import { GlobSteps, globMatches } from "../../../daemon/store/patterns/glob.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ChannelKind } from "../../../protocol/members/subscriber-counts.js";
import { array, bulk, bulks, integer, type Reply } from "../../../protocol/reply.js";
import { subscriptionReply } from "../../../protocol/resp/resp-writer.js";
import { answerBytes } from "../bytes/reply-bytes.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";
import { type Subscribed, type SubscribingUser, Subscriptions } from "../session/subscriptions.js";

/** The session of a client that subscribes to channels. */
export interface SubscribingSession extends Subscribed {
  /** The user whose rules on channels apply. */
  readonly subscriber: SubscribingUser;
  readonly channels: Channels;
  readonly server: { readonly host: { readonly limits: { readonly maxOutputBytes: number } } };
  /** The subscriptions, or null if the client has never subscribed. */
  subscriptions: Subscriptions | null;
  readonly isExecuting: boolean;
}

type SubscribingHandler = (session: SubscribingSession, argv: readonly ByteString[]) => Reply | null;

/** The commands that a sentinel also has. */
export const subscribingHandlers: readonly (readonly [string, SubscribingHandler])[] = [
  ["SUBSCRIBE", subscribing("channel", "subscribe")],
  ["PSUBSCRIBE", subscribing("pattern", "psubscribe")],
  ["UNSUBSCRIBE", unsubscribing("channel", "unsubscribe")],
  ["PUNSUBSCRIBE", unsubscribing("pattern", "punsubscribe")],
];

export const channelHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["SUBSCRIBE", inTurns(subscribing("channel", "subscribe"), null)],
  ["PSUBSCRIBE", inTurns(subscribing("pattern", "psubscribe"), null)],
  ["SSUBSCRIBE", inTurns(subscribing("shard", "ssubscribe"), null)],
  ["UNSUBSCRIBE", inTurns(unsubscribing("channel", "unsubscribe"), "channel")],
  ["PUNSUBSCRIBE", inTurns(unsubscribing("pattern", "punsubscribe"), "pattern")],
  ["SUNSUBSCRIBE", inTurns(unsubscribing("shard", "sunsubscribe"), "shard")],
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

/**
 * Returns a handler that takes a long list of names in several turns, so that the listener serves other clients
 * meanwhile. EXEC needs its replies in one turn.
 * @param kind  the subscriptions that a call without names concerns, or null if it needs names
 */
function inTurns(handler: SubscribingHandler, kind: ChannelKind | null): SessionHandler {
  return (session, argv) => {
    const isOfAll = kind !== null && argv.length === 1;
    const count = isOfAll ? (session.subscriptions?.size(kind) ?? 0) : argv.length - 1;
    if (session.isExecuting || count <= NAMES_PER_TURN) return handler(session, argv);
    const names = isOfAll ? (session.subscriptions?.all(kind) ?? []) : argv.slice(1);
    return runInTurns(session, handler, argv[0] as ByteString, names);
  };
}

async function runInTurns(
  session: RespSession,
  handler: SubscribingHandler,
  command: ByteString,
  names: readonly ByteString[],
): Promise<null> {
  for (let at = 0; at < names.length && !session.isGone; at += NAMES_PER_TURN) {
    if (at > 0) await new Promise((resolve) => setImmediate(resolve));
    if (!session.isGone) handler(session, [command, ...names.slice(at, at + NAMES_PER_TURN)]);
  }
  return null;
}

function publishing(kind: ChannelMessage["kind"]): SessionHandler {
  return ({ server }, [, channel = "", text = ""]) =>
    integer(server.channels.publish({ kind, channel, text }));
}

function subscribing(kind: ChannelKind, word: ByteString): SubscribingHandler {
  return (session, [, ...names]) => {
    session.subscriptions ??= new Subscriptions(session.channels, session, session.subscriber);
    const { subscriptions } = session;
    return confirmed(session, names, (name) => {
      subscriptions.add(kind, name);
      return subscriptionReply(word, name, subscriptions.countShown(kind));
    });
  };
}

function unsubscribing(kind: ChannelKind, word: ByteString): SubscribingHandler {
  return (session, [, ...named]) => {
    const { subscriptions } = session;
    const names = named.length > 0 ? named : (subscriptions?.all(kind) ?? []);
    const none = () => subscriptionReply(word, null, subscriptions?.countShown(kind) ?? 0);
    if (names.length === 0) return confirmed(session, [""], none);
    return confirmed(session, names, (name) => {
      subscriptions?.remove(kind, name);
      return subscriptionReply(word, name, subscriptions?.countShown(kind) ?? 0);
    });
  };
}

/**
 * Sends a confirmation for each name, even to a client without replies (CLIENT REPLY OFF). During EXEC, the last
 * confirmation is returned instead of sent, because EXEC's array has one element for each command.
 */
function confirmed(
  session: SubscribingSession,
  names: readonly ByteString[],
  change: (name: ByteString) => Reply,
): Reply | null {
  const replies = names.map(change);
  const last = session.isExecuting ? (replies.pop() as Reply) : null;
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
