/**
 * Spreads entries to all members. An entry is sent only after it is on this daemon's disk. If the daemon itself signed
 * the entry, it pushes the entry. Otherwise it offers the entry shortly afterwards to the members that are not known to
 * have it. Each member requests the entries that it is missing, and reports when they are on its disk. Source:
 * docs/architecture.md "How daemons agree".
 */
import { type Entry, type Place, placeOf } from "../../../timeline/entries/entry.js";
import { type ClusterState, type ConnectedMember, listening } from "../shared/cluster-state.js";
import { OfferPace } from "./offer-pace.js";
import type { Outbox } from "./outbox.js";
import { Packer } from "./packing.js";
import { PendingRequests } from "./pending-requests.js";
import { type AtOnce, type ReplicationState, ReplicationStates } from "./replication-states.js";
import { Replications } from "./replications.js";

/** A member as a receiver of entries. */
export interface Receiver extends ConnectedMember {
  readonly outbox: Outbox;
  readonly offerPace: OfferPace;
  /** Order keys of entries on this daemon's disk that still have to be reported to the member. */
  readonly pendingAcks: Place[];
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
  #fresh: ReplicationState[] = [];
  /** Entries that were flushed before the last tick: one array for each tick, the latest tick first. */
  readonly #ripe: (readonly ReplicationState[])[] = [];
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
  flushed(places: readonly Place[], from: Receiver | null, oldest: number): void {
    for (const place of places) {
      this.requests.arrived(place.id);
      const isOld = place.at < oldest;
      if (from !== null && !isOld) this.acknowledge(place, from);
      const state = isOld ? this.states.find(place.id) : this.states.of(place);
      if (state === undefined) continue;
      state.isFlushed = true;
      if (from !== null) {
        state.has |= from.bit;
        state.pendingAcks &= ~from.bit;
      }
      this.#settle(state);
      if (state.atOnce !== null) this.#pushAtOnce(state, state.atOnce);
      else if (state.isUrgent) this.#offer([state]);
      else if (!isOld) this.#fresh.push(state);
    }
  }

  /** Pushes an entry to every member, without a request, as soon as it is on disk. */
  pushOwn(entry: Entry): void {
    const { body, signature } = entry;
    const state = this.states.of(placeOf(entry));
    const given = { place: state.place, body, signature };
    if (state.isFlushed) this.#pushAtOnce(state, given);
    else state.atOnce = given;
  }

  /** Resolves when the given number of daemons, including this one, have reported that the entry is on their disk. */
  replicated(place: Place, count: number): Promise<void> {
    const state = this.states.of(place);
    state.isFlushed ||= this.#cluster.timeline.read(place) !== null;
    state.isUrgent = true;
    const done = this.#replications.wait(state, count, this.#cluster.uptime());
    if (state.isFlushed) this.#offer([state]);
    return done;
  }

  /**
   * Returns how many other daemons are known to have the entry on their disk. The reports about old entries are
   * forgotten, so the result for an old entry is too low.
   */
  copies({ id }: Place): number {
    return Replications.copies(this.states.find(id)?.has ?? 0);
  }

  /** Handles a member's offer of entries on its disk. */
  offered(places: readonly Place[], member: Receiver): void {
    const { timeline, uptime } = this.#cluster;
    const wanted: Place[] = [];
    const now = uptime();
    for (const place of places) {
      if (timeline.holds(place)) {
        const state = this.states.of(place);
        this.#has(state, member);
        state.isFlushed ||= timeline.read(place) !== null;
        if (state.isFlushed) this.acknowledge(place, member);
        else state.pendingAcks |= member.bit;
      } else {
        if (this.requests.offered(place, member.bit, now)) wanted.push(place);
        this.#has(this.states.of(place), member);
      }
    }
    if (wanted.length > 0) member.connection.send({ kind: "want", places: wanted });
  }

  had(places: readonly Place[], member: Receiver): void {
    for (const { id } of places) {
      const state = this.states.find(id);
      if (state !== undefined) this.#has(state, member);
    }
  }

  /** Notifies a member, at the end of this turn, that an entry is on this daemon's disk. */
  acknowledge(place: Place, member: Receiver): void {
    member.pendingAcks.push(place);
    this.sendAcksSoon();
  }

  /** Notifies all members, at the end of this turn, of the entries that are then on this daemon's disk. */
  sendAcksSoon(): void {
    if (this.#sendsAcksSoon) return;
    this.#sendsAcksSoon = true;
    this.#cluster.soon(() => {
      this.#sendsAcksSoon = false;
      for (const member of listening(this.#cluster)) member.sendAcks();
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
    this.#offerRipe();
    if (this.#ripe.unshift(this.#fresh) > this.#cluster.limits.offerTicksMax) this.#ripe.pop();
    this.#fresh = [];
    this.#request(this.requests.overdue(now, this.#live()));
    this.states.tick(now);
    this.#replications.tick(now);
    if (now >= this.#offerAgainAt) this.#offerAwaited(now);
  }

  #offerRipe(): void {
    for (const member of listening(this.#cluster)) {
      const ticks = member.offerPace.ticksToOffer(this.#ticks);
      if (ticks === 0) continue;
      const count = this.#offerTo(member, this.#ripe.slice(0, ticks).flat());
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
    for (const { bit } of listening(this.#cluster)) bits |= bit;
    return bits;
  }

  #request(requests: ReadonlyMap<number, readonly Place[]>): void {
    if (requests.size === 0) return;
    for (const member of listening(this.#cluster)) {
      const places = requests.get(member.bit) ?? [];
      for (const part of parts(places, this.#cluster.limits.maxPlaces)) {
        member.connection.send({ kind: "want", places: part });
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
      for (const member of listening(this.#cluster)) {
        if ((state.pendingAcks & member.bit) !== 0) this.acknowledge(state.place, member);
      }
      state.pendingAcks = 0;
    }
    this.#replications.check(state);
  }

  #pushAtOnce(state: ReplicationState, given: AtOnce): void {
    state.atOnce = null;
    let isToOffer = false;
    for (const { bit, outbox } of listening(this.#cluster)) {
      if (((state.has | state.sent) & bit) === 0 && !outbox.pushAtOnce(given)) isToOffer = true;
    }
    if (isToOffer) this.#fresh.push(state);
  }

  /**
   * Offers each member the entries that it is not known to have. Offers may be lost: reconciliation then finds the
   * entries.
   */
  #offer(states: readonly ReplicationState[]): void {
    for (const member of listening(this.#cluster)) this.#offerTo(member, states);
  }

  /** @returns how many entries the member is not known to have */
  #offerTo({ bit, connection }: Receiver, states: readonly ReplicationState[]): number {
    const { maxPlaces, maxUnsentBytes } = this.#cluster.limits;
    if (connection.unsentBytes > maxUnsentBytes) return 0;
    const places: Place[] = [];
    for (const { has, sent, place } of states) if (((has | sent) & bit) === 0) places.push(place);
    for (const part of parts(places, maxPlaces)) connection.send({ kind: "offer", places: part });
    return places.length;
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
