/** The subscriptions of a connection of --resp. The object is created with the first subscription. */

import type { Channels, Message, Subscriber } from "../../../daemon/engine/channels/channels.js";
import { commands } from "../../../daemon/store/command-table.js";
import { refusedChannel } from "../../../daemon/store/rights/patterns.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { CHANNEL_KINDS, type ChannelKind } from "../../../protocol/members/subscriber-counts.js";
import { bulks, type ErrorReply, error, type Reply } from "../../../protocol/reply.js";
import type { User } from "../../users/users.js";
import type { Client } from "./clients.js";

/**
 * The commands that a RESP2 connection with subscriptions may send. The reply to any other command could be mistaken
 * for a message.
 */
const WHILE_SUBSCRIBED: ReadonlySet<Command> = new Set(
  commands.filter(
    ({ name, group, connectionUse }) =>
      (group === "pubsub" && connectionUse === "listens") || connectionUse === "ends" || name === "PING",
  ),
);
const ONLY = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
/** Returns the error for a command that RESP2 subscriptions forbid. @param name  in lower case */
export const whileSubscribed = (name: string): ErrorReply => error(`ERR Can't execute '${name}': ${ONLY}`);

/** The approximate memory of a subscription in addition to its name, in bytes. */
const SUBSCRIPTION_BYTES = 200;

/** The client as its subscriptions use it. */
export type Subscribed = Pick<Client, "protocol" | "push" | "kill">;

/** The user of the client, or null if the client has to log in again. */
export interface SubscribingUser {
  readonly user: Pick<User, "channels"> | null;
  /** Looks up the user again if the users have changed. */
  renew(): unknown;
}

/** The lists of names in one EXEC: it takes the first names in its own turn, and the others in later ones, in order. */
export interface ExecTurns {
  /** The number of names that EXEC may still take in its own turn. */
  left: number;
  /** Resolves when all lists before the next one are taken; null if EXEC has taken them in its own turn. */
  taken: Promise<unknown> | null;
}

export class Subscriptions implements Subscriber {
  readonly #channels: Channels;
  readonly #client: Subscribed;
  readonly #userSession: SubscribingUser;
  readonly #names: Readonly<Record<ChannelKind, Set<ByteString>>> = {
    channel: new Set(),
    pattern: new Set(),
    shard: new Set(),
  };
  /** The approximate memory of all subscriptions in bytes. */
  bytes = 0;

  constructor(channels: Channels, client: Subscribed, userSession: SubscribingUser) {
    this.#channels = channels;
    this.#client = client;
    this.#userSession = userSession;
  }

  add(kind: ChannelKind, name: ByteString): void {
    const names = this.#names[kind];
    if (names.has(name)) return;
    names.add(name);
    this.bytes += SUBSCRIPTION_BYTES + name.length;
    this.#channels.add(kind, name, this);
  }

  remove(kind: ChannelKind, name: ByteString): void {
    if (!this.#names[kind].delete(name)) return;
    this.bytes -= SUBSCRIPTION_BYTES + name.length;
    this.#channels.remove(kind, name, this);
  }

  all(kind: ChannelKind): readonly ByteString[] {
    return [...this.#names[kind]];
  }

  size(kind: ChannelKind): number {
    return this.#names[kind].size;
  }

  /** Returns the number that replies to SUBSCRIBE commands contain; shard channels are counted separately. */
  countShown(kind: ChannelKind): number {
    return kind === "shard" ? this.size("shard") : this.size("channel") + this.size("pattern");
  }

  get isEmpty(): boolean {
    return this.bytes === 0;
  }

  clear(): void {
    for (const kind of CHANNEL_KINDS) for (const name of this.all(kind)) this.remove(kind, name);
  }

  /**
   * Returns the reply to a command that RESP2 subscriptions forbid or change, or null if the command is executed
   * normally.
   */
  answer(command: Command, argv: readonly ByteString[]): Reply | null {
    if (this.isEmpty || this.#client.protocol === 3) return null;
    const { name } = command;
    if (!WHILE_SUBSCRIBED.has(command)) return whileSubscribed(name.toLowerCase());
    return name === "PING" && argv.length <= 2 ? bulks(["pong", argv[1] ?? ""]) : null;
  }

  receive(message: Message): void {
    this.#client.push(message.written(this.#client.protocol));
  }

  review(): void {
    this.#userSession.renew();
    const { user } = this.#userSession;
    const arePermitted = CHANNEL_KINDS.every((kind) => mayUseChannels(user, kind, this.#names[kind]));
    if (!arePermitted) this.#client.kill();
  }
}

/** Whether a user may use channels of a kind. @param user  null: no user is logged in, who may use none */
export function mayUseChannels(
  user: SubscribingUser["user"],
  kind: ChannelKind,
  names: Iterable<ByteString>,
): boolean {
  if (user === null) return false;
  return user.channels === null || refusedChannel(user.channels, names, kind === "pattern") === null;
}
