/** Messages on channels: handed to every member that is connected, once; what is not told of theirs is said in the log. */

import type { PackedEntry } from "../../protocol/members/member-packing.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { Member } from "./member.js";
import { type ClusterState, listening } from "./shared/cluster-state.js";
import { noMessages } from "./shared/message-figures.js";

export class Speaking {
  readonly figures = noMessages();
  readonly #cluster: ClusterState<Member>;

  constructor(cluster: ClusterState<Member>) {
    this.#cluster = cluster;
  }

  /** Whether anybody takes messages. */
  get hasHearers(): boolean {
    for (const { speech } of listening(this.#cluster)) if (speech.isHeard) return true;
    return false;
  }

  /** Hands an envelope of messages to all that are connected now, without waiting for any. */
  speak(message: PackedEntry): void {
    for (const member of listening(this.#cluster))
      if (member.speech.isHeard && !member.speech.give(message))
        this.#cluster.notices.warn(`messages to ${member.id}`, factsOf(member), DROPPED);
  }

  /** One of a member is not told. @param isLie  no honest member would give it */
  unheard(member: Member, reason: string, isLie: boolean): void {
    if (isLie) member.refused(reason);
    else this.#cluster.notices.warn(`message of ${member.id}`, { ...factsOf(member), reason }, UNHEARD);
  }
}

const factsOf = ({ id, connection }: Member) => ({ member: hexOf(id), address: connection.remote });

const UNHEARD =
  "messages that a member gave were not told: they are too old, or their key is not known or has no right to that";
const DROPPED =
  "more messages wait for a member than --max-relay-bytes: those beyond are not sent, and it is told that some lack";
