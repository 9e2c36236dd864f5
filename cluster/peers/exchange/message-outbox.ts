/**
 * Messages on their way to a member: in order, bounded, and never before what is recorded. What there is no
 * room for is left out; the member sees that from the numbers of what follows.
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
   * Whether something was left out that the member does not know of, as is everything from before it could receive
   * messages.
   */
  #isMissing = true;

  constructor(connection: MemberConnection, limits: ClusterState["limits"]) {
    this.#connection = connection;
    this.#limits = limits;
  }

  /** @returns false: there is no room, and it is left out */
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

  /** Hands over what the connection takes now. */
  send(): void {
    while (this.#waiting.size > 0 && this.#isFree) this.#sendSome();
    if (!this.#isMissing || this.#waiting.size > 0 || !this.#isFree) return;
    this.#isMissing = false;
    this.#connection.send({ kind: "speak", number: this.#number + 1, entries: writeEntries([]) });
  }

  /** Whether the connection takes messages: entries use the same one, and must not wait for many bytes. */
  get #isFree(): boolean {
    return this.#connection.unsentBytes < this.#limits.relayUnsentBytes;
  }

  /** Sends messages from the front whose numbers follow on one another. */
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
