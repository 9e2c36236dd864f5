/**
 * Messages on their way to a member: in their order, bounded, and never in the way of what is recorded. What there is no room for
 * is left out, and the numbers of what comes behind it tell the member so.
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
  /** Of those that wait. */
  #bytes = 0;
  #number = 0;
  /** Whether something was left out that the member has not been told of, as all was that was said before it could be told anything. */
  #lacks = true;

  constructor(connection: MemberConnection, limits: ClusterState["limits"]) {
    this.#connection = connection;
    this.#limits = limits;
  }

  /** @returns false: there is no room, and it is left out */
  give(entry: PackedEntry): boolean {
    const number = ++this.#number;
    const bytes = packedBytes(entry);
    if (this.#bytes + bytes > this.#limits.relayBytes) {
      this.#lacks = true;
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
    if (!this.#lacks || this.#waiting.size > 0 || !this.#isFree) return;
    this.#lacks = false;
    this.#connection.send({ kind: "speak", number: this.#number + 1, entries: writeEntries([]) });
  }

  /** What is recorded goes by the same connection, and is not to wait behind much. */
  get #isFree(): boolean {
    return this.#connection.unsentBytes < this.#limits.relayUnsentBytes;
  }

  /** Those at the front whose numbers follow on one another. */
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
