/**
 * The replication states of recently received entries. The state of an entry contains the members that have the entry,
 * and the members to which it was sent, as one bit for each member. Older states are dropped, at the cost of occasional
 * unnecessary offers.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { PackedEntry } from "../../../../protocol/members/member-elements.js";
import type { OrderKey } from "../../../timeline/entries/entry.js";

/** The bytes of an entry to push without a request. The parsed envelope is omitted to save memory. */
export interface UrgentEntry extends PackedEntry {
  readonly orderKey: OrderKey;
}

export interface ReplicationState {
  readonly orderKey: OrderKey;
  /** Whether the entry is on this daemon's disk. */
  isFlushed: boolean;
  /** The bits of the members that have reported that the entry is on their disk. */
  has: number;
  /** The bits of the members to which the entry was pushed on the current connection. */
  sent: number;
  /** The bits of the members to notify when the entry is on this daemon's disk. */
  pendingAcks: number;
  /** The entry to be pushed without a request, or null if there is none. */
  urgentEntry: UrgentEntry | null;
  /** The number of rounds of `tick` in which the state was kept because a notification was pending. */
  turns: number;
  /** Whether a caller waits until members have the entry; if so, the entry is offered immediately. */
  isUrgent: boolean;
}

/**
 * Returns the date of the oldest entries that this daemon offers after it has received them from a member. The
 * remaining members find older entries by comparing.
 */
export const oldestSpread = (parts: {
  readonly clock: () => number;
  readonly limits: { readonly past: number };
}): number => parts.clock() - 2 * parts.limits.past;

/**
 * The number of rounds of `tick`, of up to `replicationStateMs` each, after which a state is dropped even if a
 * notification is pending.
 */
const TURNS_MAX = 6;

export class ReplicationStates {
  readonly #limits: { readonly replicationStateMs: number; readonly maxReplicationStates: number };
  #recent = new Map<ByteString, ReplicationState>();
  #old = new Map<ByteString, ReplicationState>();
  #turnsAt = 0;
  /** Whether a caller waits until members have an entry. */
  readonly #isWaitedFor: (id: ByteString) => boolean;

  constructor(
    limits: { readonly replicationStateMs: number; readonly maxReplicationStates: number },
    isWaitedFor: (id: ByteString) => boolean,
  ) {
    this.#limits = limits;
    this.#isWaitedFor = isWaitedFor;
  }

  find(id: ByteString): ReplicationState | undefined {
    return this.#recent.get(id) ?? this.#old.get(id);
  }

  /** Returns the state for an order key, and creates it if there is none. */
  of(orderKey: OrderKey): ReplicationState {
    let state = this.#recent.get(orderKey.id);
    if (state !== undefined) return state;

    const { at, seq, id } = orderKey;
    state = this.#old.get(id);
    state ??= {
      orderKey: { at, seq, id },
      isFlushed: false,
      has: 0,
      sent: 0,
      pendingAcks: 0,
      urgentEntry: null,
      isUrgent: false,
      turns: 0,
    };

    this.#recent.set(id, state);
    return state;
  }

  /** @param now  `uptime` milliseconds */
  tick(now: number): void {
    if (now < this.#turnsAt && this.#recent.size < this.#limits.maxReplicationStates) return;

    this.#turnsAt = now + this.#limits.replicationStateMs;
    const forgotten = this.#old;
    this.#old = this.#recent;
    this.#recent = new Map();

    // Limit the rounds for pending notifications: the entry may have been stored here earlier and then pruned, so that
    // the notification is never sent.
    for (const [id, state] of forgotten) {
      const hasPendingAcks = state.pendingAcks !== 0 && ++state.turns < TURNS_MAX;
      const isAwaited = hasPendingAcks || this.#isWaitedFor(id);
      if (isAwaited && !this.#old.has(id)) this.#recent.set(id, state);
    }
  }

  /** Forgets the previous member of a bit, because the bit is assigned to another member. */
  forget(bit: number): void {
    for (const states of [this.#recent, this.#old]) {
      for (const state of states.values()) {
        state.has &= ~bit;
        state.sent &= ~bit;
        state.pendingAcks &= ~bit;
      }
    }
  }

  /** Forgets which entries were in flight to a member, because they may be lost. */
  disconnected(bit: number): void {
    for (const states of [this.#recent, this.#old]) {
      for (const state of states.values()) state.sent &= ~bit;
    }
  }
}

interface Waiting {
  readonly count: number;
  readonly resolve: () => void;
  /** When to give up; `uptime` milliseconds. */
  readonly until: number;
}

/** Callers that wait until a number of daemons have an entry on their disks. */
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
      const others = this.#waiting.get(state.orderKey.id);
      if (others === undefined) this.#waiting.set(state.orderKey.id, [waiting]);
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
    const { id } = state.orderKey;
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;

    const holders = Replications.holders(state);
    this.#setWaiting(
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
        this.#setWaiting(
          id,
          waiting.filter(({ until }) => now <= until),
        );
    }
  }

  #setWaiting(id: ByteString, waiting: Waiting[]): void {
    if (waiting.length === 0) this.#waiting.delete(id);
    else this.#waiting.set(id, waiting);
  }
}
