/** The channel messages between members: sent once to every connected member, and received from each. */

import type { MessageFigures } from "../../../protocol/figures/message-figures.js";
import {
  type PackedEntry,
  packedBytes,
  readEntries,
  writeEntries,
} from "../../../protocol/members/member-elements.js";
import type { SpeakMessage } from "../../../protocol/members/member-messages.js";
import { Queue } from "../../../protocol/queue.js";
import type { Work } from "../../net/process/background-work.js";
import type { MemberConnection } from "./connections/member-connection.js";
import {
  type ClusterState,
  type ConnectedMember,
  factsOf,
  membersWithStatus,
} from "./shared/cluster-state.js";

/**
 * The sender of channel messages to the members. It sends each message once to every connected member, and logs when
 * messages are dropped.
 */
export class ChannelMessages {
  readonly #cluster: ClusterState<ReceivingMember>;

  constructor(cluster: ClusterState<ReceivingMember>) {
    this.#cluster = cluster;
  }

  get figures(): MessageFigures {
    return this.#cluster.messageFigures;
  }

  /** Whether any member accepts messages. */
  get hasReceivers(): boolean {
    for (const { channelMessages } of membersWithStatus(this.#cluster))
      if (channelMessages.acceptsMessages) return true;
    return false;
  }

  /** Passes an envelope of messages to all members that are connected now, without waiting for any of them. */
  sendToMembers(message: PackedEntry): void {
    for (const member of membersWithStatus(this.#cluster))
      if (member.channelMessages.acceptsMessages && !member.channelMessages.enqueue(message))
        this.#cluster.notices.warn(`messages to ${member.id}`, factsOf(member), DROPPED);
  }
}

const DROPPED =
  "more messages wait for a member than --max-relay-bytes allows: further ones are not sent, and the member is notified that messages are missing";

/** A connected member, to which channel messages may be sent. */
interface ReceivingMember extends ConnectedMember {
  readonly channelMessages: MemberChannelMessages;
}

/** The member that sends and receives the messages. */
interface MessagePeer extends MessageSender {
  readonly connection: MemberConnection;
}

export class MemberChannelMessages {
  readonly #member: MessagePeer;
  readonly #figures: MessageFigures;
  /** The messages to the member, or null if none are exchanged. */
  readonly #outbox: MessageOutbox | null;
  /** The messages from the member, or null if none are exchanged. */
  readonly #intake: MessageIntake | null;

  constructor(member: MessagePeer, cluster: ClusterState) {
    this.#member = member;
    const { limits, messages, messageFigures } = cluster;
    this.#figures = messageFigures;
    this.#outbox = messages === null ? null : new MessageOutbox(member.connection, limits);
    this.#intake = messages === null ? null : new MessageIntake(cluster, messages, member);
  }

  /** Whether messages are sent to the member. */
  get acceptsMessages(): boolean {
    return this.#outbox !== null;
  }

  /** @returns whether it will be sent to the member */
  enqueue(entry: PackedEntry): boolean {
    if (this.#outbox === null) return false;
    const isEnqueued = this.#outbox.enqueue(entry);
    this.#figures[isEnqueued ? "sent" : "dropped"]++;
    return isEnqueued;
  }

  receive(message: SpeakMessage): void {
    if (this.#intake === null) this.#member.malformed("messages, which this daemon does not accept");
    else this.#intake.receive(message);
  }

  /** @param isListening  whether the member accepts long frames: before that, no message is sent */
  tick(isListening: boolean): void {
    if (isListening) this.#outbox?.send();
    this.#intake?.tick();
  }
}

/** The member that sends the messages. */
interface MessageSender {
  malformed(detail: string): void;
  /** Called when checking a message threw an exception. */
  failed(problem: unknown): void;
  /** Called when a message is refused. @param isLie  whether no honest member would send such a message */
  onRefusedMessage(reason: string, isLie: boolean): void;
}

/**
 * The number of messages that are checked between two checks of the clock. Some messages take a tenth of a millisecond.
 */
const MESSAGES_PER_CHECK = 8;
/**
 * After a key did not arrive in time, messages with unknown keys are refused immediately for a while, because repeated
 * waiting would delay the member's other messages. That period is this multiple of the maximum wait.
 */
const PAUSE_FACTOR = 15;

/**
 * The receiver of a member's channel messages. It checks them in order and in slices, and delivers or refuses them.
 * Gaps in the messages' numbers show that the member left messages out. Messages that arrive faster than this daemon
 * can check them are dropped, and counted as missing too.
 */
class MessageIntake {
  readonly #cluster: ClusterState;
  readonly #messages: NonNullable<ClusterState["messages"]>;
  readonly #figures: MessageFigures;
  readonly #sender: MessageSender;
  readonly #waiting = new Queue<PackedEntry>();
  #bytes = 0;
  #next = 1;
  #isChecking = false;
  /**
   * Whether the first message was received. With that message a gap is reported, because earlier messages may have been
   * missed.
   */
  #hasBegun = false;
  /**
   * Whether this daemon has refused a message that other daemons may have delivered, and has not reported this gap yet.
   */
  #isMissing = false;
  /**
   * The `uptime` in milliseconds at which the oldest message began to wait for its signer's key, or null if it does not
   * wait.
   */
  #stuckSince: number | null = null;
  /** The `uptime` in milliseconds from which messages may wait for a key again. */
  #waitsFrom = 0;

  constructor(cluster: ClusterState, messages: NonNullable<ClusterState["messages"]>, sender: MessageSender) {
    this.#cluster = cluster;
    this.#messages = messages;
    this.#figures = cluster.messageFigures;
    this.#sender = sender;
  }

  receive({ number, entries: packed }: SpeakMessage): void {
    const { limits } = this.#cluster;
    const entries = readEntries(packed);
    if (entries === null || number < this.#next) {
      this.#sender.malformed(`message ${number} where ${this.#next} was expected`);
      return;
    }

    let missing = number - this.#next;
    this.#next = number + entries.length;
    for (const entry of entries) {
      const bytes = packedBytes(entry);
      if (this.#bytes + bytes > limits.channelMessageBytes) {
        missing++;
        continue;
      }
      this.#bytes += bytes;
      this.#waiting.push(entry);
    }

    this.#figures.missed += missing;
    if (missing > 0 || !this.#hasBegun) this.#messages.missed();
    this.#hasBegun = true;

    // Leave messages that wait for a key to the tick. Otherwise the member could cause a retry with each message that
    // it sends.
    if (this.#stuckSince === null) this.#check();
  }

  /** Retries messages that wait for a key. */
  tick(): void {
    if (this.#stuckSince !== null) this.#check();
  }

  #check(): void {
    if (this.#isChecking || this.#waiting.size === 0) return;
    this.#isChecking = true;
    this.#cluster.slices.add(this.#checking());
  }

  *#checking(): Work {
    for (let count = 1; this.#waiting.first !== undefined; count++) {
      if (!this.#tryOne(this.#waiting.first)) break;
      this.#bytes -= packedBytes(this.#waiting.shift() as PackedEntry);
      if (count % MESSAGES_PER_CHECK !== 0) continue;
      this.#reportMissing();
      yield;
    }

    this.#reportMissing();
    this.#isChecking = false;
  }

  #reportMissing(): void {
    if (this.#isMissing) this.#messages.missed();
    this.#isMissing = false;
  }

  /** @returns false if no further message can be checked now */
  #tryOne(entry: PackedEntry): boolean {
    try {
      return this.#checkOne(entry);
    } catch (problem) {
      this.#sender.failed(problem);
      return false;
    }
  }

  /** @returns false if the message waits for its signer's key; the messages after it then have to wait too */
  #checkOne({ body, signature }: PackedEntry): boolean {
    const figures = this.#figures;
    const outcome = this.#messages.deliver(body, signature);
    if (outcome === "unknown-signer" && this.#waitsForKey()) return false;

    this.#stuckSince = null;
    if (outcome === "delivered") figures.delivered++;
    else if (outcome !== "known") {
      const { refused: reason, isLie } =
        outcome === "unknown-signer" ? { refused: outcome, isLie: false } : outcome;
      figures.refused++;
      // Other daemons may have delivered the message, for example if its key is unknown only here.
      this.#isMissing ||= !isLie;
      this.#sender.onRefusedMessage(reason, isLie);
    }
    return true;
  }

  /**
   * Whether to wait for the signer's key. The first message of a daemon may arrive before the entry that authorizes the
   * daemon's key.
   */
  #waitsForKey(): boolean {
    const { uptime, limits } = this.#cluster;
    const now = uptime();
    if (now < this.#waitsFrom) return false;
    this.#stuckSince ??= now;
    if (now - this.#stuckSince < limits.channelMessageKeyMs) return true;
    this.#waitsFrom = now + PAUSE_FACTOR * limits.channelMessageKeyMs;
    return false;
  }
}

interface Waiting {
  readonly entry: PackedEntry;
  readonly number: number;
}

/**
 * The queue of channel messages to a member, which are sent in order. The number of waiting bytes is limited, and
 * entries take precedence over messages. Messages that exceed the limit are dropped, which the member detects from the
 * number of the next message.
 */
class MessageOutbox {
  readonly #connection: MemberConnection;
  readonly #limits: ClusterState["limits"];
  readonly #waiting = new Queue<Waiting>();
  /** Bytes of waiting messages. */
  #bytes = 0;
  #number = 0;
  /**
   * Whether messages were dropped and the member does not know it yet. True at first, because the member has not
   * received the messages that were published before it connected.
   */
  #isMissing = true;

  constructor(connection: MemberConnection, limits: ClusterState["limits"]) {
    this.#connection = connection;
    this.#limits = limits;
  }

  /** @returns false if the message was dropped because too many bytes wait */
  enqueue(entry: PackedEntry): boolean {
    const number = ++this.#number;
    const bytes = packedBytes(entry);
    if (this.#bytes + bytes > this.#limits.channelMessageBytes) {
      this.#isMissing = true;
      return false;
    }

    this.#waiting.push({ entry, number });
    this.#bytes += bytes;
    this.send();
    return true;
  }

  /** Sends as many messages as the connection accepts now. */
  send(): void {
    while (this.#waiting.size > 0 && this.#isFree) this.#sendSome();
    if (!this.#isMissing || this.#waiting.size > 0 || !this.#isFree) return;
    this.#isMissing = false;
    this.#connection.send({ kind: "speak", number: this.#number + 1, entries: writeEntries([]) });
  }

  /** Whether the connection accepts messages: entries use the same connection, and must not wait for many bytes. */
  get #isFree(): boolean {
    return this.#connection.unsentBytes < this.#limits.channelMessageUnsentBytes;
  }

  /** Sends the first waiting messages, as long as their numbers are consecutive. */
  #sendSome(): void {
    const { batchBytes, batchEntries } = this.#limits;
    const number = (this.#waiting.first as Waiting).number;
    const entries: PackedEntry[] = [];

    for (let bytes = 0; bytes < batchBytes && entries.length < batchEntries; ) {
      const { first } = this.#waiting;
      if (first === undefined || first.number !== number + entries.length) break;
      this.#waiting.shift();
      entries.push(first.entry);
      bytes += packedBytes(first.entry);
    }
    for (const entry of entries) this.#bytes -= packedBytes(entry);
    this.#connection.send({ kind: "speak", number, entries: writeEntries(entries) });
  }
}
