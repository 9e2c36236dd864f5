/**
 * Sends each channel message once to every connected member, and logs the members' messages that this daemon does not
 * deliver.
 */

import type { PackedEntry } from "../../../protocol/members/packed-entries.js";
import type { Member } from "./member.js";
import {
  type ClusterState,
  factsOf,
  type MessageFigures,
  membersWithStatus,
} from "./shared/cluster-state.js";

export class ChannelMessages {
  readonly #cluster: ClusterState<Member>;

  constructor(cluster: ClusterState<Member>) {
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
