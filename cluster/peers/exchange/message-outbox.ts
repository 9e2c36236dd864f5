/**
 * Sends channel messages to a member in order. The number of waiting bytes is limited, and entries take precedence over
 * messages. Messages that exceed the limit are dropped, which the member detects from the number of the next message.
 */

import { Queue } from "../../../net/process/queue.js";
import { type PackedEntry, packedBytes, writeEntries } from "../../../protocol/members/member-packing.js";
import type { MemberConnection } from "../connections/member-connection.js";
import type { ClusterState } from "../shared/cluster-state.js";

interface Waiting {
  readonly entry: PackedEntry;
  readonly number: number;
}

export class MessageOutbox {
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
  give(entry: PackedEntry): boolean {
    const number = ++this.#number;
    const bytes = packedBytes(entry);
    if (this.#bytes + bytes > this.#limits.relayBytes) {
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
    return this.#connection.unsentBytes < this.#limits.relayUnsentBytes;
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
