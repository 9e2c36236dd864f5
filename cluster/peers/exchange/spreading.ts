/**
 * Spreads an entry from one member to all: nothing is sent before it is on this daemon's disk; then it is offered,
 * after a moment, to the members that are not known to have it (or pushed, when it is a daemon's own). Each requests
 * what it misses, and reports when it has it. Source: docs/architecture.md "How daemons agree".
 */
import { type Entry, type Place, placeOf } from "../../../timeline/entries/entry.js";
import { type ClusterState, type ConnectedMember, listening } from "../shared/cluster-state.js";
import { OfferPace } from "./offer-pace.js";
import type { Outbox } from "./outbox.js";
import { Packer } from "./packing.js";
import { Replications } from "./replications.js";
import { type AtOnce, type Trace, Traces } from "./traces.js";
import { Wants } from "./wants.js";

/** A member, as far as entries are spread to it. */
export interface Receiver extends ConnectedMember {
  readonly outbox: Outbox;
  readonly offerPace: OfferPace;
  /** Order keys of entries here that the member is to be notified of. */
  readonly owed: Place[];
  /** Sends it the pending notifications. */
  tell(): void;
}

/** Milliseconds between two offers of an entry that a caller waits for. */
const ASK_AGAIN_MS = 2000;

export class Spreading {
  readonly traces: Traces;
  readonly wants: Wants;
  readonly packer: Packer;
  readonly #cluster: ClusterState<Receiver>;
  readonly #replications: Replications;
  /** On disk since the last tick. */
  #fresh: Trace[] = [];
  /** On disk before the last tick, and before earlier ones. */
  readonly #ripe: (readonly Trace[])[] = [];
  #ticks = 0;
  #tellsSoon = false;
  #askAgainAt = 0;

  constructor(cluster: ClusterState<Receiver>) {
    this.#cluster = cluster;
    const { limits } = cluster;
    this.wants = new Wants(limits);
    this.packer = new Packer(limits);
    this.#replications = new Replications(limits);
    this.traces = new Traces(limits, (id) => this.#replications.isWaitedFor(id));
  }

  /**
   * Entries are on disk.
   * @param from    the member that gave them; null: first-hand
   * @param oldest  those dated before it are not offered
   */
  flushed(places: readonly Place[], from: Receiver | null, oldest: number): void {
    for (const place of places) {
      this.wants.arrived(place.id);
      const isOld = place.at < oldest;
      if (from !== null && !isOld) this.owe(place, from);
      const trace = isOld ? this.traces.find(place.id) : this.traces.of(place);
      if (trace === undefined) continue;
      trace.isFlushed = true;
      if (from !== null) {
        trace.has |= from.bit;
        trace.owed &= ~from.bit;
      }
      this.#settle(trace);
      if (trace.atOnce !== null) this.#pushAtOnce(trace, trace.atOnce);
      else if (trace.isUrgent) this.#offer([trace]);
      else if (!isOld) this.#fresh.push(trace);
    }
  }

  /** Pushes an entry to every member, unasked, as soon as it is on disk. */
  giveAtOnce(entry: Entry): void {
    const { body, signature } = entry;
    const trace = this.traces.of(placeOf(entry));
    const given = { place: trace.place, body, signature };
    if (trace.isFlushed) this.#pushAtOnce(trace, given);
    else trace.atOnce = given;
  }

  /** Resolves when the given number of daemons, this one included, have reported that it is on their disk. */
  replicated(place: Place, count: number): Promise<void> {
    const trace = this.traces.of(place);
    trace.isFlushed ||= this.#cluster.timeline.read(place) !== null;
    trace.isUrgent = true;
    const done = this.#replications.wait(trace, count, this.#cluster.uptime());
    if (trace.isFlushed) this.#offer([trace]);
    return done;
  }

  /** Other daemons that have said that it is on their disk; of old entries that is forgotten. */
  copies({ id }: Place): number {
    return Replications.copies(this.traces.find(id)?.has ?? 0);
  }

  /** A member has these on its disk. */
  offered(places: readonly Place[], member: Receiver): void {
    const { timeline, uptime } = this.#cluster;
    const wanted: Place[] = [];
    const now = uptime();
    for (const place of places) {
      if (timeline.holds(place)) {
        const trace = this.traces.of(place);
        this.#has(trace, member);
        trace.isFlushed ||= timeline.read(place) !== null;
        if (trace.isFlushed) this.owe(place, member);
        else trace.owed |= member.bit;
      } else {
        if (this.wants.offered(place, member.bit, now)) wanted.push(place);
        this.#has(this.traces.of(place), member);
      }
    }
    if (wanted.length > 0) member.connection.send({ kind: "want", places: wanted });
  }

  had(places: readonly Place[], member: Receiver): void {
    for (const { id } of places) {
      const trace = this.traces.find(id);
      if (trace !== undefined) this.#has(trace, member);
    }
  }

  /** Notifies a member, at the end of this turn, that an entry is on this daemon's disk. */
  owe(place: Place, member: Receiver): void {
    member.owed.push(place);
    this.tellSoon();
  }

  /** Notifies all members, at the end of this turn, of what is on disk by now. */
  tellSoon(): void {
    if (this.#tellsSoon) return;
    this.#tellsSoon = true;
    this.#cluster.soon(() => {
      this.#tellsSoon = false;
      for (const member of listening(this.#cluster)) member.tell();
    });
  }

  disconnected(member: Receiver): void {
    this.traces.disconnected(member.bit);
    this.#ask(this.wants.disconnected(member.bit, this.#cluster.uptime(), this.#live()));
  }

  /** Forgets what is known by a bit, which another member gets from now on. */
  forget(bit: number): void {
    this.traces.forget(bit);
    this.wants.forget(bit);
  }

  /** The pace of a member that connects now. */
  newPace(): OfferPace {
    return new OfferPace(this.#ticks, this.#cluster.limits.offerTicksMax);
  }

  /** Offers what has been on disk for a moment. */
  tick(now: number): void {
    this.#ticks++;
    this.#offerRipe();
    if (this.#ripe.unshift(this.#fresh) > this.#cluster.limits.offerTicksMax) this.#ripe.pop();
    this.#fresh = [];
    this.#ask(this.wants.overdue(now, this.#live()));
    this.traces.tick(now);
    this.#replications.tick(now);
    if (now >= this.#askAgainAt) this.#offerAwaited(now);
  }

  #offerRipe(): void {
    for (const member of listening(this.#cluster)) {
      const ticks = member.offerPace.ticksToOffer(this.#ticks);
      if (ticks === 0) continue;
      const count = this.#offerTo(member, this.#ripe.slice(0, ticks).flat());
      member.offerPace.offered(this.#ticks, count === 0);
    }
  }

  /** A member may have received what a caller waits for in another way: it says so when it is offered. */
  #offerAwaited(now: number): void {
    this.#askAgainAt = now + ASK_AGAIN_MS;
    const awaited: Trace[] = [];
    for (const id of this.#replications.ids) {
      const trace = this.traces.find(id);
      if (trace?.isFlushed) awaited.push(trace);
    }
    if (awaited.length > 0) this.#offer(awaited);
  }

  #live(): number {
    let bits = 0;
    for (const { bit } of listening(this.#cluster)) bits |= bit;
    return bits;
  }

  #ask(asked: ReadonlyMap<number, readonly Place[]>): void {
    if (asked.size === 0) return;
    for (const member of listening(this.#cluster)) {
      const places = asked.get(member.bit) ?? [];
      for (const part of parts(places, this.#cluster.limits.maxPlaces)) {
        member.connection.send({ kind: "want", places: part });
      }
    }
  }

  #has(trace: Trace, member: Receiver): void {
    if ((trace.has & member.bit) !== 0) return;
    trace.has |= member.bit;
    this.#replications.check(trace);
  }

  #settle(trace: Trace): void {
    if (trace.owed !== 0) {
      for (const member of listening(this.#cluster)) {
        if ((trace.owed & member.bit) !== 0) this.owe(trace.place, member);
      }
      trace.owed = 0;
    }
    this.#replications.check(trace);
  }

  #pushAtOnce(trace: Trace, given: AtOnce): void {
    trace.atOnce = null;
    let isToOffer = false;
    for (const { bit, outbox } of listening(this.#cluster)) {
      if (((trace.has | trace.sent) & bit) === 0 && !outbox.pushAtOnce(given)) isToOffer = true;
    }
    if (isToOffer) this.#fresh.push(trace);
  }

  /**
   * Offers each member what it is not known to have. Offers may be lost: reconciliation finds what they would have
   * announced.
   */
  #offer(traces: readonly Trace[]): void {
    for (const member of listening(this.#cluster)) this.#offerTo(member, traces);
  }

  /** @returns how many it is not known to have */
  #offerTo({ bit, connection }: Receiver, traces: readonly Trace[]): number {
    const { maxPlaces, maxUnsentBytes } = this.#cluster.limits;
    if (connection.unsentBytes > maxUnsentBytes) return 0;
    const places: Place[] = [];
    for (const { has, sent, place } of traces) if (((has | sent) & bit) === 0) places.push(place);
    for (const part of parts(places, maxPlaces)) connection.send({ kind: "offer", places: part });
    return places.length;
  }
}

/** Pieces of at most `most` items. */
export function* parts<T>(items: readonly T[], most: number): Generator<readonly T[]> {
  if (items.length <= most) {
    if (items.length > 0) yield items;
    return;
  }
  for (let i = 0; i < items.length; i += most) yield items.slice(i, i + most);
}
