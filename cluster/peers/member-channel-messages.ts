/** The channel messages that are sent to one member and received from it. */
import { KNOWS_SPEAK, type SpeakMessage } from "../../protocol/members/member-messages.js";
import type { PackedEntry } from "../../protocol/members/member-packing.js";
import type { MemberConnection } from "./connections/member-connection.js";
import { MessageIntake, type Speaker } from "./exchange/message-intake.js";
import { MessageOutbox } from "./exchange/message-outbox.js";
import type { ClusterState } from "./shared/cluster-state.js";
import type { MessageFigures } from "./shared/message-figures.js";

/** The member that sends and receives the messages. */
interface SpeakingMember extends Speaker {
  readonly connection: MemberConnection;
}

export class MemberChannelMessages {
  readonly #member: SpeakingMember;
  readonly #figures: MessageFigures;
  /** The messages to the member, or null if it accepts none. */
  readonly #outbox: MessageOutbox | null;
  /** The messages from the member, or null if this daemon accepts none. */
  readonly #intake: MessageIntake | null;

  constructor(member: SpeakingMember, cluster: ClusterState) {
    this.#member = member;
    const { limits, messages, messageFigures } = cluster;
    this.#figures = messageFigures;
    const { connection } = member;
    this.#outbox = connection.knows.has(KNOWS_SPEAK) ? new MessageOutbox(connection, limits) : null;
    this.#intake = messages === undefined ? null : new MessageIntake(cluster, messages, member);
  }

  /** Whether the member accepts messages. */
  get isHeard(): boolean {
    return this.#outbox !== null;
  }

  /** @returns whether it will be sent to the member */
  give(entry: PackedEntry): boolean {
    if (this.#outbox === null) return false;
    const isGiven = this.#outbox.give(entry);
    this.#figures[isGiven ? "given" : "dropped"]++;
    return isGiven;
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
