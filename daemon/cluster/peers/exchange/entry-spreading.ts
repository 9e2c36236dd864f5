/**
 * Spreads entries to all members. An entry is sent only after it is on this daemon's disk. If the daemon itself signed
 * the entry, it pushes the entry. Otherwise it offers the entry shortly afterwards to the members that are not known to
 * have it. Each member requests the entries that it is missing, and reports when they are on its disk. Source:
 * docs/architecture.md "How daemons agree".
 */

import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Entry, type OrderKey, orderKeyOf } from "../../../timeline/entries/entry.js";
import { type ClusterState, type ConnectedMember, membersWithStatus } from "../shared/cluster-state.js";
import { Packer } from "./entry-packing.js";
import type { MemberOutbox } from "./member-outbox.js";
import {
  type ReplicationState,
  ReplicationStates,
  Replications,
  type UrgentEntry,
} from "./replication-states.js";

/** A member as a receiver of entries. */
export interface Receiver extends ConnectedMember {
  readonly outbox: MemberOutbox;
  readonly offerPace: OfferPace;
  /** Order keys of entries on this daemon's disk that still have to be reported to the member. */
  readonly pendingAcks: OrderKey[];
  /** Sends the pending notifications to the member. */
  sendAcks(): void;
}

/** Milliseconds between two offers of an entry that a caller waits for. */
const OFFER_AGAIN_MS = 2000;

export class EntrySpreading {
  readonly states: ReplicationStates;
  readonly requests: PendingRequests;
  readonly packer: Packer;
  readonly #cluster: ClusterState<Receiver>;
  readonly #replications: Replications;
  /** Entries that were flushed since the last tick. */
  #justFlushed: ReplicationState[] = [];
  /** Entries that were flushed before the last tick: one array for each tick, the latest tick first. */
  readonly #flushedByTick: (readonly ReplicationState[])[] = [];
  #ticks = 0;
  #sendsAcksSoon = false;
  #offerAgainAt = 0;

  constructor(cluster: ClusterState<Receiver>) {
    this.#cluster = cluster;
    const { limits } = cluster;
    this.requests = new PendingRequests(limits);
    this.packer = new Packer(limits);
    this.#replications = new Replications(limits);
    this.states = new ReplicationStates(limits, (id) => this.#replications.isWaitedFor(id));
  }

  /**
   * Called when entries are on disk.
   * @param from    the member that sent them, or null for a client
   * @param oldest  entries dated before this date are not offered
   */
  flushed(orderKeys: readonly OrderKey[], from: Receiver | null, oldest: number): void {
    for (const orderKey of orderKeys) {
      this.requests.arrived(orderKey.id);
      const isOld = orderKey.at < oldest;
      if (from !== null && !isOld) this.acknowledge(orderKey, from);

      const state = isOld ? this.states.find(orderKey.id) : this.states.of(orderKey);
      if (state === undefined) continue;

      state.isFlushed = true;
      if (from !== null) {
        state.has |= from.bit;
        state.pendingAcks &= ~from.bit;
      }
      this.#settle(state);
      if (state.urgentEntry !== null) this.#pushUrgent(state, state.urgentEntry);
      else if (state.isUrgent) this.#offer([state]);
      else if (!isOld) this.#justFlushed.push(state);
    }
  }

  /** Pushes an entry to every member, without a request, as soon as it is on disk. */
  pushOwn(entry: Entry): void {
    const { body, signature } = entry;
    const state = this.states.of(orderKeyOf(entry));
    const urgent = { orderKey: state.orderKey, body, signature };
    if (state.isFlushed) this.#pushUrgent(state, urgent);
    else state.urgentEntry = urgent;
  }

  /** Resolves when the given number of daemons, including this one, have reported that the entry is on their disk. */
  replicated(orderKey: OrderKey, count: number): Promise<void> {
    const state = this.states.of(orderKey);
    state.isFlushed ||= this.#cluster.timeline.read(orderKey) !== null;
    state.isUrgent = true;
    const done = this.#replications.wait(state, count, this.#cluster.uptime());
    if (state.isFlushed) this.#offer([state]);
    return done;
  }

  /**
   * Returns how many other daemons are known to have the entry on their disk. The reports about old entries are
   * forgotten, so the result for an old entry is too low.
   */
  copies({ id }: OrderKey): number {
    return Replications.copies(this.states.find(id)?.has ?? 0);
  }

  /** Handles a member's offer of entries on its disk. */
  offered(orderKeys: readonly OrderKey[], member: Receiver): void {
    const { timeline, uptime } = this.#cluster;
    const wanted: OrderKey[] = [];
    const now = uptime();

    for (const orderKey of orderKeys) {
      if (timeline.holds(orderKey)) {
        const state = this.states.of(orderKey);
        this.#has(state, member);
        state.isFlushed ||= timeline.read(orderKey) !== null;
        if (state.isFlushed) this.acknowledge(orderKey, member);
        else state.pendingAcks |= member.bit;
      } else {
        if (this.requests.offered(orderKey, member.bit, now)) wanted.push(orderKey);
        this.#has(this.states.of(orderKey), member);
      }
    }

    if (wanted.length > 0) member.connection.send({ kind: "want", orderKeys: wanted });
  }

  /** Records that a member has reported that these entries are on its disk. */
  acknowledgedBy(orderKeys: readonly OrderKey[], member: Receiver): void {
    for (const { id } of orderKeys) {
      const state = this.states.find(id);
      if (state !== undefined) this.#has(state, member);
    }
  }

  /** Notifies a member, at the end of this turn, that an entry is on this daemon's disk. */
  acknowledge(orderKey: OrderKey, member: Receiver): void {
    member.pendingAcks.push(orderKey);
    this.sendAcksSoon();
  }

  /** Notifies all members, at the end of this turn, of the entries that are then on this daemon's disk. */
  sendAcksSoon(): void {
    if (this.#sendsAcksSoon) return;
    this.#sendsAcksSoon = true;
    this.#cluster.soon(() => {
      this.#sendsAcksSoon = false;
      for (const member of membersWithStatus(this.#cluster)) member.sendAcks();
    });
  }

  disconnected(member: Receiver): void {
    this.states.disconnected(member.bit);
    this.#request(this.requests.disconnected(member.bit, this.#cluster.uptime(), this.#live()));
  }

  /** Forgets the previous member of a bit, because the bit is assigned to another member. */
  forget(bit: number): void {
    this.states.forget(bit);
    this.requests.forget(bit);
  }

  /** Returns the pace for a member that connects now. */
  newPace(): OfferPace {
    return new OfferPace(this.#ticks, this.#cluster.limits.offerTicksMax);
  }

  /** Offers entries that have been on disk for a moment. */
  tick(now: number): void {
    this.#ticks++;
    this.#offerFlushed();
    if (this.#flushedByTick.unshift(this.#justFlushed) > this.#cluster.limits.offerTicksMax)
      this.#flushedByTick.pop();
    this.#justFlushed = [];
    this.#request(this.requests.overdue(now, this.#live()));
    this.states.tick(now);
    this.#replications.tick(now);
    if (now >= this.#offerAgainAt) this.#offerAwaited(now);
  }

  #offerFlushed(): void {
    for (const member of membersWithStatus(this.#cluster)) {
      const ticks = member.offerPace.ticksToOffer(this.#ticks);
      if (ticks === 0) continue;
      const count = this.#offerTo(member, this.#flushedByTick.slice(0, ticks).flat());
      member.offerPace.offered(this.#ticks, count === 0);
    }
  }

  /**
   * Offers again the entries that callers wait for. A member that has received such an entry from another daemon
   * replies to the offer by reporting that it has the entry.
   */
  #offerAwaited(now: number): void {
    this.#offerAgainAt = now + OFFER_AGAIN_MS;
    const awaited: ReplicationState[] = [];
    for (const id of this.#replications.ids) {
      const state = this.states.find(id);
      if (state?.isFlushed) awaited.push(state);
    }
    if (awaited.length > 0) this.#offer(awaited);
  }

  #live(): number {
    let bits = 0;
    for (const { bit } of membersWithStatus(this.#cluster)) bits |= bit;
    return bits;
  }

  #request(requests: ReadonlyMap<number, readonly OrderKey[]>): void {
    if (requests.size === 0) return;
    for (const member of membersWithStatus(this.#cluster)) {
      const orderKeys = requests.get(member.bit) ?? [];
      for (const part of parts(orderKeys, this.#cluster.limits.maxOrderKeys)) {
        member.connection.send({ kind: "want", orderKeys: part });
      }
    }
  }

  #has(state: ReplicationState, member: Receiver): void {
    if ((state.has & member.bit) !== 0) return;
    state.has |= member.bit;
    this.#replications.check(state);
  }

  #settle(state: ReplicationState): void {
    if (state.pendingAcks !== 0) {
      for (const member of membersWithStatus(this.#cluster)) {
        if ((state.pendingAcks & member.bit) !== 0) this.acknowledge(state.orderKey, member);
      }
      state.pendingAcks = 0;
    }
    this.#replications.check(state);
  }

  #pushUrgent(state: ReplicationState, entry: UrgentEntry): void {
    state.urgentEntry = null;
    let isToOffer = false;
    for (const { bit, outbox } of membersWithStatus(this.#cluster)) {
      if (((state.has | state.sent) & bit) === 0 && !outbox.pushUrgent(entry)) isToOffer = true;
    }
    if (isToOffer) this.#justFlushed.push(state);
  }

  /**
   * Offers each member the entries that it is not known to have. Offers may be lost: reconciliation then finds the
   * entries.
   */
  #offer(states: readonly ReplicationState[]): void {
    for (const member of membersWithStatus(this.#cluster)) this.#offerTo(member, states);
  }

  /** @returns how many entries the member is not known to have */
  #offerTo({ bit, connection }: Receiver, states: readonly ReplicationState[]): number {
    const { maxOrderKeys, maxUnsentBytes } = this.#cluster.limits;
    if (connection.unsentBytes > maxUnsentBytes) return 0;
    const orderKeys: OrderKey[] = [];
    for (const { has, sent, orderKey } of states) if (((has | sent) & bit) === 0) orderKeys.push(orderKey);
    for (const part of parts(orderKeys, maxOrderKeys)) connection.send({ kind: "offer", orderKeys: part });
    return orderKeys.length;
  }
}

/** Splits items into arrays of at most `maxItems` items. */
export function* parts<T>(items: readonly T[], maxItems: number): Generator<readonly T[]> {
  if (items.length <= maxItems) {
    if (items.length > 0) yield items;
    return;
  }
  for (let i = 0; i < items.length; i += maxItems) yield items.slice(i, i + maxItems);
}

/**
 * The time for which entries wait before they are offered to one member. A client usually sends its envelopes to all
 * daemons, so most offers name entries that the member already has. As long as the member requests none of the offered
 * entries, each offer covers the entries of more and more ticks. The member's next request ends this delay.
 */
export class OfferPace {
  /** Ticks between two offers. */
  #ticks = 1;
  readonly #maxTicks: number;
  /** The last tick whose entries were offered. */
  #offeredTo: number;
  /** Whether the member has requested no entries since the last offer. */
  #isUnwanted = false;

  /**
   * @param tick  the number of the current tick; earlier entries are not offered, because the comparison with the
   * member finds them
   */
  constructor(tick: number, maxTicks: number) {
    this.#offeredTo = tick;
    this.#maxTicks = maxTicks;
  }

  /** Returns how many of the last ticks' entries to offer in this tick, or 0 if the offer has to wait. */
  ticksToOffer(tick: number): number {
    const ticks = tick - 1 - this.#offeredTo;
    return ticks >= this.#ticks ? ticks : 0;
  }

  /**
   * Records that the entries of all earlier ticks were offered.
   * @param hadAll  whether the member was known to have all of them
   */
  offered(tick: number, hadAll: boolean): void {
    this.#offeredTo = tick - 1;
    if (hadAll) return;
    if (this.#isUnwanted) this.#ticks = Math.min(2 * this.#ticks, this.#maxTicks);
    this.#isUnwanted = true;
  }

  /** Records that the member has requested an offered entry. */
  wanted(): void {
    this.#ticks = 1;
    this.#isUnwanted = false;
  }
}

interface PendingRequest {
  readonly orderKey: OrderKey;
  from: number;
  /** The bits of the other members that have offered the entry. */
  others: number;
  /** The time of the request, in milliseconds of uptime. */
  at: number;
}

/**
 * The entries that this daemon has requested from members. It requests each entry from one member at a time. If that
 * member does not reply, it requests the entry from the next member that has offered it. If no member sends an entry,
 * reconciliation transfers it later. Sets of members are numbers in which each member has one bit.
 */
class PendingRequests {
  readonly #limits: { readonly requestMs: number; readonly maxRequests: number };
  /** Pending requests, in the order in which they were sent. */
  readonly #requests = new Map<ByteString, PendingRequest>();
  readonly #counts = new Map<number, number>();

  constructor(limits: { readonly requestMs: number; readonly maxRequests: number }) {
    this.#limits = limits;
  }

  /** Returns the number of requested entries that a member has not sent yet. */
  countOf(bit: number): number {
    return this.#counts.get(bit) ?? 0;
  }

  /**
   * Records that a member has offered an entry that this daemon does not have.
   * @returns whether to request the entry from that member
   */
  offered(orderKey: OrderKey, bit: number, now: number): boolean {
    const request = this.#requests.get(orderKey.id);
    if (request !== undefined) {
      if (request.from !== bit) request.others |= bit;
      return false;
    }
    if (this.#requests.size >= this.#limits.maxRequests) return false;
    const { at, seq, id } = orderKey;
    this.#request({ orderKey: { at, seq, id }, from: bit, others: 0, at: now });
    return true;
  }

  arrived(id: ByteString): void {
    const request = this.#requests.get(id);
    if (request !== undefined) this.#forget(request);
  }

  /**
   * Returns the overdue requests, grouped by the member to which they must now be sent.
   * @param live  the bits of connected members
   */
  overdue(now: number, live: number): ReadonlyMap<number, OrderKey[]> {
    const late: PendingRequest[] = [];
    for (const request of this.#requests.values()) {
      if (now - request.at < this.#limits.requestMs) break;
      late.push(request);
    }
    return this.#requestElsewhere(late, now, live);
  }

  /** Returns the requests to a member that has disconnected, grouped by the member to which they must now be sent. */
  disconnected(bit: number, now: number, live: number): ReadonlyMap<number, OrderKey[]> {
    const lost = [...this.#requests.values()].filter(({ from }) => from === bit);
    return this.#requestElsewhere(lost, now, live);
  }

  /** Forgets a bit that has no pending requests, so that it can be assigned to another member. */
  forget(bit: number): void {
    for (const request of this.#requests.values()) request.others &= ~bit;
    this.#counts.delete(bit);
  }

  #requestElsewhere(
    requests: readonly PendingRequest[],
    now: number,
    live: number,
  ): ReadonlyMap<number, OrderKey[]> {
    const requested = new Map<number, OrderKey[]>();
    for (const request of requests) {
      this.#forget(request);
      const others = request.others & live;
      const from = others & -others;
      if (from === 0) continue;
      this.#request({ orderKey: request.orderKey, from, others: others & ~from, at: now });
      const orderKeys = requested.get(from);
      if (orderKeys === undefined) requested.set(from, [request.orderKey]);
      else orderKeys.push(request.orderKey);
    }
    return requested;
  }

  #request(request: PendingRequest): void {
    this.#requests.set(request.orderKey.id, request);
    this.#counts.set(request.from, this.countOf(request.from) + 1);
  }

  #forget(request: PendingRequest): void {
    this.#requests.delete(request.orderKey.id);
    this.#counts.set(request.from, this.countOf(request.from) - 1);
  }
}
