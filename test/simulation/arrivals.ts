/** Records what the hosts of a run knew when clients received the outcome of units with conditions. */

import type { Entry } from "../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../protocol/byte-string.js";

export type Word = "applied" | "unmet" | "failed";

/** The outcome of a unit as its client received it. */
export interface Acknowledgement {
  readonly entry: Entry;
  readonly word: Word;
  /** Ids of the entries that more than half of the hosts had at that time. */
  readonly known: ReadonlySet<ByteString>;
}

/** The order in which the hosts' states received entries. */
export class Arrivals {
  #count = 0;
  readonly #hosts = new Map<object, Map<ByteString, number>>();

  note(host: object, ids: Iterable<ByteString>): void {
    const arrived = this.#of(host);
    for (const id of ids) if (!arrived.has(id)) arrived.set(id, ++this.#count);
  }

  lost(host: object, ids: Iterable<ByteString>): void {
    for (const id of ids) this.#of(host).delete(id);
  }

  wiped(host: object): void {
    this.#hosts.delete(host);
  }

  /**
   * Returns the ids that more than half of the given hosts received before `id`. On a host that has not received
   * `id`, all ids received so far count.
   */
  knownBefore(id: ByteString, hosts: readonly object[]): Set<ByteString> {
    const counts = new Map<ByteString, number>();
    for (const host of hosts) {
      const arrived = this.#of(host);
      const before = arrived.get(id) ?? Number.POSITIVE_INFINITY;
      for (const [other, at] of arrived) if (at < before) counts.set(other, (counts.get(other) ?? 0) + 1);
    }
    return new Set([...counts].filter(([, count]) => 2 * count > hosts.length).map(([other]) => other));
  }

  #of(host: object): Map<ByteString, number> {
    const arrived = this.#hosts.get(host) ?? new Map<ByteString, number>();
    this.#hosts.set(host, arrived);
    return arrived;
  }
}
