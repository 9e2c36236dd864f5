/** Callers that wait until a number of daemons have an entry on their disks. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ReplicationState } from "./replication-states.js";

interface Waiting {
  readonly count: number;
  readonly resolve: () => void;
  /** When to give up; `uptime` milliseconds. */
  readonly until: number;
}

export class Replications {
  readonly #limits: { readonly waitMaxMs: number };
  readonly #waiting = new Map<ByteString, Waiting[]>();

  constructor(limits: { readonly waitMaxMs: number }) {
    this.#limits = limits;
  }

  /** Returns the number of daemons that have an entry on disk, including this one. */
  static holders({ has, isFlushed }: ReplicationState): number {
    return Replications.copies(has) + (isFlushed ? 1 : 0);
  }

  /** Returns the number of members in a set. */
  static copies(has: number): number {
    let count = 0;
    for (let bits = has; bits !== 0; bits &= bits - 1) count++;
    return count;
  }

  wait(state: ReplicationState, count: number, now: number): Promise<void> {
    if (Replications.holders(state) >= count) return Promise.resolve();
    return new Promise((resolve) => {
      const waiting = { count, resolve, until: now + this.#limits.waitMaxMs };
      const others = this.#waiting.get(state.place.id);
      if (others === undefined) this.#waiting.set(state.place.id, [waiting]);
      else others.push(waiting);
    });
  }

  /** Ids of entries that a caller waits for. */
  get ids(): Iterable<ByteString> {
    return this.#waiting.keys();
  }

  isWaitedFor(id: ByteString): boolean {
    return this.#waiting.has(id);
  }

  /** Checks an entry's waiting callers after its state has changed. */
  check(state: ReplicationState): void {
    if (this.#waiting.size === 0) return;
    const { id } = state.place;
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    const holders = Replications.holders(state);
    this.#keep(
      id,
      waiting.filter(({ count, resolve }) => {
        if (holders >= count) resolve();
        return holders < count;
      }),
    );
  }

  /** Removes callers that cannot be waiting any longer. */
  tick(now: number): void {
    for (const [id, waiting] of this.#waiting) {
      if (waiting.some(({ until }) => now > until))
        this.#keep(
          id,
          waiting.filter(({ until }) => now <= until),
        );
    }
  }

  #keep(id: ByteString, waiting: Waiting[]): void {
    if (waiting.length === 0) this.#waiting.delete(id);
    else this.#waiting.set(id, waiting);
  }
}
